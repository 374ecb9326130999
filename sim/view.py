"""Where the twins' cameras stand: the same two views in every engine."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin, tan
from typing import Protocol

import numpy as np

from robot.config import RobotConfig
from robot.tasks.kinematics import rotation_matrix

FRONT_TILT_RAD = pi / 12
FRONT_FOV_DEG = 80.0
CHASE_FOV_DEG = 45.0
CHASE_FROM_M = np.array([-0.75, -0.9, 0.55])  # behind, to the right, above; world frame
MOUNTS = ("front", "chase")


@dataclass(frozen=True, slots=True)
class View:
    """One camera in the world frame: (3,) eye, (3,) unit forward, (3,) unit up, vertical field."""

    eye: np.ndarray
    forward: np.ndarray
    up: np.ndarray
    field_deg: float

    def half_height(self, distance: float) -> float:
        """Half of the height that the picture spans at `distance` from the eye."""
        return distance * tan(np.radians(self.field_deg) / 2)


class Painter(Protocol):
    """Draws a robot from its state: trunk position (3), quaternion wxyz (4), joint angles (J)."""

    def paint(self, state: np.ndarray, view: View, height: int, width: int) -> np.ndarray:
        """(H, W, 3) RGB bytes."""
        ...

    def close(self) -> None:
        """Release what drawing needs; safe to call twice."""
        ...


def view_of(config: RobotConfig, camera: str, state: np.ndarray) -> View:
    """Place a camera: "front" looks ahead from the trunk, "chase" keeps beside the robot.

    Raises:
        ValueError: for another camera, naming those that exist.
    """
    if camera == "front":
        return _front(config, state)
    if camera == "chase":
        target = np.array([state[0], state[1], 0.15])
        return _look(target + CHASE_FROM_M, -CHASE_FROM_M, CHASE_FOV_DEG)
    raise ValueError(f"unknown camera '{camera}'; there are {', '.join(MOUNTS)}")


def _front(config: RobotConfig, state: np.ndarray) -> View:
    turn = rotation_matrix(state[3:7])
    hips = max(leg.hip_m[0] for leg in config.legs.values())
    ahead = (
        hips + config.twin.links["hip"].size_m[0] + 0.01
    )  # the front hips stay out of the picture
    tilt = FRONT_TILT_RAD
    forward, up = np.array([cos(tilt), 0, -sin(tilt)]), np.array([sin(tilt), 0, cos(tilt)])
    eye = state[:3] + turn @ np.array([ahead, 0.0, 0.02])
    return View(eye, turn @ forward, turn @ up, FRONT_FOV_DEG)


def _look(eye: np.ndarray, direction: np.ndarray, field_deg: float) -> View:
    forward = direction / np.linalg.norm(direction)
    side = np.cross(forward, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    return View(eye, forward, np.cross(side, forward), field_deg)
