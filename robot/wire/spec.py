"""What an observation or an action looks like: shape, type, bounds, unit and frame."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np


class OneHot(gym.spaces.Box):
    """One of n choices, written as n float32 numbers of which one is 1 and the others 0.

    All zeros belong to it too: they stand for no choice, as the last step of an episode has it.

    Args:
        n: number of choices, 1 or more.
        seed: of `sample`.
    """

    def __init__(self, n: int, seed: int | None = None) -> None:
        super().__init__(0.0, 1.0, (n,), np.float32, seed)

    def sample(self, mask: None = None, probability: None = None) -> np.ndarray:
        """Draw a choice (n,), all alike."""
        return np.eye(self.shape[0], dtype=np.float32)[self.np_random.integers(self.shape[0])]

    def contains(self, x: Any) -> bool:
        """Whether x is (n,) with at most one 1, and 0 elsewhere."""
        return super().contains(x) and bool(np.isin(x, (0, 1)).all() and np.sum(x) <= 1)

    def __repr__(self) -> str:
        return f"OneHot({self.shape[0]})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OneHot) and super().__eq__(other)


@dataclass(frozen=True)
class Spec:
    """One array that crosses a seam.

    Args:
        space: Gymnasium space: shape, type, bounds; Box for vectors and images, OneHot for choices.
        unit: SI unit of the values, "1" for none.
        frame: frame in which a vector is expressed, such as "body" or "joint".
        centre: value that an encoder may subtract, broadcast to the shape.
        scale: size of a typical deviation from `centre`, by which an encoder may divide.
    """

    space: gym.Space
    unit: str = "1"
    frame: str = ""
    centre: np.ndarray = field(default_factory=lambda: np.zeros(()))
    scale: np.ndarray = field(default_factory=lambda: np.ones(()))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one value."""
        return tuple(self.space.shape or ())

    @property
    def dtype(self) -> np.dtype:
        """NumPy type of one value."""
        return np.dtype(self.space.dtype)

    @property
    def is_image(self) -> bool:
        """Whether this is an (H, W, C) picture of bytes."""
        return self.dtype == np.uint8 and len(self.shape) == 3

    @property
    def is_discrete(self) -> bool:
        """Whether this is a choice among a few, written as a one-hot vector."""
        return isinstance(self.space, OneHot)

    def check(self, name: str, value: np.ndarray) -> None:
        """Refuse a value that does not fit.

        Raises:
            ValueError: naming the key, what came and what is allowed.
        """
        if value.shape != self.shape or value.dtype != self.dtype:
            raise ValueError(
                f"{name}: got shape {value.shape} of {value.dtype}; "
                f"allowed is {self.shape} of {self.dtype}"
            )
        if self.dtype.kind == "f" and not np.isfinite(value).all():
            raise ValueError(f"{name}: not finite: {value}")
        if not self.space.contains(value):
            raise ValueError(f"{name}: {value} is outside {self.space}")

    def describe(self) -> dict[str, object]:
        """JSON-ready description, equal for equal specs."""
        return {
            "space": repr(self.space),
            "shape": list(self.shape),
            "dtype": str(self.dtype),
            "unit": self.unit,
            "frame": self.frame,
            "centre": np.asarray(self.centre).tolist(),
            "scale": np.asarray(self.scale).tolist(),
        }


@dataclass(frozen=True)
class RobotSpec:
    """Everything that an agent may know of a robot: what it senses, what it does, how it mirrors.

    Args:
        observation: spec of each sensed key.
        action: spec of the action; a vector in [-1, 1], or a one-hot choice (`discrete`).
        control_hz: decisions per second.
        mirror: per key the left-right reflection as (permutation, sign), where the body has one.
    """

    observation: Mapping[str, Spec]
    action: Spec
    control_hz: float
    mirror: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Short hash by which weights and transitions are matched to a robot."""
        said = {k: s.describe() for k, s in sorted(self.observation.items())}
        text = json.dumps([said, self.action.describe(), self.control_hz], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def box(
    low: float | np.ndarray,
    high: float | np.ndarray,
    shape: tuple[int, ...] | None = None,
    unit: str = "1",
    frame: str = "",
    scale: float | np.ndarray | None = None,
) -> Spec:
    """Float32 spec with bounds; the typical scale is half the range unless given."""
    space = gym.spaces.Box(np.float32(low), np.float32(high), shape, np.float32)
    centre = (space.high + space.low) / 2 if scale is None else np.zeros(space.shape, np.float32)
    half = (space.high - space.low) / 2 if scale is None else scale
    return Spec(space, unit, frame, centre, np.broadcast_to(np.float32(half), space.shape))


def discrete(n: int) -> Spec:
    """Spec of a choice among n: a one-hot float32 vector (n,), in replay and on the wire.

    Raises:
        ValueError: for fewer than one choice.
    """
    if n < 1:
        raise ValueError(f"discrete: got {n} choices; allowed is 1 or more")
    return Spec(OneHot(n))


def image(height: int, width: int, channels: int = 3) -> Spec:
    """Spec of an (H, W, C) picture of bytes."""
    return Spec(gym.spaces.Box(0, 255, (height, width, channels), np.uint8), "1", "camera")
