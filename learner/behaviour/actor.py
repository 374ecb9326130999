"""Actors: from features to actions, by a number of noise so that gradients flow through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from learner.model.nets import Hidden, Linear, mlp


class Normal(NamedTuple):
    """Independent normals: mean and std, (..., A) float32."""

    mean: Tensor
    std: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """(..., A) standard normal noise -> (..., A), with gradients to mean and std."""
        return self.mean + self.std * noise

    def log_prob(self, action: Tensor) -> Tensor:
        """Log density of (..., A), summed over its dimensions -> (...)."""
        far = ((action - self.mean) / self.std).square()
        return -(0.5 * far + torch.log(self.std) + 0.5 * math.log(2 * math.pi)).sum(-1)

    def entropy(self) -> Tensor:
        """(..., A) nats of each dimension."""
        return torch.log(self.std) + 0.5 * math.log(2 * math.pi * math.e)


@dataclass(frozen=True)
class Spread:
    """How random an actor may be, and how random it starts.

    Args:
        min_std: smallest deviation.
        max_std: largest deviation.
        std_offset: added before the sigmoid; 2 starts at 89% of the range (DreamerV3), 0 at half.
        mean_scale: variance of the weights behind the mean, relative to the other layers'.
        std_scale: the same for the weights behind the deviation.
        unimix: share of the uniform distribution, where the actor chooses.
    """

    min_std: float
    max_std: float = 1.0
    std_offset: float = 0.0
    mean_scale: float = 0.1
    std_scale: float = 1.0
    unimix: float = 0.0


class NormalActor(nn.Module):
    """Normal with tanh mean and bounded deviation (DayDreamer, nets.py, `normal`).

    Samples are not squashed and may leave [-1, 1]; they are clipped on the way to the motors.

    Attributes:
        entropies: how many a distribution has, here one of each dimension.

    Args:
        width: F, of the features.
        action: A.
        hidden: layers between them.
        spread: bounds and start of the deviation.
    """

    def __init__(self, width: int, action: int, hidden: Hidden, spread: Spread) -> None:
        super().__init__()
        self.layers = mlp(width, hidden)
        self.out = Linear(hidden.units, 2 * action, hidden.style)
        self.action, self.spread, self.entropies = action, spread, action
        # One matrix, but as if there were two layers: the mean's and the deviation's.
        for rows, scale in zip(
            self.out.weight.detach().chunk(2), (spread.mean_scale, spread.std_scale), strict=True
        ):
            hidden.style.init(rows, hidden.units, action, scale)

    def forward(self, feat: Tensor) -> Normal:
        """(..., F) -> distribution of (..., A)."""
        mean, std = self.out(self.layers(feat)).float().chunk(2, -1)
        least, most = self.spread.min_std, self.spread.max_std
        share = torch.sigmoid(std + self.spread.std_offset)
        return Normal(torch.tanh(mean), (most - least) * share + least)

    def entropy_bounds(self) -> tuple[float, float]:
        """Least and greatest entropy of one dimension, in nats."""
        base = 0.5 * math.log(2 * math.pi * math.e)
        return math.log(self.spread.min_std) + base, math.log(self.spread.max_std) + base
