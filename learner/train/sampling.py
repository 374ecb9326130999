"""How chunks are drawn from the replay, and how many updates the new steps allow.

Whatever the sampler, the replay marks the first step of every chunk is_first: the model's state
starts fresh there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np

from learner.train.windows import Windows

ROUNDS = 8


class Sampler(Protocol):
    """Chooses which chunks the learner sees; holds no state of its own."""

    def ready(self, windows: Windows, length: int) -> bool:
        """Whether there is a chunk of `length` steps to draw."""
        ...

    def ends(
        self, windows: Windows, rng: np.random.Generator, batch: int, length: int
    ) -> np.ndarray:
        """Slots (B,) of the last steps of `batch` chunks.

        Raises:
            ValueError: when there is no chunk of that length.
        """
        ...


@dataclass(frozen=True)
class UniformChunks:
    """Draws every gap-free chunk with the same probability.

    A chunk may run from one episode into the next, since is_first marks the seam inside it.
    """

    def ready(self, windows: Windows, length: int) -> bool:
        """Whether there is a chunk of `length` steps to draw."""
        newest = np.array([windows.cursor - 1])
        # The newest chunk almost always exists; only a fresh start or a gap costs the full look.
        return windows.size > 0 and (
            bool(windows.holds(newest, length)[0]) or len(windows.every(length)) > 0
        )

    def ends(
        self, windows: Windows, rng: np.random.Generator, batch: int, length: int
    ) -> np.ndarray:
        """Slots (B,) of the last steps of `batch` chunks."""
        drawn = _draw(windows, rng, batch, length, windows.size)
        if len(drawn) < batch:
            drawn = rng.choice(_every(windows, length), batch)
        return drawn


@dataclass(frozen=True)
class RecentMixture:
    """Draws a share of the chunks from the newest steps, so that fresh experience counts at once.

    Args:
        fraction: share of chunks whose last step is among the newest ones, in [0, 1]; where
            hardly any chunk ends there, the rest are drawn uniformly as well.
        newest: how many of the stored steps count as newest.
    """

    fraction: float
    newest: int

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 1:
            raise ValueError(f"fraction {self.fraction}: allowed is [0, 1]")
        if self.newest < 1:
            raise ValueError(f"newest {self.newest}: allowed is 1 or more steps")

    def ready(self, windows: Windows, length: int) -> bool:
        """Whether there is a chunk of `length` steps to draw."""
        return UniformChunks().ready(windows, length)

    def ends(
        self, windows: Windows, rng: np.random.Generator, batch: int, length: int
    ) -> np.ndarray:
        """Slots (B,) of the last steps of `batch` chunks."""
        wanted = int(self.fraction * batch + rng.random())  # right on average for every batch
        recent = _draw(windows, rng, wanted, length, min(self.newest, windows.size))
        rest = UniformChunks().ends(windows, rng, batch - len(recent), length)
        return np.concatenate([recent, rest])


@dataclass(frozen=True)
class EpisodeChunks:
    """Draws an episode, then a start inside it (DayDreamer, embodied/replay; ALGORITHMS 8.4).

    With `records` steps in the episode, the start is uniform over 0 .. records - length, or, with
    `prioritise_ends`, uniform over 0 .. records and then clipped to records - length: the last
    chunk comes with probability (length + 1) / (records + 1), every other with 1 / (records + 1).

    As there, only closed episodes that are held whole are drawn from, those shorter than the chunk
    never, and an episode of 250 actions has 251 records, the closing one included. Differently, a
    gap cuts an episode in two, and a record holds the action chosen at it, not the one before it.

    Args:
        prioritise_ends: favour the last chunk of an episode.
    """

    prioritise_ends: bool = True

    def ready(self, windows: Windows, length: int) -> bool:
        """Whether there is a closed episode of at least `length` steps."""
        return len(windows.episodes(length)[0]) > 0

    def ends(
        self, windows: Windows, rng: np.random.Generator, batch: int, length: int
    ) -> np.ndarray:
        """Slots (B,) of the last steps of `batch` chunks."""
        ends, records = windows.episodes(length)
        if not len(ends):
            raise ValueError(f"replay holds no closed episode of {length} steps or more yet")
        chosen = rng.integers(len(ends), size=batch)
        last = records[chosen] - length
        start = rng.integers(0, last + length * self.prioritise_ends, endpoint=True)
        back = last - np.minimum(start, last)
        path = windows.slots(ends[chosen], int(back.max()) + 1)  # steps back to the chunk's end
        return path[np.arange(batch), back.max() - back]


class ReplayRatio:
    """Says how many updates the steps so far allow; it holds back the learner, never the robot.

    Steps that the learner has no time for stay due, so it may catch up when the robot rests.

    Args:
        ratio: replayed steps per new step; 96 is one update of 24 x 16 for every 4 steps.
        steps_per_update: steps that one update replays, batch times length.
        early_steps: first steps, each of which allows `early_factor` times as many updates: while
            replay is small, an hour of learning is decided.
        early_factor: see above.
    """

    def __init__(
        self, ratio: float, steps_per_update: int, early_steps: int = 0, early_factor: float = 1.0
    ):
        if not (math.isfinite(ratio) and ratio >= 0):
            raise ValueError(f"ratio {ratio}: allowed is a finite number from 0")
        if steps_per_update < 1:
            raise ValueError(f"steps_per_update {steps_per_update}: allowed is 1 or more")
        # The simple fraction that a float such as 384 / 7 stands for, so that no update comes late.
        self._per_step = Fraction(ratio).limit_denominator(10**6) / steps_per_update
        self._steps_per_update = steps_per_update
        self._early_steps = early_steps
        self._early_more = Fraction(early_factor).limit_denominator(10**6) - 1
        self.steps = 0
        self.updates = 0

    @property
    def due(self) -> int:
        """Updates that may be made now."""
        counted = self.steps + self._early_more * min(self.steps, self._early_steps)
        return max(0, math.floor(counted * self._per_step) - self.updates)

    @property
    def achieved(self) -> float:
        """Replayed steps per new step so far."""
        return self.updates * self._steps_per_update / max(1, self.steps)

    def add(self, steps: int = 1) -> None:
        """Count new steps of experience."""
        self.steps += steps

    def spend(self, updates: int = 1) -> None:
        """Count updates that were made."""
        self.updates += updates

    def state(self) -> dict[str, int]:
        """JSON-ready state for a checkpoint."""
        return {"steps": self.steps, "updates": self.updates}

    def restore(self, state: Mapping[str, int]) -> None:
        """Take up a state that `state` gave."""
        self.steps, self.updates = int(state["steps"]), int(state["updates"])


def _draw(
    windows: Windows, rng: np.random.Generator, count: int, length: int, newest: int
) -> np.ndarray:
    """End slots of up to `count` chunks, uniform over those that end in the `newest` steps.

    Draws steps and refuses those where no chunk ends; gives up when nearly all are refused.
    """
    found = np.empty(0, np.intp)
    for _ in range(ROUNDS if newest else 0):
        ages = rng.integers(newest, size=count - len(found))
        ends = (windows.cursor - 1 - ages) % windows.capacity
        found = np.concatenate([found, ends[windows.holds(ends, length)]])
        if len(found) == count:
            break
    return found


def _every(windows: Windows, length: int) -> np.ndarray:
    ends = windows.every(length)
    if not len(ends):
        raise ValueError(
            f"replay holds no chunk of {length} steps yet "
            f"({windows.size} steps in {windows.streams} streams)"
        )
    return ends
