"""An episode on its way into a log, and what all episodes of a recording look like."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from robot.wire.spec import OneHot, RobotSpec, Spec

FLAT = 1e-6  # a smaller deviation is that of a number which never changes


@dataclass(frozen=True)
class Episode:
    """Steps of one episode.

    Args:
        run: which stream it belongs to.
        observation: (T, ...) float32, or bytes of pictures, by key.
        action: (T, A) float32, chosen after each observation.
        reward: (T,) float32 that came with each observation.
        valid: (T,) whether a step may be learnt from.
        tick_ns: (T,) time of each step.
        sensed_ns: (T,) time of the latest reading in each.
        is_terminal: whether the end was failure or success, and not only the end of time.
    """

    run: str
    observation: dict[str, np.ndarray]
    action: np.ndarray
    reward: np.ndarray
    valid: np.ndarray
    tick_ns: np.ndarray
    sensed_ns: np.ndarray
    is_terminal: bool = False

    def __len__(self) -> int:
        return len(self.action)


def measured_spec(unit: str, frame: str, values: np.ndarray) -> Spec:
    """Spec of a vector without known bounds: centre and scale are its mean and deviation (N, K)."""
    mean = values.mean(0, dtype=np.float64)
    deviation = values.std(0, dtype=np.float64)
    scale = np.where(deviation > FLAT, deviation, 1.0)
    space = gym.spaces.Box(-np.inf, np.inf, mean.shape, np.float32)
    return Spec(space, unit, frame, mean.astype(np.float32), scale.astype(np.float32))


def describe(spec: RobotSpec) -> str:
    """A spec as text, for the log's own account of itself."""
    data = {
        "observation": {key: _as_data(value) for key, value in spec.observation.items()},
        "action": _as_data(spec.action),
        "control_hz": spec.control_hz,
    }
    return json.dumps(data)


def described(text: str) -> RobotSpec:
    """The spec that `describe` wrote, or a run's log says, without mirror.

    A run's log does not tell bounds; then there are none.

    Raises:
        ValueError, KeyError: when the text holds none.
    """
    data = json.loads(text)
    seen = {key: _from_data(value) for key, value in data["observation"].items()}
    return RobotSpec(seen, _from_data(data["action"]), float(data["control_hz"]))


def _as_data(spec: Spec) -> dict[str, Any]:
    bounds = {}
    if isinstance(spec.space, gym.spaces.Box) and not spec.is_image:
        ends = (spec.space.low, spec.space.high)
        bounds = {name: _bound(end) for name, end in zip(("low", "high"), ends, strict=True)}
    said = {**spec.describe(), **bounds, "choice": spec.is_discrete}
    return {key: value for key, value in said.items() if key != "space"}


def _bound(end: np.ndarray) -> list[float] | None:
    return end.tolist() if np.isfinite(end).all() else None


def _from_data(data: Mapping[str, Any]) -> Spec:
    shape = tuple(data["shape"])
    centre, scale = (np.array(data[key], np.float32) for key in ("centre", "scale"))
    if data["choice"] if "choice" in data else data["space"].startswith("OneHot"):
        return Spec(OneHot(shape[0]))
    if data["dtype"] == "uint8":
        return Spec(gym.spaces.Box(0, 255, shape, np.uint8), data["unit"], data["frame"])
    low, high = (_end(data.get(key), sign, shape) for key, sign in (("low", -1), ("high", 1)))
    return Spec(
        gym.spaces.Box(low, high, shape, np.float32), data["unit"], data["frame"], centre, scale
    )


def _end(numbers: Sequence[float] | None, sign: int, shape: tuple[int, ...]) -> np.ndarray:
    if numbers is None:
        return np.full(shape, sign * np.inf, np.float32)
    return np.array(numbers, np.float32)
