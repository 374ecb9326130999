"""Where a MuJoCo robot's base is and how it moves: freely, or not at all."""

# MuJoCo's names come from a native module that ships without type stubs.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Protocol

import mujoco
import numpy as np

from robot.config import Vector3
from sim.anatomy import Anatomy

GRAVITY_M_S2 = 9.81
# What a level base at rest would feel: quaternion, gyro, accelerometer. Raw rows end with it.
LEVEL = np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, GRAVITY_M_S2])
UPRIGHT = LEVEL[:4]


class Base(Protocol):
    """The root link of a robot in a MuJoCo model."""

    def felt(self, model: mujoco.MjModel) -> np.ndarray:
        """(10,) places of quaternion, gyro, accelerometer in (qpos, qvel, sensordata, LEVEL)."""
        ...

    def put(self, data: mujoco.MjData, pose: np.ndarray) -> None:
        """Place it: (7,) position in m and quaternion wxyz."""
        ...

    def pose(self, data: mujoco.MjData) -> np.ndarray:
        """Where it is: (7,) position in m and quaternion wxyz."""
        ...

    def velocity(self, data: mujoco.MjData) -> np.ndarray:
        """How fast its origin moves, (3,) m/s, world frame."""
        ...


class FreeBase:
    """A base that moves freely; its joint is the model's first."""

    def felt(self, model: mujoco.MjModel) -> np.ndarray:
        """(10,) places of quaternion, gyro and accelerometer."""
        felt = model.nq + model.nv + model.sensor("accelerometer").adr[0]
        return np.concatenate((np.arange(3, 7), model.nq + np.arange(3, 6), felt + np.arange(3)))

    def put(self, data: mujoco.MjData, pose: np.ndarray) -> None:
        """Place it."""
        data.qpos[:7] = pose

    def pose(self, data: mujoco.MjData) -> np.ndarray:
        """Where it is."""
        return data.qpos[:7].copy()

    def velocity(self, data: mujoco.MjData) -> np.ndarray:
        """How fast its origin moves."""
        return data.qvel[:3].copy()


class BoltedBase:
    """A base that nothing moves."""

    def __init__(self, at_m: Vector3) -> None:
        self._pose = np.array([*at_m, *UPRIGHT])

    def felt(self, model: mujoco.MjModel) -> np.ndarray:
        """(10,) places of LEVEL."""
        return model.nq + model.nv + model.nsensordata + np.arange(len(LEVEL))

    def put(self, data: mujoco.MjData, pose: np.ndarray) -> None:
        """Leave it where it is."""

    def pose(self, data: mujoco.MjData) -> np.ndarray:
        """Where it is."""
        return self._pose.copy()

    def velocity(self, data: mujoco.MjData) -> np.ndarray:
        """Nothing."""
        return np.zeros(3)


def base_of(anatomy: Anatomy) -> Base:
    """The base of a machine."""
    return FreeBase() if anatomy.bolted_at_m is None else BoltedBase(anatomy.bolted_at_m)
