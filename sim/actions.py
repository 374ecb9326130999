"""What an environment is told, in our words: actions in [-1, 1], or one-hot choices."""

from __future__ import annotations

from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from robot.config import ConfigError
from robot.wire.spec import Spec, box, discrete

# Gymnasium writes "no bound" as the largest float.
WIDE = 1e6


class Actions(Protocol):
    """How an environment is told what to do."""

    @property
    def spec(self) -> Spec:
        """What an agent's actions look like."""
        ...

    def sound(self, action: np.ndarray) -> np.ndarray:
        """The allowed action that is nearest to one, (A,) float32."""
        ...

    def undo(self, action: np.ndarray) -> Any:
        """What the environment is given for an allowed action."""
        ...


def make_actions(space: gym.Space) -> Actions:
    """The way in which a space is acted in.

    Raises:
        ConfigError: for a space that is neither a Box with finite bounds nor Discrete.
    """
    if isinstance(space, gym.spaces.Discrete):
        return Choices(space)
    if isinstance(space, gym.spaces.Box) and space.dtype.kind == "f":
        if max(np.abs(space.low).max(), np.abs(space.high).max()) < WIDE:
            return Scaled(space)
    raise ConfigError(f"actions are {space}; allowed is Discrete, or a Box with finite bounds")


class Choices:
    """One-hot vectors for the numbers of a Discrete space."""

    def __init__(self, space: gym.spaces.Discrete) -> None:
        self._start = int(space.start)
        self.spec = discrete(int(space.n))

    def sound(self, action: np.ndarray) -> np.ndarray:
        """The choice with the largest number, one-hot (n,)."""
        return np.eye(len(action), dtype=np.float32)[action.argmax()]

    def undo(self, action: np.ndarray) -> int:
        """The number of a choice."""
        return self._start + int(action.argmax())


class Scaled:
    """[-1, 1] for the bounds of a Box (Dreamer, arXiv 1912.01603, normalises actions so)."""

    def __init__(self, space: gym.spaces.Box) -> None:
        self._space = space
        self.spec = box(-1.0, 1.0, (int(np.prod(space.shape)),))

    def sound(self, action: np.ndarray) -> np.ndarray:
        """The action clipped to [-1, 1]."""
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    def undo(self, action: np.ndarray) -> np.ndarray:
        """Within the bounds, in the shape and type of the space."""
        low, high = self._space.low, self._space.high
        share = (action.astype(float).reshape(self._space.shape) + 1) / 2
        return np.clip(low + share * (high - low), low, high).astype(self._space.dtype)
