"""What a task is: the seam at which sensors become reward, episode rules and estimates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robot.wire.messages import Reading
from robot.wire.spec import Spec


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a task says of one control step.

    Args:
        reward: task units for arriving in this step.
        is_last: whether the episode closes with this step.
        is_terminal: whether the future beyond it is worth nothing.
        observation: arrays that the task estimates and the agent may see.
        terms: parts of the reward and other figures worth a plot.
    """

    reward: float
    is_last: bool
    is_terminal: bool
    observation: Mapping[str, np.ndarray]
    terms: Mapping[str, float]


class Task(Protocol):
    """Turns sensor readings into rewards. Sees every reading, judges once per control step."""

    @property
    def observation(self) -> Mapping[str, Spec]:
        """Specs of the arrays that `Verdict.observation` holds."""
        ...

    def begin(self) -> None:
        """Start an episode; state estimates go on, for the robot is not reset."""
        ...

    def sense(self, reading: Reading) -> None:
        """Take in one reading, in order of time."""
        ...

    def judge(self, step: int) -> Verdict:
        """Judge control step `step` of the episode, by the readings so far."""
        ...
