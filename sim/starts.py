"""How an episode of a twin may begin: poses from which the engines let the robot settle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from robot.config import RobotConfig, Start

STARTS: tuple[str, ...] = get_args(Start)
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
        quaternion: (4,) wxyz of the trunk.
        joint_pos: (J,) rad.
        clearance_m: height of the lowest point above the floor.
        settle_s: longest time to lie limp until still; 0 keeps the pose as it is.
    """

    quaternion: np.ndarray
    joint_pos: np.ndarray
    clearance_m: float
    settle_s: float


def placements(config: RobotConfig, start: str, seed: int) -> Iterator[Placement]:
    """Candidates for a start; the engine takes the first in which the robot does not cut itself.

    A random fall is a random orientation (uniform over rotations) and random joint angles (uniform
    in their limits), dropped limp from 0.3 m, in the manner of DayDreamer's fall recovery.

    Raises:
        ValueError: for an unknown start, naming those that exist.
    """
    if start not in STARTS:
        raise ValueError(f"unknown start '{start}'; there are {', '.join(STARTS)}")
    if start == "random_fall":
        return _falls(config, np.random.default_rng(seed))
    stand, fold = pose(config, "stand"), pose(config, "fold")
    fixed = {
        "standing": Placement(UPRIGHT, stand, 0.0, 0.0),
        "folded": Placement(UPRIGHT, fold, 0.001, 1.0),
        "on_back": Placement(ON_BACK, fold, 0.001, 3.0),
    }
    return iter([fixed[start]])


def pose(config: RobotConfig, name: Literal["stand", "fold"]) -> np.ndarray:
    """(J,) rad, a named pose of the configuration in the order of its joints."""
    return np.array([config.poses[name][joint] for joint in config.joints])


def checked_state(config: RobotConfig, state: np.ndarray) -> np.ndarray:
    """A copy of a twin's state: trunk position (3), quaternion wxyz (4), joint angles (J).

    Raises:
        ValueError: for another shape.
    """
    expected = (7 + len(config.joints),)
    if np.shape(state) != expected:
        raise ValueError(f"state: got shape {np.shape(state)}; allowed is {expected}")
    return np.array(state, dtype=float)


def _falls(config: RobotConfig, rng: np.random.Generator) -> Iterator[Placement]:
    lower = np.array([joint.lower_rad for joint in config.joints.values()])
    upper = np.array([joint.upper_rad for joint in config.joints.values()])
    while True:
        quaternion = rng.standard_normal(4)
        quaternion /= np.linalg.norm(quaternion)
        yield Placement(quaternion, rng.uniform(lower, upper), DROP_M, 3.0)
