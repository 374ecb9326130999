"""What an observation or an action looks like: shape, type, bounds, unit and frame."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import gymnasium as gym
import numpy as np


@dataclass(frozen=True)
class Spec:
    """One array that crosses a seam.

    Args:
        space: Gymnasium space (Box for vectors and images, Discrete for ids): shape, type, bounds.
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
        action: spec of the action; Box in [-1, 1] or Discrete.
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


def image(height: int, width: int, channels: int = 3) -> Spec:
    """Spec of an (H, W, C) picture of bytes."""
    return Spec(gym.spaces.Box(0, 255, (height, width, channels), np.uint8), "1", "camera")
