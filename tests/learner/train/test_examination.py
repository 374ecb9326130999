"""Examining an agent tells its losses and leaves it, and its dice, as they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from learner.train.examination import examine

Make = Callable[..., Any]


@pytest.mark.parametrize("system", ["reverie", "daydreamer"])
def test_nothing_is_left_changed(system: str, tiny: Make, batch: Make) -> None:
    agent = tiny(system)
    agent.learn(batch(agent))
    before = {k: v.clone() for k, v in agent.tensors().items()}
    dice = torch.get_rng_state()
    examine(agent, [batch(agent, seed=1)], 0)
    assert torch.equal(dice, torch.get_rng_state())
    after = agent.tensors()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_equal_seeds_give_equal_losses_and_the_sum_is_theirs(tiny: Make, batch: Make) -> None:
    agent = tiny("reverie")
    asked = [batch(agent, seed=1), batch(agent, seed=2)]
    one, two, other = (examine(agent, asked, seed) for seed in (0, 0, 1))
    assert one == two != other
    assert one["loss"] == pytest.approx(sum(v for k, v in one.items() if k != "loss"))
    assert {"vector", "reward", "dynamics", "representation"} <= one.keys()


def test_the_mean_of_batches_is_told(tiny: Make, batch: Make) -> None:
    agent = tiny("daydreamer", "capacity=100")
    one = batch(agent, seed=1)
    far = {**one, "reward": one["reward"] + np.float32(50)}
    alone, both = examine(agent, [one], 0), examine(agent, [one, far], 0)
    assert both["reward"] > alone["reward"]
    # The same chances do not come twice, so that the observed keys' loss is only near.
    assert both["vector"] == pytest.approx(alone["vector"], rel=0.2)


def test_learning_lowers_what_is_told_of_what_was_taught(tiny: Make, batch: Make) -> None:
    agent = tiny("reverie", "lr_model=0.003", "mirror=false")
    taught = batch(agent)
    before = examine(agent, [taught], 0)["vector"]
    for _ in range(15):
        agent.learn(taught)
    assert examine(agent, [taught], 0)["vector"] < 0.9 * before
