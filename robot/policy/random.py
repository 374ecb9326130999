"""The policy that knows nothing: uniform actions, for the first experience of a robot."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from robot.wire.spec import RobotSpec


class RandomPolicy:
    """Uniform actions: vectors in [-1, 1], or one-hot choices; equal seeds give equal actions."""

    version = 0

    def __init__(self, spec: RobotSpec, seed: int = 0) -> None:
        self._shape = spec.action.shape
        self._chooses = spec.action.is_discrete
        self._rng = np.random.default_rng(seed)

    def initial(self) -> None:
        """Nothing is carried."""

    def act(self, carry: None, observation: Mapping[str, np.ndarray]) -> tuple[None, np.ndarray]:
        """Draw an action (A,) float32, whatever is observed."""
        if self._chooses:
            chosen = self._rng.integers(self._shape[0])
            return None, np.eye(self._shape[0], dtype=np.float32)[chosen]
        return None, self._rng.uniform(-1, 1, self._shape).astype(np.float32)
