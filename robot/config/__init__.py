"""The strict configuration of one robot: every hardware number, checked before anything moves."""

from robot.config.joints import Joint, JointConfig, Leg, Prismatic, Revolute, Unit
from robot.config.log import LogConfig
from robot.config.reading import ConfigError, Strict, apply_change, check_config
from robot.config.robot import (
    CameraConfig,
    Control,
    Filter,
    Hardware,
    RobotConfig,
    Safety,
    Scheduling,
    load_config,
)
from robot.config.tasks import PickPlaceTask, ReachTask, WalkTask
from robot.config.twins import LeggedTwin, Link, RailTwin, Start, TwinConfig, Vector3

__all__ = [
    "CameraConfig",
    "ConfigError",
    "Control",
    "Filter",
    "Hardware",
    "Joint",
    "JointConfig",
    "Leg",
    "LeggedTwin",
    "Link",
    "LogConfig",
    "PickPlaceTask",
    "Prismatic",
    "RailTwin",
    "ReachTask",
    "Revolute",
    "RobotConfig",
    "Safety",
    "Scheduling",
    "Start",
    "Strict",
    "TwinConfig",
    "Unit",
    "Vector3",
    "WalkTask",
    "apply_change",
    "check_config",
    "load_config",
]
