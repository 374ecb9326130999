"""One step of experience, as it is logged, sent and learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

FLAGS = ("is_first", "is_last", "is_terminal")
RESERVED = ("action", "applied", "reward", *FLAGS)


@dataclass(frozen=True)
class Transition:
    """What was sensed at tick t, the reward that came with it, and the action chosen after it.

        o_t, r_t, flags_t --(a_t)--> o_{t+1}, r_{t+1}, flags_{t+1}

    Args:
        robot: id of the robot.
        run: id of the run, equal for all its episodes.
        index: position in the run's stream, from 0, without gaps; (robot, run, index) is unique.
        episode: number of the episode in the run.
        step: position in the episode, from 0.
        weights_version: which weights chose the action; 0 is the random policy.
        valid: false while the safety layer held the robot; logged, never trained on.
        arrays: observation keys, and `action`, `applied` (what was really sent), `reward`
            (float32 scalar array) and the flags (bool scalar arrays).
        stamps_ns: capture stamp of each sensor, and of the tick.
        ledger_ns: latencies of this step: sensor age, inference, command, weights age.
    """

    robot: str
    run: str
    index: int
    episode: int
    step: int
    weights_version: int
    valid: bool
    arrays: Mapping[str, np.ndarray]
    stamps_ns: Mapping[str, int] = field(default_factory=dict)
    ledger_ns: Mapping[str, int] = field(default_factory=dict)

    @property
    def stream(self) -> tuple[str, str]:
        """The stream that `index` counts in."""
        return self.robot, self.run
