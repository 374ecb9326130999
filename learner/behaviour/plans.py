"""Plans: the kinds of action sequences that a search may draw, and beliefs of the good ones."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from learner.behaviour.distributions import OneHot
from robot.wire.spec import Spec


class Plans(Protocol):
    """A kind of action sequences, and what may be believed of the good ones.

    A belief is (N, H, A, P), with P parameters of each entry's distribution; beliefs of different
    rows know nothing of each other.

    Attributes:
        action: A, width of an action.
    """

    action: int

    def fresh(self, count: int, horizon: int) -> Tensor:
        """(N, H, A, P) belief before any search."""
        ...

    def later(self, belief: Tensor) -> Tensor:
        """(N, H, A, P) belief to search from one step after `belief` was found."""
        ...

    def sample(self, belief: Tensor, noise: Tensor) -> Tensor:
        """(N, H, A, P), (N, J, H, A) standard normal -> (N, J, H, A) candidates."""
        ...

    def fit(self, elites: Tensor, weight: Tensor) -> Tensor:
        """(N, K, H, A) candidates, (N, K) weights that add up to 1 -> (N, H, A, P) belief."""
        ...

    def first(self, belief: Tensor) -> Tensor:
        """(N, H, A, P) -> (N, A) to do now."""
        ...


class BoxPlans:
    """Plans of actions in [-1, 1]: independent normals, P is (mean, std), whose draws are clipped.

    Args:
        action: A.
    """

    def __init__(self, action: int) -> None:
        self.action = action

    def fresh(self, count: int, horizon: int) -> Tensor:
        """(N, H, A, 2) standard normals."""
        return torch.tensor([0.0, 1.0]).expand(count, horizon, self.action, 2)

    def later(self, belief: Tensor) -> Tensor:
        """The plan's rest, as uncertain as at the beginning."""
        fresh = self.fresh(*belief.shape[:2])
        mean = torch.cat([belief[:, 1:, :, 0], fresh[:, -1:, :, 0]], 1)
        return torch.stack([mean, fresh[..., 1]], -1)

    def sample(self, belief: Tensor, noise: Tensor) -> Tensor:
        """(N, H, A, 2), (N, J, H, A) -> (N, J, H, A) in [-1, 1]."""
        mean, std = belief[:, None].unbind(-1)
        return (mean + std * noise).clamp(-1, 1)

    def fit(self, elites: Tensor, weight: Tensor) -> Tensor:
        """Moments of the elites; the population's variance plus 1e-6 (planet, planning.py)."""
        share = weight[..., None, None]
        mean = (share * elites).sum(1)
        square = (share * (elites - mean[:, None]).square()).sum(1)
        return torch.stack([mean, (square + 1e-6).sqrt()], -1)

    def first(self, belief: Tensor) -> Tensor:
        """(N, A): the mean, which is in [-1, 1] once it was fitted."""
        return belief[:, 0, :, 0]


class OneHotPlans:
    """Plans of one-hot actions: independent categoricals, P is the probability.

    The cross-entropy method for discrete sequences (Rubinstein and Kroese, "The Cross-Entropy
    Method", section 2.5): the elites' frequencies are the most likely belief, and need no scale, as
    the argmax of a clipped continuous plan would.

    Args:
        action: A.
    """

    def __init__(self, action: int) -> None:
        self.action = action

    def fresh(self, count: int, horizon: int) -> Tensor:
        """(N, H, A, 1) all the same."""
        return torch.full((count, horizon, self.action, 1), 1 / self.action)

    def later(self, belief: Tensor) -> Tensor:
        """The plan's rest, half forgotten."""
        fresh = self.fresh(*belief.shape[:2])
        return 0.5 * (torch.cat([belief[:, 1:], fresh[:, -1:]], 1) + fresh)

    def sample(self, belief: Tensor, noise: Tensor) -> Tensor:
        """(N, H, A, 1), (N, J, H, A) -> (N, J, H, A) one-hot."""
        return OneHot(belief[:, None, ..., 0].log()).sample(noise)

    def fit(self, elites: Tensor, weight: Tensor) -> Tensor:
        """How often each action is taken at each step."""
        return (weight[..., None, None] * elites).sum(1)[..., None]

    def first(self, belief: Tensor) -> Tensor:
        """(N, A) one-hot: the likeliest."""
        return F.one_hot(belief[:, 0, :, 0].argmax(-1), self.action).float()


def plans_of(action: Spec) -> Plans:
    """Plans of what a robot does: of choices, or of actions in [-1, 1]."""
    return (OneHotPlans if action.is_discrete else BoxPlans)(action.shape[0])
