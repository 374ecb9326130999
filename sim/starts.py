"""How an episode of a twin may begin: poses from which the engines let the robot settle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from robot.config import RobotConfig

DROP_M = 0.3
STILL = 0.05  # rad/s and m/s
SETTLE_TICKS = 100  # a robot in the air is still for its first ticks
PUSH_S = 0.1
UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])
ON_BACK = np.array([0.0, 1.0, 0.0, 0.0])  # half a turn about x


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a start puts the robot before time runs.

    Args:
        quaternion: (4,) wxyz of a base that floats.
        joint_pos: (J,) rad or m.
        clearance_m: height of its lowest point above the floor.
        settle_s: longest time to lie limp until still; 0 keeps the pose as it is.
    """

    quaternion: np.ndarray
    joint_pos: np.ndarray
    clearance_m: float
    settle_s: float


def placements(config: RobotConfig, start: str, seed: int) -> Iterator[Placement]:
    """Candidates for a start; the engine takes the first in which the robot does not cut itself.

    A random fall is a random orientation (uniform over rotations) and random joint angles (uniform
    in their limits), dropped limp from 0.3 m, in the manner of DayDreamer's fall recovery. A
    random start is random joint positions alone.

    Raises:
        ValueError: for an unknown start, naming those that exist.
    """
    known = config.twin.starts
    if start not in known:
        raise ValueError(f"unknown start '{start}'; there are {', '.join(known)}")
    return STARTS[start](config, np.random.default_rng(seed))


def pose(config: RobotConfig, name: Literal["stand", "fold", "home"]) -> np.ndarray:
    """(J,) rad or m, a named pose of the configuration in the order of its joints."""
    return np.array([config.poses[name][joint] for joint in config.joints])


def checked_state(config: RobotConfig, state: np.ndarray) -> np.ndarray:
    """A copy of a twin's state: base position (3), quaternion wxyz (4), joint positions (J).

    Raises:
        ValueError: for another shape.
    """
    expected = (7 + len(config.joints),)
    if np.shape(state) != expected:
        raise ValueError(f"state: got shape {np.shape(state)}; allowed is {expected}")
    return np.array(state, dtype=float)


def _anywhere(config: RobotConfig, rng: np.random.Generator) -> np.ndarray:
    """(J,) uniform between the joints' stops."""
    lower = np.array([joint.lower for joint in config.joints.values()])
    upper = np.array([joint.upper for joint in config.joints.values()])
    return rng.uniform(lower, upper)


def _falls(config: RobotConfig, rng: np.random.Generator) -> Iterator[Placement]:
    while True:
        quaternion = rng.standard_normal(4)
        quaternion /= np.linalg.norm(quaternion)
        yield Placement(quaternion, _anywhere(config, rng), DROP_M, 3.0)


def _standing(config: RobotConfig, rng: np.random.Generator) -> Iterator[Placement]:
    yield Placement(UPRIGHT, pose(config, "stand"), 0.0, 0.0)


def _folded(config: RobotConfig, rng: np.random.Generator) -> Iterator[Placement]:
    yield Placement(UPRIGHT, pose(config, "fold"), 0.001, 1.0)


def _on_back(config: RobotConfig, rng: np.random.Generator) -> Iterator[Placement]:
    yield Placement(ON_BACK, pose(config, "fold"), 0.001, 3.0)


def _home(config: RobotConfig, rng: np.random.Generator) -> Iterator[Placement]:
    yield Placement(UPRIGHT, pose(config, "home"), 0.0, 0.0)


def _random(config: RobotConfig, rng: np.random.Generator) -> Iterator[Placement]:
    yield Placement(UPRIGHT, _anywhere(config, rng), 0.0, 0.0)


STARTS: dict[str, Callable[[RobotConfig, np.random.Generator], Iterator[Placement]]] = {
    "standing": _standing,
    "folded": _folded,
    "on_back": _on_back,
    "random_fall": _falls,
    "home": _home,
    "random": _random,
}
