"""Planning: the cross-entropy method searches the model, anew in every step, for what pays.

    believe -> draw J sequences of H actions -> dream each -> believe in the best K -> ... I times

The paper's planner (PlaNet, arXiv 1811.04551, algorithm 2) executes the first action of the last
belief's mean and forgets the rest, so that it never clings to a plan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learner.behaviour.distributions import OneHot
from learner.behaviour.noise import Noise
from learner.model.rssm import State
from learner.model.world_model import WorldModel

# Returns of candidates: (N, J, H, A) -> (N, J).
Score = Callable[[Tensor], Tensor]
# Weights of the elites, adding up to 1, from their returns: (N, K) -> (N, K).
Weigh = Callable[[Tensor], Tensor]


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

    def first(self, belief: Tensor, noise: Tensor) -> Tensor:
        """(N, H, A, P), (N, A) standard normal -> (N, A) to do now; the best where noise is 0."""
        ...


class BoxPlans:
    """Plans of actions in [-1, 1]: independent normals, P is (mean, std), whose draws are clipped.

    Args:
        action: A.
        explore: deviation of the exploration noise (0.3 in PlaNet, table of appendix A).
    """

    def __init__(self, action: int, explore: float) -> None:
        self.action, self.explore = action, explore

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

    def first(self, belief: Tensor, noise: Tensor) -> Tensor:
        """(N, A): the mean with exploration noise, clipped."""
        return (belief[:, 0, :, 0] + self.explore * noise).clamp(-1, 1)


class OneHotPlans:
    """Plans of one-hot actions: independent categoricals, P is the probability.

    The cross-entropy method for discrete sequences (Rubinstein and Kroese, "The Cross-Entropy
    Method", section 2.5): the elites' frequencies are the most likely belief, and need no scale, as
    the argmax of a clipped continuous plan would.

    Args:
        action: A.
        explore: share of actions that are drawn uniformly while exploring.
    """

    def __init__(self, action: int, explore: float) -> None:
        self.action, self.explore = action, explore

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

    def first(self, belief: Tensor, noise: Tensor) -> Tensor:
        """(N, A) one-hot: the likeliest, but while exploring a random one now and then."""
        best = F.one_hot(belief[:, 0, :, 0].argmax(-1), self.action).float()
        return OneHot(torch.log((1 - self.explore) * best + self.explore / self.action)).sample(
            noise
        )


def equally(returns: Tensor) -> Tensor:
    """All elites count the same: the cross-entropy method. (N, K) -> (N, K)."""
    return torch.full_like(returns, 1 / returns.shape[1])


@dataclass(frozen=True)
class Softly:
    """Better elites count for more: path integral control (PDDM, arXiv 1909.11652, section 4.3).

    Args:
        temperature: of the weights exp(return / temperature), in units of return.
    """

    temperature: float

    def __call__(self, returns: Tensor) -> Tensor:
        """(N, K) -> (N, K)."""
        return torch.softmax(returns / self.temperature, 1)


@dataclass(frozen=True)
class Effort:
    """How hard a search tries; the defaults are PlaNet's (appendix A).

    Args:
        horizon: H, steps looked ahead.
        candidates: J, sequences tried in each iteration.
        iterations: I; with 0 all that is left of a policy is its exploration noise.
        elites: K, the best of them.

    Raises:
        ValueError: for more elites than candidates.
    """

    horizon: int = 12
    candidates: int = 1000
    iterations: int = 10
    elites: int = 100

    def __post_init__(self) -> None:
        if self.elites > self.candidates:
            raise ValueError(f"elites {self.elites}: allowed is up to {self.candidates} candidates")


@dataclass(frozen=True)
class Search:
    """The cross-entropy method, or path integral control with other weights.

    Args:
        plans: what is searched.
        effort: how hard.
        weigh: how elites count.
    """

    plans: Plans
    effort: Effort
    weigh: Weigh = equally

    def __call__(self, score: Score, belief: Tensor, noise: Noise) -> Tensor:
        """Improve a belief (N, H, A, P); rows are searched independently.

        A candidate whose return is not finite counts as the worst.
        """
        count, horizon = belief.shape[:2]
        shape = (count, self.effort.candidates, horizon, self.plans.action)
        for _ in range(self.effort.iterations):
            tried = self.plans.sample(belief, noise.normal(*shape))
            returns = score(tried)
            worst = torch.finfo(returns.dtype).min
            returns = torch.where(returns.isfinite(), returns, worst)
            best, rows = returns.topk(self.effort.elites, dim=1, sorted=False)
            elites = tried[torch.arange(count)[:, None], rows]  # (N, K, H, A)
            belief = self.plans.fit(elites, self.weigh(best))
        return belief


class Planner(nn.Module):
    """Acts by searching the model from the current state; learns nothing itself.

    Each candidate is dreamt once, with latents of its own, and scored by the sum of the rewards
    predicted on arriving in its H states, undiscounted. What would come after an episode's end does
    not count; PlaNet's tasks never end.

    Args:
        search: how.
    """

    def __init__(self, search: Search) -> None:
        super().__init__()
        self.search = search

    @torch.no_grad()
    def act(self, model: WorldModel, state: State, noise: Noise) -> Tensor:
        """(N, ...) -> (N, A)."""
        plans = self.search.plans
        belief = self.plan(model, state, noise)
        return plans.first(belief, noise.action(plans.action))

    def plan(self, model: WorldModel, state: State, noise: Noise) -> Tensor:
        """(N, ...) -> (N, H, A, P) belief; the paper's, from scratch."""
        start = self.search.plans.fresh(state.stoch.shape[0], self.search.effort.horizon)
        return self.search(dreams(model, state, noise), start, noise)

    def parts(self, model: WorldModel) -> dict[str, nn.Module]:
        """What a robot needs beside encoder and dynamics."""
        return {"reward": model.reward, "cont": model.cont}


class WarmPlanner(Planner):
    """Searches on from the rest of its last plan, so that fewer iterations do.

    It cannot see where an episode begins: the first search of one starts from the last one's mean.
    """

    last: Tensor | None = None

    def plan(self, model: WorldModel, state: State, noise: Noise) -> Tensor:
        """(N, ...) -> (N, H, A, P) belief."""
        count, plans = state.stoch.shape[0], self.search.plans
        start = plans.fresh(count, self.search.effort.horizon)
        if self.last is not None and self.last.shape[0] == count:
            start = plans.later(self.last)
        self.last = self.search(dreams(model, state, noise), start, noise)
        return self.last


def dreams(model: WorldModel, state: State, noise: Noise) -> Score:
    """Scores candidates by what the model foretells from `state` (N, ...), which stays as it is."""
    stoch = model.dynamics.latents.stoch

    def score(tried: Tensor) -> Tensor:
        count, each, horizon = tried.shape[:3]
        start = state[torch.arange(count).repeat_interleave(each)]  # (N J, ...)
        latent = noise.uniform(horizon, count * each, stoch)
        feat = model.unroll(start, tried.flatten(0, 1), latent).feat
        going_on = torch.cumprod(model.cont(feat)[:, :-1], 1)
        live = torch.cat([torch.ones_like(going_on[:, :1]), going_on], 1)
        return (live * model.reward(feat)).sum(1).unflatten(0, (count, each))

    return score
