"""Judges against the rewards that were really paid: of a maze, and of the A1's walk."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from launch.environments import AnyPlan, plan_environment
from launch.judging import make_judge
from launch.train import make_plan
from launch.worlds import open_world
from robot.config import ConfigError
from robot.policy.random import RandomPolicy
from robot.policy.rollout import FixedPilot, Start, rollout
from robot.wire.transition import Transition

A1 = Path(__file__).parents[2] / "hardware_configs/a1.yaml"
POINT = A1.with_name("point_mass.yaml")
KEYS = ["learner.keys=[joint_pos,target]"]
MAZE = "gym:reverie/Maze-v0"
Lived = list[tuple[Transition, dict[str, float]]]


def live(plan: AnyPlan, steps: int) -> Lived:
    """Steps of random play, and what the world says of each besides."""
    world = open_world(plan, 0)
    pilot = FixedPilot(RandomPolicy(world.spec, 0))
    try:
        stream = rollout(world, pilot, Start(plan.name, plan.run_id), lambda: False)
        return [(step, dict(world.terms())) for step in islice(stream, steps)]
    finally:
        world.close()


def test_the_maze_is_judged_as_it_pays():
    changes = ["env.options.goal=0", "env.options.size=2", "env.time_limit=60"]
    plan = plan_environment(MAZE, "reverie", "cpu", 0, [*changes, "learner.mirror=false"])
    judge, lived = make_judge(plan), live(plan, 150)
    paid = [float(step.arrays["reward"]) for step, _ in lived]
    assert [judge(step) for step, _ in lived] == paid
    assert 0 < np.mean(paid) < 1, "the point has been inside and outside"


def test_rewards_between_two_observations_cannot_be_judged():
    changes = ["env.action_repeat=2", "learner.mirror=false"]
    plan = plan_environment(MAZE, "reverie", "cpu", 0, changes)
    with pytest.raises(ConfigError, match="env.action_repeat 2: allowed is 1"):
        make_judge(plan)


def test_an_environment_without_a_judge_is_named():
    plan = plan_environment("gym:reverie/TMaze-v0", "reverie", "cpu", 0, ["learner.mirror=false"])
    with pytest.raises(ConfigError, match="TMaze-v0: its reward cannot be told.*reverie/Maze-v0"):
        make_judge(plan)


def test_reaching_is_judged_as_it_pays():
    plan = make_plan(POINT, "mujoco", "lockstep", "plan2explore", "cpu", 0, KEYS)
    judge, lived = make_judge(plan), live(plan, 120)
    paid = [float(step.arrays["reward"]) for step, _ in lived]
    np.testing.assert_allclose([judge(step) for step, _ in lived], paid, atol=1e-5)
    assert np.std(paid) > 0.1


@pytest.fixture(scope="module")
def walked() -> Lived:
    """Some seconds of random play of an A1 that starts on its feet."""
    said = ["cameras={}", "twin.start=standing", "task.reward=walk_upright"]
    return live(make_plan(A1, "mujoco", "lockstep", "reverie", "cpu", 0, said), 60)


@pytest.mark.parametrize("reward", ["published", "walk_upright"])
def test_the_walk_is_judged_nearly_as_it_pays(reward: str, walked: Lived):
    """Whatever it was paid for at the time: the robot tells both rewards of each step."""
    said = ["cameras={}", f"task.reward={reward}"]
    judge = make_judge(make_plan(A1, "mujoco", "lockstep", "reverie", "cpu", 0, said))
    judged = np.array([judge(step) for step, _ in walked])
    paid = np.array([terms[reward] for _, terms in walked])
    assert paid.std() > 0.1
    assert np.abs(judged - paid).mean() < 0.1 * paid.std()
    assert np.corrcoef(judged, paid)[0, 1] > 0.98
