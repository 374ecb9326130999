"""Every system learns and acts for every kind of robot: what it sees, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from learner.agent import AgentPolicy
from learner.behaviour.gradient import Reinforce, Through
from learner.behaviour.noise import ModeNoise, SeededNoise
from learner.model.encoders import Inputs
from learner.model.scales import SymlogInputs
from robot.wire.spec import image


def test_every_kind_of_robot_is_learnt_and_acted_for(
    system: str, sees: str, does: str, make: Callable, experience: Callable, robot: Callable
) -> None:
    agent, batch = make(system, sees, does), experience(sees, does)
    metrics = agent.learn(batch)
    assert all(value.isfinite() for value in metrics.values())
    modalities = {"image": "vectors" != sees, "vector": sees in ("vectors", "all")}
    assert {name: f"model/{name}" in metrics for name in modalities} == modalities
    for noise in (SeededNoise(0), ModeNoise(0)):
        policy = AgentPolicy(agent, noise)
        carry = policy.initial()
        for t in range(2):
            seen = {key: batch[key][0, t] for key in (*agent.keys, "is_first")}
            carry, action = policy.act(carry, seen)
            assert np.isfinite(action).all() and action.dtype == np.float32
            if does == "choices":
                robot(sees, does).action.check("action", action)
                assert action.sum() == 1


@pytest.mark.parametrize("make_inputs", [lambda specs: Inputs(specs, 2.0), SymlogInputs])
def test_pictures_alone_need_no_scale(make_inputs: Callable[..., Inputs]) -> None:
    """Whatever the gain: there is nothing to be scaled."""
    inputs = make_inputs({"camera": image(64, 64), "range": image(64, 64, 1)})
    assert (inputs.width, inputs.channels, inputs.vectors) == (0, 4, [])
    assert inputs.factor.shape == inputs.centre.shape == (0,)


@pytest.mark.parametrize("system", ["daydreamer", "plan2explore"])
def test_a_choice_has_one_entropy_and_a_movement_one_of_each_dimension(
    system: str, make: Callable, experience: Callable
) -> None:
    for does, entropies, kind in (("moves", 2, Through), ("choices", 1, Reinforce)):
        agent: Any = make(system, "vectors", does, "entropy_target=0.1")
        task = getattr(agent.behaviour, "task", agent.behaviour)
        assert task.explore.scale.shape == (entropies,) and isinstance(task.gradient, kind)
        agent.learn(experience("vectors", does))
        # All begin with more entropy than is asked for: the price of each one falls.
        torch.testing.assert_close(task.explore.scale, torch.full((entropies,), 1 / 1.1))
    assert task.actor.unimix == 0.1
