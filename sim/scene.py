"""Chooses the engine of a twin."""

from __future__ import annotations

from robot.body.interface import Twin
from robot.clock import Clock
from robot.config import RobotConfig

ENGINES = ("mujoco", "pybullet")


def make_twin(engine: str, config: RobotConfig, clock: Clock, seed: int = 0) -> Twin:
    """Build the robot's twin on an engine, "mujoco" or "pybullet", at its configured start.

    Raises:
        ValueError: for another engine, naming those that exist.
        ImportError: where the engine is not installed.
    """
    if engine == "mujoco":
        from sim.mujoco_body import MujocoBody

        return MujocoBody(config, clock, seed)
    if engine == "pybullet":
        from sim.pybullet_body import PybulletBody

        return PybulletBody(config, clock, seed)
    raise ValueError(f"unknown twin '{engine}'; there are {', '.join(ENGINES)}")
