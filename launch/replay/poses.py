"""The pose of a robot as its own sensors tell it, for drawing: they do not tell where it is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from robot.config import RobotConfig
from robot.tasks.kinematics import Legs

LEAST_M = 0.06  # half a trunk: the lowest that its middle can lie
FOOT_M = 0.02


def posed(config: RobotConfig, seen: Mapping[str, np.ndarray]) -> np.ndarray:
    """State of a twin, (7 + J,): position, quaternion wxyz, joints; see `sim.starts.checked_state`.

    A robot with legs stands over the origin on the lowest of its feet, looking along x.

    Args:
        config: of the robot.
        seen: observation; `joint_pos`, and `gravity` of a robot that feels it.
    """
    joints = np.asarray(seen["joint_pos"], float)
    if not config.legs or "gravity" not in seen:
        return np.array([0, 0, 0, 1, 0, 0, 0, *joints], float)
    up = np.asarray(seen["gravity"], float)
    up = up / max(1e-6, float(np.linalg.norm(up)))  # a model may imagine another length
    points, _ = Legs(config).contacts(joints, np.zeros_like(joints), up)
    height_m = max(LEAST_M, FOOT_M - float((points @ up).min()))
    return np.array([0, 0, height_m, *upright(up), *joints], float)


def upright(up: np.ndarray) -> np.ndarray:
    """(4,) wxyz, the shortest rotation that brings this direction (3,) of the body up."""
    turn = np.array([1 + up[2], up[1], -up[0], 0.0])
    length = np.linalg.norm(turn)
    return turn / length if length > 1e-6 else np.array([0.0, 1.0, 0.0, 0.0])
