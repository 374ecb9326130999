"""Judges: a task's reward told from what was observed and logged; nothing is lived again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from launch.environments import AnyPlan, EnvironmentPlan, make_environment
from learner.train.relabel import Judge
from robot.config import ConfigError, PickPlaceTask, ReachTask, RobotConfig, WalkTask
from robot.tasks.kinematics import Legs, height
from robot.tasks.reach import nearness
from robot.tasks.walk import Posture, Published, Reward, Stance, WalkUpright
from robot.wire.transition import Transition
from sim.mazes import Maze


def make_judge(plan: AnyPlan) -> Judge:
    """The judge of the task that a plan names.

    Raises:
        ConfigError: for a task whose reward cannot be told from observations, naming those whose
            can.
    """
    if isinstance(plan, EnvironmentPlan):
        return _environment_judge(plan)
    task = plan.robot.task
    if isinstance(task, PickPlaceTask):
        raise ConfigError(
            "task.name pick_place: its reward cannot be told from single steps; "
            "that of walk and reach can"
        )
    return (
        WalkJudge(plan.robot, task) if isinstance(task, WalkTask) else ReachJudge(plan.robot, task)
    )


def _environment_judge(plan: EnvironmentPlan) -> Judge:
    name = plan.environment.name
    if name not in ENVIRONMENTS:
        raise ConfigError(
            f"{name}: its reward cannot be told from observations; "
            f"that of {', '.join(ENVIRONMENTS)} can"
        )
    return ENVIRONMENTS[name](plan)


class WalkJudge:
    """Tells the rewards of the walk task from one observation.

    What the task averages over its last readings, it takes as observed: velocity exactly, for that
    is an average itself; height and turning of this one moment.

    Args:
        config: of the robot, with the task that is judged.
        task: the same task.
    """

    def __init__(self, config: RobotConfig, task: WalkTask) -> None:
        rewards: dict[str, Reward] = {
            "published": Published(task.target_velocity_m_s),
            "walk_upright": WalkUpright(task.target_velocity_m_s, task.stand_height_m),
        }
        self._reward, self._contact_n = rewards[task.reward], task.contact_force_n
        self._posture, self._legs = Posture(config), Legs(config)

    def __call__(self, step: Transition) -> float:
        """Reward of arriving in this step."""
        seen = {key: np.asarray(value, float) for key, value in step.arrays.items()}
        up, velocity = seen["gravity"], seen["velocity"]
        points, _ = self._legs.contacts(seen["joint_pos"], seen["joint_vel"], up)
        hip, shoulder, knee = self._posture.nearness(seen["joint_pos"])
        stance = Stance(
            up=float(up[2]),
            hip=hip,
            shoulder=shoulder,
            knee=knee,
            height_m=height(points, seen["foot_force"] > self._contact_n, up),
            # Along the trunk's forward axis, less what of that points up.
            forward_m_s=float(velocity[0] - up[0] * (up @ velocity)),
            speed_m_s=float(np.linalg.norm(velocity)),
            clearance_m=self._legs.clearance(seen["joint_pos"], up),
            turn_rad_s=float(up @ seen["gyro"]),
        )
        return self._reward.score(stance).total


class ReachJudge:
    """Tells the reward of the reach task from joints and target, as they were observed.

    Args:
        config: of the robot, with the task that is judged.
        task: the same task.
    """

    def __init__(self, config: RobotConfig, task: ReachTask) -> None:
        ranges = np.array([joint.action_range for joint in config.joints.values()])
        self._span, self._margin = ranges[:, 1] - ranges[:, 0], task.margin

    def __call__(self, step: Transition) -> float:
        """Reward of arriving in this step."""
        away = np.abs(step.arrays["joint_pos"].astype(float) - step.arrays["target"])
        return nearness(away / self._span, self._margin)


class MazeJudge:
    """Tells the reward of the maze of rooms from where the point is.

    Args:
        plan: of the run, whose maze names a goal.

    Raises:
        ConfigError: for actions that last more than a step, whose rewards in between are not seen.
    """

    def __init__(self, plan: EnvironmentPlan) -> None:
        if plan.environment.action_repeat != 1:
            raise ConfigError(f"env.action_repeat {plan.environment.action_repeat}: allowed is 1")
        maze = make_environment(plan.environment).unwrapped
        assert isinstance(maze, Maze)
        self.maze = maze

    def __call__(self, step: Transition) -> float:
        """Reward of arriving in this step; an episode's start was not arrived in."""
        if step.arrays["is_first"]:
            return 0.0
        return float(self.maze.room(step.arrays["vector"][:2]) == self.maze.goal)


ENVIRONMENTS: Mapping[str, Callable[[EnvironmentPlan], Judge]] = {
    "gym:reverie/Maze-v0": MazeJudge,
}
