"""Reward, episode rules and state estimates, computed from sensors alone."""

from robot.config import PickPlaceTask, RobotConfig, WalkTask
from robot.tasks.interface import Task
from robot.tasks.pick_place import PickPlace
from robot.tasks.reach import Reach
from robot.tasks.walk import walk


def make_task(config: RobotConfig, seed: int = 0) -> Task:
    """Build the task that the configuration names, with estimates as before the first reading.

    Args:
        config: of the robot.
        seed: of what the task draws, such as targets.
    """
    task = config.task
    if isinstance(task, PickPlaceTask):
        return PickPlace(config, task)
    return walk(config) if isinstance(task, WalkTask) else Reach(config, task, seed)
