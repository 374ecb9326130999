"""Where the feet are and how fast they move against the trunk: kinematics of all legs at once."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from robot.config import RobotConfig


class Legs:
    """Three-joint legs (abduction about x, then two joints about y), vectorised over F legs.

    All results are in the trunk's frame: x forward, y left, z up, metres. Feet are balls: the point
    that touches the floor is one radius below the ball's centre, in the world's direction, and
    moves over the ball as the calf turns.
    """

    def __init__(self, config: RobotConfig) -> None:
        names, legs = list(config.joints), list(config.legs.values())
        self.index = np.array([[names.index(j) for j in leg.joints] for leg in legs])  # (F, 3)
        self._hip = np.array([leg.hip_m for leg in legs])
        self._abduction = np.array([leg.abduction_m for leg in legs])
        self._thigh = np.array([leg.thigh_m for leg in legs])
        self._calf = np.array([leg.calf_m for leg in legs])
        self._radius = np.array([leg.foot_radius_m for leg in legs])

    def feet(self, joint_pos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Centres of the feet (F, 3), and their Jacobians (F, 3, 3) by the leg's own joints.

        Args:
            joint_pos: (J,) rad, in the order of the configuration.
        """
        q = joint_pos[self.index].T
        s, c = np.sin(q), np.cos(q)
        s_knee, c_knee = np.sin(q[1] + q[2]), np.cos(q[1] + q[2])
        x_calf, z_calf = -self._calf * s_knee, -self._calf * c_knee
        x = x_calf - self._thigh * s[1]
        down = z_calf - self._thigh * c[1]  # along the leg's own z, before the abduction turns it
        y = self._abduction * c[0] - down * s[0]
        z = self._abduction * s[0] + down * c[0]
        points = np.stack((x, y, z), axis=1)
        jacobian = np.zeros((*points.shape, 3))
        jacobian[:, 1, 0], jacobian[:, 2, 0] = -z, y
        jacobian[:, 0, 1], jacobian[:, 0, 2] = down, z_calf
        jacobian[:, 1, 1], jacobian[:, 1, 2] = x * s[0], x_calf * s[0]
        jacobian[:, 2, 1], jacobian[:, 2, 2] = -x * c[0], -x_calf * c[0]
        return points + self._hip, jacobian

    def clearance(self, joint_pos: np.ndarray, up: np.ndarray) -> float:
        """Height in m of a knee over the foot of its leg, of the leg where it is least.

        Args:
            joint_pos: (J,) rad.
            up: (3,) the world's up direction in the trunk's frame.
        """
        q = joint_pos[self.index].T
        pitch = q[1] + q[2]
        down = np.cos(pitch)
        calf = np.stack((np.sin(pitch), -down * np.sin(q[0]), down * np.cos(q[0])), axis=1)
        return float((self._calf * (calf @ up)).min())

    def contacts(
        self, joint_pos: np.ndarray, joint_vel: np.ndarray, up: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lowest points of the feet (F, 3) in m, and their velocities against the trunk in m/s.

        A ball rolls: the velocity is that of the calf's material at the lowest point, which is what
        stands still on a floor that grips. At 5 rad/s and 2 cm, forgetting it costs 0.1 m/s.

        Args:
            joint_pos: (J,) rad.
            joint_vel: (J,) rad/s.
            up: (3,) the world's up direction in the trunk's frame.
        """
        points, jacobian = self.feet(joint_pos)
        rates = joint_vel[self.index]
        velocity = np.matmul(jacobian, rates[..., None])[..., 0]
        abduction, pitch = rates[:, 0], rates[:, 1] + rates[:, 2]
        angle = joint_pos[self.index[:, 0]]
        spin_y, spin_z = pitch * np.cos(angle), pitch * np.sin(angle)  # calf turns with these
        ux, uy, uz = up.tolist()
        velocity[:, 0] -= self._radius * (spin_y * uz - spin_z * uy)
        velocity[:, 1] -= self._radius * (spin_z * ux - abduction * uz)
        velocity[:, 2] -= self._radius * (abduction * uy - spin_y * ux)
        return points - self._radius[:, None] * up, velocity


def rotation_matrix(quaternion: np.ndarray) -> np.ndarray:
    """Turn a wxyz quaternion of any length but 0 into the (3, 3) rotation from body to world."""
    w, x, y, z = quaternion.tolist()
    norm = sqrt(w * w + x * x + y * y + z * z) or 1.0
    w, x, y, z = w / norm, x / norm, y / norm, z / norm
    return np.array(
        (
            (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        )
    )


def height(points: np.ndarray, touching: np.ndarray, up: Sequence[float] | np.ndarray) -> float:
    """Height in m of the trunk's origin over a flat floor, told by the feet that touch it.

    While no foot touches, the lowest foot is taken to be about to; a robot on its back, whose feet
    are all above it, is at 0.

    Args:
        points: (F, 3) lowest points of the feet, trunk's frame.
        touching: (F,) bool.
        up: (3,) the world's up direction in the trunk's frame.
    """
    below = -(points @ np.asarray(up))
    told = below[touching].mean() if touching.any() else below.max()
    return max(0.0, float(told))
