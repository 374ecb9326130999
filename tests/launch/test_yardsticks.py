"""The yardstick of reaching: what going straight to the target earns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from launch.compose import plan_spec
from launch.evaluate import run_evaluate
from launch.run_folder import Plan, RunFolder
from launch.train import make_plan
from launch.trial import Trial, try_policy
from launch.yardsticks import Reaching, Straight, yardstick_of
from learner.systems import build_agent
from robot.config import ConfigError
from robot.policy.random import RandomPolicy
from robot.wire.weights import Weights

SMALL = ("units=16", "deter=16", "stoch=4", "classes=4", "bins=11", "batch=2", "length=4")
FEW = Trial(episodes=3)


@pytest.fixture(scope="module")
def plan() -> Plan:
    changes = [f"learner.{change}" for change in SMALL]
    config = Path("hardware_configs/point_mass.yaml")
    return make_plan(config, "mujoco", "lockstep", "reverie", "cpu", 0, changes)


def test_going_straight_passes_and_random_actions_do_not(plan: Plan) -> None:
    yardstick, spec = yardstick_of(plan, FEW), plan_spec(plan)
    assert isinstance(yardstick, Reaching)
    straight = list(try_policy(plan, Straight(spec.observation["target"]), FEW))
    random = list(try_policy(plan, RandomPolicy(spec), FEW))
    assert yardstick.figures(straight)["share_of_best"] == 1.0
    assert all(check.passes for check in yardstick.gate(straight))
    assert yardstick.figures(random)["share_of_best"] < 0.6
    assert not any(check.passes for check in yardstick.gate(random))


def test_each_episode_has_its_own_start_and_target_and_the_length_of_the_task(plan: Plan) -> None:
    episodes = list(try_policy(plan, RandomPolicy(plan_spec(plan)), FEW))
    assert [len(episode.states) for episode in episodes] == [51, 51, 51]
    firsts = [float(episode.terms["distance"][0]) for episode in episodes]
    assert len(set(np.round(firsts, 3))) == 3


def test_a_reaching_policy_is_evaluated_by_its_share(plan: Plan, tmp_path: Path) -> None:
    folder, spec = RunFolder(tmp_path / "run"), plan_spec(plan)
    folder.claim(plan)
    agent = build_agent(plan.system, spec, plan.settings.acting())
    folder.write_weights(Weights(agent.policy_weights(), 1, spec.fingerprint()))
    assert run_evaluate([folder.path], Trial(episodes=2)) == 0
    told = json.loads((folder.path / "evaluation/evaluation.json").read_text())
    assert (told["trial"]["start"], told["trial"]["seconds"]) == ("random", 2.5)
    assert told["gate"]["passes"] is False and told["trained_for"] == "reach"
    share = told["overall"]["return"]["reach"] / told["overall"]["best_return"]
    assert told["overall"]["share_of_best"] == pytest.approx(share, abs=1e-3)


def test_a_start_of_another_machine_is_refused(plan: Plan) -> None:
    with pytest.raises(ConfigError, match="--start standing: allowed is random, home"):
        Trial(start="standing").on(plan.robot)
