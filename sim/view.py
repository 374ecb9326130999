"""Where the twins' cameras stand: the same two views in every engine."""

from __future__ import annotations

from dataclasses import dataclass
from math import tan
from typing import Protocol

import numpy as np

from robot.tasks.kinematics import rotation_matrix
from sim.anatomy import Eye

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
    """Draws a robot from its state: base position (3), quaternion wxyz (4), joint positions (J)."""

    def paint(self, state: np.ndarray, view: View, height: int, width: int) -> np.ndarray:
        """(H, W, 3) RGB bytes."""
        ...

    def depth(self, state: np.ndarray, view: View, height: int, width: int) -> np.ndarray:
        """(H, W) float32 m along the view; what is beyond the painter's reach is there."""
        ...

    def close(self) -> None:
        """Release what drawing needs; safe to call twice."""
        ...


def view_of(eye: Eye, camera: str, state: np.ndarray) -> View:
    """Place a camera: "front" is the machine's own, "chase" keeps beside it.

    Raises:
        ValueError: for another camera, naming those that exist.
    """
    if camera == "front":
        return _front(eye, state)
    if camera == "chase":
        target = np.array([state[0], state[1], 0.15])
        return _look(target + CHASE_FROM_M, -CHASE_FROM_M, CHASE_FOV_DEG)
    raise ValueError(f"unknown camera '{camera}'; there are {', '.join(MOUNTS)}")


def _front(eye: Eye, state: np.ndarray) -> View:
    turn = rotation_matrix(state[3:7])
    place = state[:3] + turn @ eye.position
    return View(place, turn @ eye.forward, turn @ eye.up, eye.field_deg)


def _look(eye: np.ndarray, direction: np.ndarray, field_deg: float) -> View:
    forward = direction / np.linalg.norm(direction)
    side = np.cross(forward, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    return View(eye, forward, np.cross(side, forward), field_deg)
