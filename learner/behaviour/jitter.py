"""Noise upon the actions of a policy, while it tries them and not while it shows its best."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from learner.behaviour.distributions import OneHot
from learner.behaviour.interface import Behaviour
from learner.behaviour.noise import Noise
from learner.model.rssm import State
from learner.model.world_model import WorldModel
from robot.wire.spec import Spec


class Jitter(nn.Module):
    """Adds normal noise to actions in [-1, 1] and clips (Dreamer, arXiv 1912.01603, appendix A).

    Args:
        behaviour: acts.
        amount: deviation of the noise, 0.3 in Dreamer.
    """

    def __init__(self, behaviour: Behaviour, amount: float) -> None:
        super().__init__()
        self.behaviour, self.amount = behaviour, amount

    def act(self, model: WorldModel, state: State, noise: Noise) -> Tensor:
        """(1, ...) -> (1, A)."""
        action = self.behaviour.act(model, state, noise)
        if not noise.exploring:
            return action
        return (action + self.amount * noise.normal(*action.shape)).clamp(-1, 1)

    def parts(self, model: WorldModel) -> dict[str, nn.Module]:
        """Those of the behaviour."""
        return self.behaviour.parts(model)


class Slips(Jitter):
    """Takes any choice at all now and then (Dreamer for choices, dreamer.py, `epsilon_greedy`).

    Args:
        behaviour: chooses.
        amount: share of the choices that are drawn evenly from all.
    """

    def act(self, model: WorldModel, state: State, noise: Noise) -> Tensor:
        """(1, ...) -> (1, A) one-hot."""
        action = self.behaviour.act(model, state, noise)
        if not noise.exploring:
            return action
        even = torch.full_like(action, 1 / action.shape[-1])
        return OneHot(torch.lerp(action, even, self.amount).log()).sample(
            noise.normal(*action.shape)
        )


def disturbed(action: Spec, behaviour: Behaviour, amount: float) -> Jitter:
    """A behaviour with noise on its movements, or slips among its choices.

    Args:
        action: spec of the action.
        behaviour: acts.
        amount: deviation of the noise, or share of the slips.
    """
    return (Slips if action.is_discrete else Jitter)(behaviour, amount)
