"""Running statistics by which returns and advantages are scaled, and coefficients that adapt."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn


class AdvantageScale(Protocol):
    """Scales advantages by running statistics."""

    def __call__(self, returns: Tensor, value: Tensor) -> Tensor:
        """(B, H) returns and baselines -> (B, H) scaled advantage; updates the statistics."""
        ...


class Unscaled:
    """Leaves advantages as they are (Dreamer, DreamerV2)."""

    def __call__(self, returns: Tensor, value: Tensor) -> Tensor:
        """(B, H), (B, H) -> (B, H)."""
        return returns - value


class PercentileScale(nn.Module):
    """Divides by the range of returns, never by less than 1 (DreamerV3, arXiv 2301.04104, eq. 12).

    Args:
        rate: of the exponential average of the 5th and 95th percentiles.
    """

    low: Tensor
    high: Tensor

    def __init__(self, rate: float = 0.01) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("low", torch.zeros((), dtype=torch.float32))
        self.register_buffer("high", torch.zeros((), dtype=torch.float32))

    def forward(self, returns: Tensor, value: Tensor) -> Tensor:
        """(B, H), (B, H) -> (B, H)."""
        ends = torch.quantile(returns.detach().flatten(), returns.new_tensor([0.05, 0.95]))
        self.low.lerp_(ends[0], self.rate)
        self.high.lerp_(ends[1], self.rate)
        return (returns - value) / (self.high - self.low).clamp(min=1.0)


class MeanStdScale(nn.Module):
    """Standardises advantages by running moments without bias (DayDreamer, `advnorm: mean_std`).

    Moments are float64, as there: the variance is a small difference of large numbers.

    Args:
        decay: of the exponential averages; the current batch is counted in.
    """

    mean: Tensor
    square: Tensor
    count: Tensor

    def __init__(self, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        for name in ("mean", "square", "count"):
            self.register_buffer(name, torch.zeros((), dtype=torch.float64))

    def forward(self, returns: Tensor, value: Tensor) -> Tensor:
        """(B, H), (B, H) -> (B, H)."""
        advantage = returns - value
        seen = advantage.detach().double()
        self.mean.lerp_(seen.mean(), 1 - self.decay)
        self.square.lerp_(seen.square().mean(), 1 - self.decay)
        self.count.add_(1)
        bias = 1 - self.decay**self.count
        mean = self.mean / bias
        std = (self.square / bias - mean.square()).clamp(min=1e-16).sqrt()
        return (advantage - mean.float()) / std.float()


class Exploration(Protocol):
    """Rewards an actor for staying random."""

    def __call__(self, entropy: Tensor, bounds: tuple[float, float]) -> Tensor:
        """(B, H, A) nats per dimension -> (B, H) bonus to be maximised."""
        ...


class FixedEntropy(nn.Module):
    """Entropy summed over dimensions, times a constant."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, entropy: Tensor, bounds: tuple[float, float]) -> Tensor:
        """(B, H, A) -> (B, H)."""
        return self.scale * entropy.sum(-1)


class AdaptiveEntropy(nn.Module):
    """Normalised entropy with a coefficient per dimension that steers it to a target.

    DayDreamer, agent.py, `actent`: grows by 1.1 while the mean lies 10% below the target, shrinks
    while 10% above; starts at 1.

    Args:
        dims: A.
        target: share of the possible range of entropy, in [0, 1].
        low: smallest coefficient.
        high: largest coefficient.
    """

    scale: Tensor

    def __init__(self, dims: int, target: float, low: float = 1e-5, high: float = 1.0) -> None:
        super().__init__()
        self.target, self.low, self.high = target, low, high
        self.register_buffer("scale", torch.ones(dims, dtype=torch.float32))

    def forward(self, entropy: Tensor, bounds: tuple[float, float]) -> Tensor:
        """(B, H, A) -> (B, H)."""
        share = (entropy - bounds[0]) / (bounds[1] - bounds[0])
        self.adapt(share.detach().flatten(0, -2).mean(0))
        return (self.scale.clone() * share).sum(-1)

    def adapt(self, mean: Tensor) -> None:
        """Move each coefficient one step: (A,) mean share of entropy."""
        below = mean < self.target / 1.1
        above = mean > self.target * 1.1
        factor = torch.where(below, 1.1, torch.where(above, 1 / 1.1, 1.0))
        self.scale.copy_((self.scale * factor).clamp(self.low, self.high))
