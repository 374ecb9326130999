"""One description of a machine for every engine; every number comes from its configuration."""

from __future__ import annotations

from robot.config import LeggedTwin, RobotConfig
from sim.anatomy import Anatomy
from sim.quadruped import quadruped
from sim.rail import rail


def describe(config: RobotConfig) -> Anatomy:
    """What engines must know of the machine that the configuration simulates."""
    twin = config.twin
    return quadruped(config, twin) if isinstance(twin, LeggedTwin) else rail(config, twin)
