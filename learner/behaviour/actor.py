"""Actors: from features to actions, by a number of noise so that gradients flow through."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from learner.model.nets import Linear, Style, mlp


class Normal(NamedTuple):
    """Independent normals: mean and std, (..., A) float32."""

    mean: Tensor
    std: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """(..., A) standard normal noise -> (..., A), with gradients to mean and std."""
        return self.mean + self.std * noise

    def entropy(self) -> Tensor:
        """(..., A) nats of each dimension."""
        return torch.log(self.std) + 0.5 * math.log(2 * math.pi * math.e)


class NormalActor(nn.Module):
    """Normal with tanh mean and bounded deviation (DayDreamer, nets.py, `normal`).

    Samples are not squashed and may leave [-1, 1]; they are clipped on the way to the motors.

    Args:
        width: F, of the features.
        action: A.
        min_std: smallest deviation.
        max_std: largest deviation.
        std_offset: added before the sigmoid; 2 starts at 89% of the range (DreamerV3), 0 at half.
        scale: variance of the last layer's weights, relative to the other layers'.
    """

    def __init__(
        self,
        width: int,
        action: int,
        units: int,
        layers: int,
        style: Style,
        min_std: float,
        max_std: float = 1.0,
        std_offset: float = 0.0,
        scale: float = 0.1,
    ) -> None:
        super().__init__()
        self.layers = mlp(width, units, layers, style)
        self.out = Linear(units, 2 * action, style, scale=scale)
        self.min_std, self.max_std, self.std_offset = min_std, max_std, std_offset
        self.action = action

    def forward(self, feat: Tensor) -> Normal:
        """(..., F) -> distribution of (..., A)."""
        mean, std = self.out(self.layers(feat)).float().chunk(2, -1)
        span = self.max_std - self.min_std
        return Normal(torch.tanh(mean), span * torch.sigmoid(std + self.std_offset) + self.min_std)

    def entropy_bounds(self) -> tuple[float, float]:
        """Least and greatest entropy of one dimension, in nats."""
        base = 0.5 * math.log(2 * math.pi * math.e)
        return math.log(self.min_std) + base, math.log(self.max_std) + base
