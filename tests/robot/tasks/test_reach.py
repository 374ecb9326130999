"""The reach task: targets, reward, episodes, and its yardstick on the twin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from robot.clock import SteppedClock
from robot.config import load_config
from robot.policy.robot import Robot
from robot.tasks import make_task
from robot.tasks.reach import Reach, nearness, straight
from robot.wire.messages import Reading
from sim.lockstep import LockstepLink
from sim.mujoco_body import MujocoBody

YAML = "hardware_configs/point_mass.yaml"
CONFIG = load_config(YAML)
LOW, HIGH = CONFIG.joints["slider"].action_range

Policy = Callable[[float, np.ndarray, int], float]


def reading(position: float) -> Reading:
    level, one = np.array([1.0, 0, 0, 0]), np.zeros(1)
    rest = np.array([0, 0, 9.81])
    at = np.array([position])
    return Reading(1, level, np.zeros(3), rest, at, one, one, np.zeros(0), one + 25, 24.0)


def reach(seed: int = 0) -> Reach:
    task = make_task(CONFIG, seed)
    assert isinstance(task, Reach)
    return task


def targets(seed: int, count: int = 5) -> list[float]:
    task = reach(seed)
    drawn = []
    for _ in range(count):
        task.begin()
        drawn.append(float(task.target[0]))
    return drawn


def test_each_episode_has_a_target_of_its_own_within_reach_of_the_actions() -> None:
    drawn = targets(0, 300)
    assert (min(drawn), max(drawn)) == (pytest.approx(LOW, abs=0.02), pytest.approx(HIGH, abs=0.02))
    assert LOW <= min(drawn) and max(drawn) <= HIGH
    assert np.std(drawn) == pytest.approx(0.9 / 12**0.5, rel=0.1)  # uniform over 0.9 m


def test_equal_seeds_draw_equal_targets() -> None:
    assert targets(3) == targets(3)
    assert targets(3) != targets(4)


def test_a_target_is_not_where_a_twin_of_the_same_seed_starts() -> None:
    for seed in range(5):
        twin = MujocoBody(load_config(YAML, ["twin.start=random"]), SteppedClock(), seed)
        share = (twin.read().joint_pos[0] + 0.5) / 1.0
        drawn = (targets(seed, 1)[0] - LOW) / (HIGH - LOW)
        assert abs(share - drawn) > 1e-3


@pytest.mark.parametrize(
    ("away_m", "reward"), [(0.0, 1.0), (0.045, 0.8), (-0.1125, 0.5), (0.225, 0.0), (-0.4, 0.0)]
)
def test_the_reward_falls_in_a_line_to_nothing_at_a_quarter_of_the_range(
    away_m: float, reward: float
) -> None:
    task = reach()
    task.begin()
    task.target[:] = 0.0
    task.sense(reading(away_m))
    verdict = task.judge(1)
    assert verdict.reward == pytest.approx(reward)
    assert verdict.terms["distance"] == pytest.approx(abs(away_m) / 0.9)
    np.testing.assert_array_equal(verdict.observation["target"], np.zeros(1, np.float32))


def test_several_joints_share_the_reward() -> None:
    assert nearness(np.array([0.0, 0.125, 0.5]), 0.25) == pytest.approx((1 + 0.5 + 0) / 3)


def test_an_episode_ends_by_time_and_the_future_is_worth_something() -> None:
    task = reach()
    task.sense(reading(0.0))
    assert [task.judge(step).is_last for step in (0, 49, 50)] == [False, False, True]
    assert not task.judge(50).is_terminal


def test_it_does_not_judge_before_it_has_sensed() -> None:
    with pytest.raises(RuntimeError, match="before its first reading"):
        reach().judge(0)


def test_going_straight_is_the_action_that_stands_for_the_target() -> None:
    spec = reach().observation["target"]
    for target, action in ((LOW, -1.0), (HIGH, 1.0), (0.0, 0.0), (0.225, 0.5)):
        sent = straight(np.array([target], np.float32), spec)
        assert sent == pytest.approx([action], abs=1e-6) and sent.dtype == np.float32


def mean_reward(policy: Policy, episodes: int = 6) -> float:
    """Per step, from and to equal places for every policy."""
    config = load_config(YAML, ["twin.noise={joint_pos_m: 0, joint_vel_m_s: 0}"])
    clock = SteppedClock()
    link = LockstepLink(config, MujocoBody(config, clock), clock)
    rewards = []
    for seed in range(episodes):
        link.restart("random", seed)
        robot = Robot(config, link, make_task(config, seed))
        seen = robot.reset()
        first = float(seen["target"][0] - seen["joint_pos"][0])
        while not seen["is_last"]:
            rewards.append(float(seen["reward"]))
            robot.act(np.array([policy(first, seen["target"], robot.step)]))
            seen = robot.observe()
    return float(np.mean(rewards))


def thrust_then(steps_per_m: float) -> Policy:
    """Full thrust for a time that grows with the way, then straight to the target."""
    spec = reach().observation["target"]

    def act(way_m: float, target: np.ndarray, step: int) -> float:
        thrusting = step < round(abs(way_m) * steps_per_m)
        return float(np.sign(way_m)) if thrusting else straight(target, spec).item()

    return act


def test_straight_is_as_good_as_optimal_on_the_point_mass_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    best = mean_reward(thrust_then(0.0))
    assert best > 0.8
    # At 1 m/s and 20 Hz a metre takes 20 steps; braking begins a little before the end.
    assert max(mean_reward(thrust_then(steps)) for steps in (14, 18)) < 1.03 * best
    assert mean_reward(lambda way, target, step: 0.0) < 0.5 * best
    assert mean_reward(lambda way, target, step: rng.uniform(-1, 1)) < 0.5 * best
