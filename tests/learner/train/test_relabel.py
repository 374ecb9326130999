"""Experience with another reward: nothing else of it changes, and a system learns from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from learner.train.relabel import practise, refill, relabelled
from learner.train.replay import Replay
from learner.train.sampling import UniformChunks
from learner.train.settings import Settings
from learner.train.trainer import Trainer
from robot.wire.spec import RobotSpec
from robot.wire.transition import Transition


def first_joint(step: Transition) -> float:
    return 10 * float(step.arrays["joint_pos"][0]) + 3


def test_the_reward_is_a_function_of_what_was_observed(step: Callable[..., Transition]):
    old = [step(index) for index in range(5)]
    new = list(relabelled(old, first_joint))
    assert [float(s.arrays["reward"]) for s in new] == [3.0, 13.0, 23.0, 33.0, 43.0]
    assert all(s.arrays["reward"].dtype == np.float32 for s in new)
    for before, after in zip(old, new, strict=True):
        assert replace(after, arrays={}) == replace(before, arrays={})
        for key in before.arrays.keys() - {"reward"}:
            assert after.arrays[key] is before.arrays[key]
    assert [float(s.arrays["reward"]) for s in old] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_judge_sees_every_valid_step_in_its_order(step: Callable[..., Transition]):
    steps = [step(index) for index in range(12)]
    steps[4] = replace(steps[4], valid=False)
    seen: list[int] = []

    def judge(one: Transition) -> float:
        seen.append(one.index)
        return 1.0

    passed = list(relabelled(steps, judge))
    assert passed[4] is steps[4] and seen == [0, 1, 2, 3, *range(5, 12)]
    assert all(a < b for a, b in pairwise(seen))


@pytest.mark.parametrize("reward", [float("nan"), float("inf")])
def test_a_reward_that_is_not_finite_is_named(reward: float, step: Callable[..., Transition]):
    with pytest.raises(ValueError, match="of step 3, run run: must be finite"):
        list(relabelled([step(3)], lambda _: reward))


@pytest.fixture
def trainer(tiny: Callable, spec: RobotSpec) -> Trainer:
    """A tiny system with an empty replay."""
    agent = tiny("reverie", "keys=[joint_pos]", "mirror=false")
    replay = Replay(spec, 500, UniformChunks(), 0, agent.keys)
    settings = Settings(batch=4, length=6, capacity=500, prefill=10, pretrain=0)
    return Trainer(agent, replay, settings, "spec")


def test_a_replay_is_filled_with_the_new_rewards(trainer: Trainer, step: Callable[..., Transition]):
    refill(trainer, [step(index) for index in range(40)], first_joint)
    chunk = trainer.replay.sample(8, 6)
    expected = 10 * chunk["joint_pos"][..., 0] + 3
    assert len(trainer.replay) == 40 and np.array_equal(chunk["reward"], expected)


def test_rewards_of_two_tasks_are_never_mixed(trainer: Trainer, step: Callable[..., Transition]):
    trainer.add(step(0))
    with pytest.raises(ValueError, match="holds 1 steps; it must be empty"):
        refill(trainer, [step(1)], first_joint)


def test_practice_needs_no_new_experience(trainer: Trainer, step: Callable[..., Transition]):
    refill(trainer, [step(index) for index in range(12)], first_joint)
    told: list[int] = []
    practise(trainer, 5, told.append)
    assert trainer.updates == 5 and told == [1, 2, 3, 4, 5] and trainer.taken == 12
