"""Reward, episode rules and state estimates, computed from sensors alone."""

from robot.config import RobotConfig
from robot.tasks.interface import Task
from robot.tasks.walk import walk


def make_task(config: RobotConfig) -> Task:
    """Build the task that the configuration names, with estimates as before the first reading."""
    return {"walk": walk}[config.task.name](config)
