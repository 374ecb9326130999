"""The learner's memory of experience: a ring of steps from which chunks are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from learner.train.sampling import Sampler
from learner.train.windows import Windows
from robot.wire.spec import RobotSpec, Spec
from robot.wire.transition import FLAGS, Transition


class Replay:
    """Keeps the newest steps of all robots in preallocated arrays; the oldest go first.

    Steps of several streams may come interleaved. An invalid step takes no room and leaves a gap
    that no chunk spans. The same seed, steps and calls give the same chunks: after a crash, add
    the logged transitions again in their order, then `restore` the random state.

    Args:
        spec: what the robot senses and does.
        capacity: how many valid steps are kept.
        sampler: which chunks are drawn.
        seed: of the sampler's random numbers.
        keys: observation keys to keep; all of the spec's unless given.

    Raises:
        ValueError: for a capacity below 1 or a key that the spec lacks.
    """

    def __init__(
        self,
        spec: RobotSpec,
        capacity: int,
        sampler: Sampler,
        seed: int,
        keys: Sequence[str] | None = None,
    ):
        self.keys = tuple(spec.observation if keys is None else keys)
        unknown = [key for key in self.keys if key not in spec.observation]
        if unknown:
            allowed = ", ".join(spec.observation)
            raise ValueError(f"keys: unknown key '{unknown[0]}'; the robot senses {allowed}")
        self.added = 0
        self._sampler = sampler
        self._rng = np.random.default_rng(seed)
        self._windows = Windows(capacity)
        kept = {key: spec.observation[key] for key in self.keys} | {"action": spec.action}
        self._arrays = {key: _room(capacity, value) for key, value in kept.items()}
        self._arrays["reward"] = np.zeros(capacity, np.float32)
        self._arrays |= {flag: np.zeros(capacity, np.bool_) for flag in FLAGS}

    def __len__(self) -> int:
        return self._windows.size

    @property
    def capacity(self) -> int:
        """How many steps are kept at most."""
        return self._windows.capacity

    @property
    def bytes_bound(self) -> int:
        """Most bytes that the memory will ever take, apart from a chunk being drawn."""
        return self._windows.nbytes + sum(a.nbytes for a in self._arrays.values())

    def add(self, transition: Transition) -> None:
        """Take in one step; each stream's steps must come in the order of their index.

        Raises:
            ValueError: for a missing array, a wrong shape, or an index that is not new.
        """
        values = self._checked(transition) if transition.valid else {}
        slot = self._windows.place(transition)
        self.added += 1
        for key, value in values.items():
            self._arrays[key][slot] = value

    def ready(self, length: int) -> bool:
        """Whether `sample` has a chunk of `length` steps to draw."""
        return self._sampler.ready(self._windows, length)

    def sample(self, batch: int, length: int) -> dict[str, np.ndarray]:
        """Draw chunks; the first step of each is marked is_first, since no state precedes it.

        Returns:
            The observation keys, "action", "reward" (float32) and the flags (bool), each
            (B, T, ...): floats as float32, images as uint8. The arrays are the caller's own.

        Raises:
            ValueError: when there is no such chunk.
        """
        if batch < 1 or length < 1:
            raise ValueError(f"batch {batch}, length {length}: both must be 1 or more")
        return self._chunks(self._sampler.ends(self._windows, self._rng, batch, length), length)

    def peek(
        self, sampler: Sampler, rng: np.random.Generator, batch: int, length: int
    ) -> dict[str, np.ndarray] | None:
        """Draw chunks as `sample` does, by other rules and dice: learning does not notice.

        Returns:
            The chunks; None where there is none of that length.
        """
        if not sampler.ready(self._windows, length):
            return None
        return self._chunks(sampler.ends(self._windows, rng, batch, length), length)

    def state(self) -> dict[str, Any]:
        """JSON-ready random state; the contents are restored from the logs."""
        return {"rng": self._rng.bit_generator.state}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a random state that `state` gave."""
        self._rng.bit_generator.state = state["rng"]

    def _chunks(self, ends: np.ndarray, length: int) -> dict[str, np.ndarray]:
        slots = self._windows.slots(ends, length)  # (B, T)
        chunk = {key: array.take(slots, axis=0) for key, array in self._arrays.items()}
        chunk["is_first"][:, 0] = True
        return chunk

    def _checked(self, transition: Transition) -> dict[str, np.ndarray]:
        """The arrays to keep; a wrong shape would otherwise be broadcast without a word."""
        missing = self._arrays.keys() - transition.arrays.keys()
        if missing:
            raise ValueError(f"transition {transition.index} lacks {', '.join(sorted(missing))}")
        values = {key: np.asarray(transition.arrays[key]) for key in self._arrays}
        for key, value in values.items():
            if value.shape != self._arrays[key].shape[1:]:
                allowed = self._arrays[key].shape[1:]
                raise ValueError(f"{key}: got shape {value.shape}; allowed is {allowed}")
        return values


def _room(capacity: int, spec: Spec) -> np.ndarray:
    """Zeroed room for `capacity` values; the system gives the pages as they are first written."""
    dtype = np.dtype(np.float32) if spec.dtype.kind == "f" else spec.dtype
    return np.zeros((capacity, *spec.shape), dtype)
