"""Planning: the cross-entropy method searches the model, anew in every step, for what pays.

    believe -> draw J sequences of H actions -> dream each -> believe in the best K -> ... I times

The paper's planner (PlaNet, arXiv 1811.04551, algorithm 2) executes the first action of the last
belief's mean and forgets the rest, so that it never clings to a plan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from learner.behaviour.noise import Noise
from learner.behaviour.plans import Plans
from learner.model.rssm import State
from learner.model.world_model import WorldModel

# Returns of candidates: (N, J, H, A) -> (N, J).
Score = Callable[[Tensor], Tensor]
# Weights of the elites, adding up to 1, from their returns: (N, K) -> (N, K).
Weigh = Callable[[Tensor], Tensor]


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
        iterations: I; with 0 the action is 0, and all that moves is exploration noise.
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
        """The best action found, without exploration noise: (N, ...) -> (N, A)."""
        return self.search.plans.first(self.plan(model, state, noise))

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
