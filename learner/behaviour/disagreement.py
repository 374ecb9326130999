"""Curiosity: what a dream is worth to one who wants to learn, and how that is learnt itself.

The reward of arriving in a state is foretold from the state before and the action that led there;
it is part of the dream, so that an actor may seek what is new before it was ever seen, by gradients
through the dynamics (Plan2Explore, arXiv 2005.05960, section 3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from learner.model.ensemble import Ensemble, OneStep
from learner.model.world_model import Dream, WorldModel

Spread = Callable[[Tensor], Tensor]


class Curiosity(Protocol):
    """A reward of dreams that learns from experience."""

    def __call__(self, model: WorldModel, dream: Dream) -> Tensor:
        """(N, H+1) reward of arriving in states 0..H; that of the start, which is past, is 0."""
        ...

    def loss(self, step: OneStep) -> Tensor:
        """(B, T-1) loss of what it foretells; gradients reach its own weights alone."""
        ...


def deviation(guesses: Tensor) -> Tensor:
    """Mean over what is foretold of the members' standard deviation: (K, ..., P) -> (...).

    Of the population, as all references take it (DreamerV2's and DayDreamer's expl.py).
    """
    return guesses.std(0, correction=0).mean(-1)


def variance(guesses: Tensor) -> Tensor:
    """Mean over what is foretold of the members' variance: (K, ..., P) -> (...).

    Plan2Explore, eq. 5; its code multiplies it by 10 000.
    """
    return guesses.var(0, correction=0).mean(-1)


class Disagreement(nn.Module):
    """Pays for steps of which the members of an ensemble foretell different things.

    Gradients pass to states and actions, and not to the members, whoever asks.

    Args:
        ensemble: foretells the next step.
        spread: how far the members' guesses lie apart.
        scale: of the reward.
    """

    def __init__(self, ensemble: Ensemble, spread: Spread = deviation, scale: float = 1.0) -> None:
        super().__init__()
        self.ensemble, self.spread, self.scale = ensemble, spread, scale

    def forward(self, model: WorldModel, dream: Dream) -> Tensor:
        """(N, H+1)."""
        return after_start(self.scale * self.spread(_asked(self.ensemble, dream)))

    def loss(self, step: OneStep) -> Tensor:
        """(B, T-1)."""
        return self.ensemble.loss(step)


class PredictionError(nn.Module):
    """Pays for steps whose outcome is expected to be foretold badly: the rival of disagreement.

    Like the curiosity of Pathak et al. (arXiv 1705.05363), made part of a dream as in Plan2Explore,
    section 4: there is no outcome in a dream, so the error itself is foretold. It does not tell
    what can be learnt from what is noise.

    Args:
        predictor: foretells the next step; one member is enough.
        gauge: foretells the predictor's mean squared error; one output, one member.
        scale: of the reward.
    """

    def __init__(self, predictor: Ensemble, gauge: Ensemble, scale: float = 1.0) -> None:
        super().__init__()
        self.predictor, self.gauge, self.scale = predictor, gauge, scale

    def forward(self, model: WorldModel, dream: Dream) -> Tensor:
        """(N, H+1)."""
        return after_start(self.scale * _asked(self.gauge, dream).mean((0, -1)))

    def loss(self, step: OneStep) -> Tensor:
        """(B, T-1)."""
        error = self.predictor.errors(step).detach().mean(0) / step.target.shape[-1]  # (B, T-1)
        seen = step._replace(target=error[..., None])
        return self.predictor.loss(step) + self.gauge.loss(seen)


def after_start(reward: Tensor) -> Tensor:
    """(N, H) of arriving in states 1..H -> (N, H+1) with nothing for the start."""
    return F.pad(reward, (1, 0))


def _asked(ensemble: Ensemble, dream: Dream) -> Tensor:
    """What follows each step of a dream: (K, N, H, P), with no gradient to the members."""
    weights = {name: weight.detach() for name, weight in ensemble.named_parameters()}
    step = dream.states.feat[:, :-1], dream.actions[:, :-1]
    return functional_call(ensemble, weights, step)
