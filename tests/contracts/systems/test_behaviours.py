"""One contract for every behaviour: rows, weights that are sent, and where dreams begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from learner.agent import AgentPolicy
from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.noise import ModeNoise, SeededNoise

DREAMERS = {"reverie", "daydreamer", "dreamer_v1", "dreamer_v2", "dreamer_v3", "dreamer_v3_2023"}


def actor_critics(agent: Any) -> list[ActorCritic]:
    return [part for part in agent.behaviour.modules() if isinstance(part, ActorCritic)]


@pytest.fixture
def alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dreams draw the same noise for every row, so that rows may be compared."""

    def drawn(like: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def draw(*shape: int, **_: object) -> Tensor:
            seeded = torch.Generator().manual_seed(3)
            return like(shape[0], 1, *shape[2:], generator=seeded).expand(*shape)

        return draw

    monkeypatch.setattr(torch, "rand", drawn(torch.rand))
    monkeypatch.setattr(torch, "randn", drawn(torch.randn))


def test_rows_of_a_dream_and_their_worth_do_not_know_of_each_other(
    system: str, does: str, make: Callable, experience: Callable, alike: None
) -> None:
    agent, made = make(system, "vectors", does), experience("vectors", does)
    found = actor_critics(agent)
    assert len(found) == {"plan2explore": 2}.get(system, int(system in DREAMERS))
    batch = {key: torch.as_tensor(value) for key, value in made.items()}
    start = agent.model.observe(batch).states.flatten().detach()
    order, live = torch.randperm(len(start.stoch)), torch.arange(len(start.stoch)) % 3 / 2
    for behaviour in found:
        dream = behaviour.dream(agent.model, start)
        turned = behaviour.dream(agent.model, start[order])
        assert torch.equal(dream.states.feat[:, 0], start.feat)
        assert dream.actions.shape[1] == behaviour.horizon + 1 == dream.states.feat.shape[1]
        torch.testing.assert_close(turned.actions, dream.actions[order])
        worth = behaviour.judge(agent.model, dream, live)
        again = behaviour.judge(agent.model, turned, live[order])
        for one, other in zip(worth[1:], again[1:], strict=True):
            torch.testing.assert_close(other, one[order])


@pytest.mark.parametrize("noise", [SeededNoise, ModeNoise])
def test_who_takes_over_weights_acts_the_same_and_before_it_did_not(
    system: str, does: str, noise: type[SeededNoise], make: Callable, experience: Callable
) -> None:
    learner, robot = make(system, "vectors", does), make(system, "vectors", does, seed=1)
    for weights in learner.state_dict().values():
        if weights.is_floating_point():
            weights += 0.3 * torch.randn_like(weights)
    made = experience("vectors", does)

    def lived(agent: Any) -> np.ndarray:
        policy, actions = AgentPolicy(agent, noise(5)), []
        carry = policy.initial()
        for row in (0, 1, 0, 1, 1):
            seen = {key: made[key][row, 0] for key in agent.keys}
            carry, action = policy.act(carry, {**seen, "is_first": np.array(not actions)})
            actions.append(action)
        return np.array(actions)

    before, wanted = lived(robot), lived(learner)
    assert does == "choices" or not np.array_equal(before, wanted)
    robot.load_policy_weights(learner.policy_weights())
    assert np.array_equal(lived(robot), wanted) and np.array_equal(lived(robot), wanted)
