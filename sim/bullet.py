"""A PyBullet world that holds one robot: loading, joint order, and the trunk's frame."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np

from robot.config import RobotConfig
from robot.config.extras import how_to_install
from sim.description import describe


def import_pybullet() -> ModuleType:
    """PyBullet, which only the twin of that name needs.

    Raises:
        ImportError: where it is missing, saying why and what to do.
    """
    try:
        import pybullet
    except ImportError as error:
        raise ImportError(
            "PyBullet is not installed: its wheels end with Python 3.11. Use Python 3.11, build it "
            f"({how_to_install('pybullet')}), or take the MuJoCo twin (--twin mujoco)"
        ) from error
    return pybullet


class Bullet:
    """One robot in a PyBullet world of its own, without a window and without physics yet.

    PyBullet speaks of the base's principal axes of inertia, this class of the base's frame.
    Quaternions are wxyz here and xyzw in PyBullet.

    Raises:
        ImportError: where PyBullet is not installed, saying what to do.
    """

    def __init__(self, config: RobotConfig) -> None:
        self.api = import_pybullet()
        self.config = config
        self.anatomy = describe(config)
        self.client = self.api.connect(self.api.DIRECT)
        self._open = True
        self.load()

    def load(self) -> None:
        """Empty the world and load the robot; nothing of what was before is left."""
        self.api.resetSimulation(physicsClientId=self.client)
        self.robot = self._load_robot()
        self.links, joints = self._numbers()
        self.joints = [joints[name] for name in self.config.joints]
        dynamics = self.api.getDynamicsInfo(self.robot, -1, physicsClientId=self.client)
        self.centre = dynamics[3], dynamics[4]  # of mass, with its axes, in the base's frame
        self._origin = self.api.invertTransform(*self.centre)

    def close(self) -> None:
        """Leave the world; safe to call twice."""
        if self._open:
            self.api.disconnect(physicsClientId=self.client)
            self._open = False

    def pose(self, position: np.ndarray, quaternion: np.ndarray, joint_pos: np.ndarray) -> None:
        """Place the robot at rest: (3,) m, (4,) wxyz of the base's frame, (J,) rad or m."""
        turn = np.roll(quaternion, -1).tolist()
        place = self.api.multiplyTransforms(list(position), turn, *self.centre)
        self.api.resetBasePositionAndOrientation(self.robot, *place, physicsClientId=self.client)
        self.api.resetBaseVelocity(self.robot, [0, 0, 0], [0, 0, 0], physicsClientId=self.client)
        for joint, angle in zip(self.joints, joint_pos, strict=True):
            self.api.resetJointState(
                self.robot, joint, float(angle), 0.0, physicsClientId=self.client
            )

    def base(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """(3,) m and (4,) wxyz of the base's frame."""
        place = self.api.getBasePositionAndOrientation(self.robot, physicsClientId=self.client)
        position, (x, y, z, w) = self.api.multiplyTransforms(*place, *self._origin)
        return position, (w, x, y, z)

    def _load_robot(self) -> int:
        flags, at_m = self.api.URDF_USE_INERTIA_FROM_FILE, self.anatomy.bolted_at_m
        if self.anatomy.self_collision:
            flags |= self.api.URDF_USE_SELF_COLLISION
            flags |= self.api.URDF_USE_SELF_COLLISION_EXCLUDE_PARENT
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{self.config.robot}.urdf"
            path.write_text(self.anatomy.urdf)
            return self.api.loadURDF(
                str(path),
                basePosition=at_m or (0.0, 0.0, 0.0),
                useFixedBase=at_m is not None,
                flags=flags,
                physicsClientId=self.client,
            )

    def _numbers(self) -> tuple[dict[str, int], dict[str, int]]:
        """Numbers of links and of joints by name; the base is link -1."""
        count = self.api.getNumJoints(self.robot, physicsClientId=self.client)
        info = [
            self.api.getJointInfo(self.robot, j, physicsClientId=self.client) for j in range(count)
        ]
        links = {entry[12].decode(): entry[0] for entry in info}
        return {self.anatomy.base: -1, **links}, {entry[1].decode(): entry[0] for entry in info}
