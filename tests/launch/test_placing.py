"""The yardstick of pick and place: what is counted per minute, and what passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from launch.judging import make_judge
from launch.placing import Placing
from launch.run_folder import Plan
from launch.train import make_plan
from launch.trial import Episode, Trial
from launch.yardsticks import yardstick_of
from robot.config import ConfigError
from robot.tasks.pick_place import terms

ARM = (
    "joints.yaw={lower_rad: -1.2, upper_rad: 1.2, velocity_rad_s: 9, torque_nm: 9, kp: 9, kd: 1}",
    "joints.jaw={lower_rad: 0, upper_rad: 1, velocity_rad_s: 9, torque_nm: 5, kp: 9, kd: 1}",
    *(f"poses.{pose}.{joint}=0" for pose in ("stand", "fold") for joint in ("yaw", "jaw")),
    "task={name: pick_place, gripper: jaw, across: yaw, bins: {a: [-1, -0.4], b: [0.4, 1]}}",
)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(
        Path("hardware_configs/a1.yaml"), "mujoco", "lockstep", "reverie", "cpu", 0, ARM
    )


def episode(*rewards: float, steps: int = 400) -> Episode:
    """20 s at 20 Hz, in which these rewards were earned first."""
    told = [terms(reward) for reward in (*rewards, *[0.0] * (steps - len(rewards)))]
    by_name = {key: np.array([one[key] for one in told]) for key in told[0]}
    nothing = np.zeros((steps, 7))
    return Episode(0, by_name, nothing, nothing[:, 0] == 0, "active", None)  # type: ignore[arg-type]


def test_objects_are_counted_per_minute(plan: Plan) -> None:
    yardstick = yardstick_of(plan, Trial())
    assert isinstance(yardstick, Placing)
    lived = [episode(1, 10, 1, -1), episode(1), episode(1, 10)]  # a minute in all
    assert yardstick.figures(lived) == {
        "placed_per_minute": 2,
        "grasped_per_minute": 4,
        "dropped_per_minute": 1,
    }
    assert not yardstick.gate(lived)[0].passes
    assert yardstick.gate([episode(1, 10, 1, 10)])[0].passes
    assert yardstick.target(lived)[0] == pytest.approx(2.5 * 11 / 1200)
    assert yardstick.caption(lived[0], 3) == ["reward -1", "placed 1   grasped 2   dropped 1"]


def test_its_reward_is_not_told_from_single_steps(plan: Plan) -> None:
    with pytest.raises(
        ConfigError, match="task.name pick_place: its reward cannot be told from single"
    ):
        make_judge(plan)
