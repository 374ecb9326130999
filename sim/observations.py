"""What an environment shows, in our words: specs, and arrays that fit them.

Vectors become rows of float32, pictures and depths 64 x 64 bytes, choices zeros and ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import cv2
import gymnasium as gym
import numpy as np

from robot.config import ConfigError
from robot.wire.spec import Spec, box, image
from robot.wire.transition import RESERVED

SIZE = 64
# Bounds beyond this say nothing of what is typical: Gymnasium writes "none" as the largest float.
WIDE = 1e6
MOST_CHANNELS = 12
CHOICES = (gym.spaces.Discrete, gym.spaces.MultiDiscrete, gym.spaces.MultiBinary)


class Sense(Protocol):
    """One observed key."""

    @property
    def spec(self) -> Spec:
        """What its arrays look like."""
        ...

    def __call__(self, value: Any) -> np.ndarray:
        """The array of one observed value."""
        ...


class Observations:
    """Turns observations of a space into one array per key.

    Keys of nested Dict spaces are joined by a slash; a space that is no Dict is called "image" or
    "vector".

    Args:
        space: of an environment.

    Raises:
        ConfigError: for a space that has no place in a spec, naming key and space.
    """

    def __init__(self, space: gym.Space) -> None:
        self._senses: dict[str, Sense] = {}
        for key, part in _flat(space):
            sense = make_sense(key, part)
            name = key or ("image" if sense.spec.is_image else "vector")
            if name in RESERVED:
                raise ConfigError(f"observation '{name}': this name is taken by the transition")
            self._senses[name] = sense

    @property
    def spec(self) -> dict[str, Spec]:
        """Spec of each key."""
        return {key: sense.spec for key, sense in self._senses.items()}

    def __call__(self, observation: Any) -> dict[str, np.ndarray]:
        """One array per key.

        Raises:
            ValueError: for a number that is not finite, naming the key.
        """
        values = _flatten(observation)
        if "" in values:
            values = dict.fromkeys(self._senses, values[""])
        return {key: _finite(key, sense(values[key])) for key, sense in self._senses.items()}


def _flat(space: gym.Space, prefix: str = "") -> Iterator[tuple[str, gym.Space]]:
    if not isinstance(space, gym.spaces.Dict):
        yield prefix, space
        return
    for key, part in space.spaces.items():
        yield from _flat(part, f"{prefix}/{key}" if prefix else key)


def _flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, part in value.items():
        found |= _flatten(part, f"{prefix}/{key}" if prefix else key)
    return found


def _finite(key: str, value: np.ndarray) -> np.ndarray:
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError(f"observation '{key}' is not finite: {value}")
    return value


def make_sense(key: str, space: gym.Space) -> Sense:
    """The way in which values of a space are seen.

    Raises:
        ConfigError: for a space that has no place in a spec.
    """
    if isinstance(space, CHOICES):
        return ChoiceSense(space)
    if not isinstance(space, gym.spaces.Box):
        allowed = "Box, Discrete, MultiDiscrete, MultiBinary and Dicts of these"
        raise ConfigError(f"observation '{key}': is a {type(space).__name__}; allowed is {allowed}")
    if _is_picture(space):
        return PictureSense(space)
    return VectorSense(space)


def _is_picture(space: gym.spaces.Box) -> bool:
    """Bytes with rows and columns, or numbers with many of both and one channel: depth."""
    if space.dtype == np.uint8:
        return len(space.shape) == 2 or (len(space.shape) == 3 and space.shape[-1] <= MOST_CHANNELS)
    is_flat = len(space.shape) == 2 or (len(space.shape) == 3 and space.shape[-1] == 1)
    return is_flat and min(space.shape[:2]) >= SIZE // 4


class ChoiceSense:
    """Choices as zeros and ones, one after the other."""

    def __init__(self, space: gym.Space) -> None:
        self._space = space
        self.spec = box(0.0, 1.0, (gym.spaces.flatdim(space),), scale=1.0)

    def __call__(self, value: Any) -> np.ndarray:
        """(n,) float32."""
        return np.asarray(gym.spaces.flatten(self._space, value), np.float32)


class VectorSense:
    """Numbers in one row, clipped to their bounds; those name centre and scale where they are."""

    def __init__(self, space: gym.spaces.Box) -> None:
        low = space.low.reshape(-1).astype(np.float32)
        high = space.high.reshape(-1).astype(np.float32)
        bounded = (np.abs(low) < WIDE) & (np.abs(high) < WIDE) & (high > low)
        with np.errstate(over="ignore", invalid="ignore"):
            centre = np.where(bounded, (high + low) / 2, 0).astype(np.float32)
            scale = np.where(bounded, (high - low) / 2, 1).astype(np.float32)
        self._low, self._high = low, high
        self.spec = Spec(gym.spaces.Box(low, high, None, np.float32), centre=centre, scale=scale)

    def __call__(self, value: Any) -> np.ndarray:
        """(n,) float32."""
        row = np.asarray(value, np.float32).reshape(-1)
        return np.clip(row, self._low, self._high)


class PictureSense:
    """Pictures of bytes, and depths scaled from their bounds to bytes; 64 x 64 where they differ.

    Raises:
        ConfigError: for depths without bounds.
    """

    def __init__(self, space: gym.spaces.Box) -> None:
        self._low, self._high = float(space.low.min()), float(space.high.max())
        self._is_bytes = space.dtype == np.uint8
        if not self._is_bytes and not (-WIDE < self._low < self._high < WIDE):
            raise ConfigError(f"depth {space}: needs finite bounds, to be written in bytes")
        self.spec = image(SIZE, SIZE, space.shape[2] if len(space.shape) == 3 else 1)

    def __call__(self, value: Any) -> np.ndarray:
        """(64, 64, C) bytes."""
        picture = np.asarray(value)
        if not self._is_bytes:
            share = (np.clip(picture, self._low, self._high) - self._low) / (self._high - self._low)
            picture = np.rint(255 * share).astype(np.uint8)
        if picture.shape[:2] != (SIZE, SIZE):
            picture = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        return picture.reshape(self.spec.shape)


class WithPicture(gym.ObservationWrapper[dict[str, Any], Any, Any]):
    """Shows a drawing of the scene beside what an environment shows, as `image`.

    Args:
        environment: that draws itself, with the render mode "rgb_array".

    Raises:
        ConfigError: when it shows an `image` already.
    """

    def __init__(self, environment: gym.Env) -> None:
        super().__init__(environment)
        space = environment.observation_space
        self._parts = dict(space.spaces) if isinstance(space, gym.spaces.Dict) else None
        parts = {"vector": space} if self._parts is None else self._parts
        if "image" in parts:
            raise ConfigError("picture: the environment shows an image already")
        drawing = gym.spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8)
        self.observation_space = gym.spaces.Dict({**parts, "image": drawing})

    def observation(self, observation: Any) -> dict[str, Any]:
        """What was shown, and a drawing (64, 64, 3)."""
        drawn = np.asarray(self.env.render())
        if drawn.shape[:2] != (SIZE, SIZE):
            drawn = cv2.resize(drawn, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        shown = {"vector": observation} if self._parts is None else observation
        return {**shown, "image": drawn}
