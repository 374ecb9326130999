"""Parts that keep a behaviour near its logs: what they add, and that they add nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.caution import Caution
from learner.behaviour.disagreement import Disagreement
from learner.behaviour.explorer import Explorer, Phase, RandomPlay
from learner.behaviour.rewards import TaskReward
from learner.model.ensemble import Ensemble, OneStep
from learner.model.nets import Hidden, Style, uniform_average
from learner.model.rssm import State
from learner.model.world_model import Dream
from learner.train.conservative import Conservatism, actor_critic_of, kept_near, without_doubt
from robot.wire.spec import discrete

Make = Callable[..., Any]


def test_nothing_asked_for_is_nothing_added(tiny: Make) -> None:
    agent = tiny("reverie")
    assert kept_near(agent, Conservatism()) is agent


def test_cloning_makes_logged_actions_likelier(tiny: Make, batch: Make) -> None:
    taught = None
    told = {}
    for weight in (0.0, 5.0):
        agent = kept_near(tiny("reverie", "mirror=false", "lr_actor=0.003"), Conservatism(weight))
        taught = taught or batch(agent)
        taught["action"][:] = 0.7
        for _ in range(12):
            metrics = agent.learn(taught)
        told[weight] = metrics.get("actor/cloning"), agent
    assert told[0.0][0] is None and torch.isfinite(told[5.0][0])
    feat = torch.zeros(1, told[0.0][1].model.dynamics.feat_width)
    with torch.no_grad():
        near = {
            weight: float(agent.behaviour.actor(feat).log_prob(torch.full((1, 12), 0.7)))
            for weight, (_, agent) in told.items()
        }
    assert near[5.0] > near[0.0] + 1


def test_cloning_does_not_reach_the_model(tiny: Make, batch: Make) -> None:
    models = []
    for weight in (0.0, 5.0):
        agent = kept_near(tiny("reverie", "mirror=false"), Conservatism(weight))
        agent.learn(batch(agent))
        models.append({k: v.clone() for k, v in agent.model.state_dict().items()})
    assert all(torch.equal(models[0][k], models[1][k]) for k in models[0])


def test_the_last_step_of_an_episode_is_not_cloned(tiny: Make, batch: Make) -> None:
    told = []
    for odd in (0.0, 9.0):
        agent = kept_near(tiny("reverie", "mirror=false"), Conservatism(1.0))
        taught = batch(agent)
        taught["is_last"][:, -1] = True
        taught["action"][:, -1] = odd
        told.append(float(agent.learn(taught)["actor/cloning"]))
    assert told[0] == told[1]


def dream(feat: torch.Tensor) -> Dream:
    """Two dreams of three steps with two actions."""
    states = State(deter=feat[..., 3:], stoch=feat[..., :3])
    return Dream(states, torch.zeros(2, 3, 2))


class Zero(torch.nn.Module):
    """A reward of nothing."""

    def forward(self, model: object, dreamt: Dream) -> torch.Tensor:
        return torch.zeros(2, 3)


def cautious(weight: float) -> Caution:
    torch.manual_seed(0)
    hidden = Hidden(8, 2, Style(torch.nn.functional.silu, uniform_average))
    return Caution(Zero(), Disagreement(Ensemble((4, 2), 3, 4, hidden)), weight)


def test_caution_costs_the_weight_where_dispute_is_usual() -> None:
    caution, feat = cautious(0.5), torch.randn(2, 3, 4)
    step = OneStep(feat[:, :-1], torch.zeros(2, 2, 2), torch.zeros(2, 2, 3), torch.ones(2, 2))
    caution.loss(step)
    paid = caution(None, dream(feat))  # the very steps that it took note of
    assert (paid[:, 0] == 0).all() and (paid[:, 1:] < 0).all()
    assert float(paid[:, 1:].mean()) == pytest.approx(-0.5, rel=1e-5)
    torch.testing.assert_close(cautious(0.0)(None, dream(feat)), torch.zeros(2, 3))


def test_what_is_usual_is_not_learnt_while_examined() -> None:
    caution = cautious(0.5)
    feat = torch.randn(2, 2, 4)
    step = OneStep(feat, torch.zeros(2, 2, 2), torch.zeros(2, 2, 3), torch.ones(2, 2))
    with torch.no_grad():
        caution.loss(step)
    assert float(caution.doubt.get_buffer("usual")) == 0


def test_a_cautious_agent_learns_and_its_own_tensors_are_known_by_name(
    tiny: Make, batch: Make
) -> None:
    plain = set(tiny("reverie").tensors())
    agent = kept_near(tiny("reverie"), Conservatism(caution=0.5))
    behaviour = actor_critic_of(agent.behaviour)
    assert behaviour and isinstance(behaviour.reward, Caution)
    more = set(agent.tensors()) - plain
    assert more and not any(without_doubt(name) for name in more)
    assert all(without_doubt(name) for name in plain)
    for _ in range(3):
        metrics = agent.learn(batch(agent))
    assert np.isfinite(float(metrics["curiosity/loss"]))
    assert set(agent.policy_weights()) == set(tiny("reverie").policy_weights())


def test_the_behaviour_of_the_task_is_found(tiny: Make) -> None:
    behaviour = tiny("reverie").behaviour
    assert isinstance(behaviour, ActorCritic) and actor_critic_of(behaviour) is behaviour
    explorer = Explorer(RandomPlay(discrete(2)), behaviour, Phase(1))
    assert actor_critic_of(explorer) is behaviour
    assert isinstance(behaviour.reward, TaskReward)
    assert actor_critic_of(RandomPlay(discrete(2))) is None
