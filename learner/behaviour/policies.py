"""Actors of the other kinds of actions, and which actor a robot is given."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learner.behaviour.actor import NormalActor, Spread
from learner.behaviour.distributions import LOG_TAU, OneHot, TanhNormal, TruncatedNormal
from learner.model.nets import Hidden, Linear, mlp
from robot.wire.spec import Spec

AnyActor = Union[NormalActor, "OneHotActor", "VectorActor"]
# Width of the features, A, hidden layers and spread.
MakeActor = Callable[[int, int, Hidden, Spread], AnyActor]


def make_actor(
    action: Spec, width: int, hidden: Hidden, spread: Spread, vector: MakeActor = NormalActor
) -> AnyActor:
    """Actor for a robot: a choice where it chooses, else of the kind that a system takes.

    Args:
        action: spec of the action.
        width: F, of the features.
        hidden: layers between them.
        spread: how random the actor may be.
        vector: makes the actor of a vector in [-1, 1].
    """
    make = OneHotActor if action.is_discrete else vector
    return make(width, action.shape[0], hidden, spread)


class OneHotActor(nn.Module):
    """Chooses among A actions, a share of the time any of them (DreamerV2, DayDreamer, DreamerV3).

    Attributes:
        entropies: how many a distribution has: one, of the choice.

    Args:
        width: F, of the features.
        action: A.
        hidden: layers between them.
        spread: gives the share of the uniform (`unimix`) and the first weights (`mean_scale`).
    """

    def __init__(self, width: int, action: int, hidden: Hidden, spread: Spread) -> None:
        super().__init__()
        self.layers = mlp(width, hidden)
        self.out = Linear(hidden.units, action, hidden.style, scale=spread.mean_scale)
        self.action, self.unimix, self.entropies = action, spread.unimix, 1

    def forward(self, feat: Tensor) -> OneHot:
        """(..., F) -> distribution of (..., A)."""
        log_probs = F.log_softmax(self.out(self.layers(feat)).float(), -1)
        if not self.unimix:  # a log of zero would spoil gradients
            return OneHot(log_probs)
        floor = log_probs.new_tensor(math.log(self.unimix / self.action))
        return OneHot(torch.logaddexp(log_probs + math.log1p(-self.unimix), floor))

    def entropy_bounds(self) -> tuple[float, float]:
        """Least and greatest entropy, in nats."""
        return 0.0, math.log(self.action)


class VectorActor(nn.Module):
    """What actors of vectors in [-1, 1] share: layers, mean and deviation, before they are bound.

    Attributes:
        entropies: how many a distribution has, one of each dimension.

    Args:
        width: F, of the features.
        action: A.
        hidden: layers between them.
        spread: bounds and start of the deviation.
    """

    def __init__(self, width: int, action: int, hidden: Hidden, spread: Spread) -> None:
        super().__init__()
        self.layers = mlp(width, hidden)
        self.mean = Linear(hidden.units, action, hidden.style, scale=spread.mean_scale)
        self.std = Linear(hidden.units, action, hidden.style, scale=spread.std_scale)
        self.action, self.spread, self.entropies = action, spread, action

    def raw(self, feat: Tensor) -> tuple[Tensor, Tensor]:
        """(..., F) -> mean and deviation (..., A) float32, unbound."""
        hidden = self.layers(feat)
        return self.mean(hidden).float(), self.std(hidden).float() + self.spread.std_offset

    def entropy_bounds(self) -> tuple[float, float]:
        """Entropy of one dimension, in nats: narrow in the middle, and spread over [-1, 1]."""
        return math.log(self.spread.min_std) + 0.5 * (LOG_TAU + 1), math.log(2)


class TanhNormalActor(VectorActor):
    """Tanh of a normal of mean 5 tanh(m / 5) and std softplus(s + offset) + min_std (Dreamer).

    The offset ln(e^5 - 1) lets the deviation start at 5: nearly every first action is -1 or 1.
    """

    def forward(self, feat: Tensor) -> TanhNormal:
        """(..., F) -> distribution of (..., A)."""
        mean, std = self.raw(feat)
        return TanhNormal(5 * torch.tanh(mean / 5), F.softplus(std) + self.spread.min_std)


class TruncatedNormalActor(VectorActor):
    """Normal cut to [-1, 1] with a tanh mean (DreamerV2, common/nets.py, `trunc_normal`).

    Its deviation is (max_std - min_std) sigmoid((s + offset) / 2) + min_std; 2.1 and 0.1 there.
    """

    def forward(self, feat: Tensor) -> TruncatedNormal:
        """(..., F) -> distribution of (..., A)."""
        mean, std = self.raw(feat)
        least, most = self.spread.min_std, self.spread.max_std
        share = torch.sigmoid(std / 2)
        return TruncatedNormal(torch.tanh(mean), (most - least) * share + least)
