"""Heads: what is predicted from features, and how its loss is taken. Every loss is (B, T)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.nets import Hidden, Linear, mlp


class Head(Protocol):
    """Predicts one quantity from features."""

    def __call__(self, feat: Tensor) -> Tensor:
        """(..., F) -> prediction."""
        ...

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """(B, T, F) and the target -> (B, T), unscaled."""
        ...


class Aside(nn.Module):
    """Trains a head or a decoder on features without a word in what they become.

    Gradients of predictions still reach the features, as an actor in a dream needs them.

    Args:
        part: what is trained aside.
    """

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> prediction."""
        return self.part(feat)

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """(B, T, F) and the target -> (B, T)."""
        return self.part.loss(feat.detach(), target)  # type: ignore[operator]

    def losses(self, feat: Tensor, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """(B, T, F) and what was observed -> named (B, T) losses."""
        return self.part.losses(feat.detach(), observation)  # type: ignore[operator]


def symlog(x: Tensor) -> Tensor:
    """sign(x) ln(1 + |x|) (DreamerV3, arXiv 2301.04104, eq. 9)."""
    return torch.sign(x) * torch.log1p(torch.abs(x))


def symexp(x: Tensor) -> Tensor:
    """Inverse of `symlog`."""
    return torch.sign(x) * torch.expm1(torch.abs(x))


class Trunk(nn.Module):
    """What heads are made of: layers and a final linear map to `outputs`, in float32."""

    def __init__(self, width: int, outputs: int, hidden: Hidden, scale: float) -> None:
        super().__init__()
        self.layers = mlp(width, hidden)
        self.out = Linear(hidden.units, outputs, hidden.style, scale=scale)

    def raw(self, feat: Tensor) -> Tensor:
        """(..., F) -> (..., outputs) float32."""
        return self.out(self.layers(feat)).float()


class VectorHead(Trunk):
    """Predicts a vector; squared error summed over its entries.

    Args:
        width: F, of the features.
        size: entries of the vector.
        hidden: layers between them.
        scale: variance of the last layer's weights, relative to the others'.
    """

    def __init__(self, width: int, size: int, hidden: Hidden, scale: float = 1.0) -> None:
        super().__init__(width, size, hidden, scale)

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (..., size)."""
        return self.raw(feat)

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """(B, T, F), (B, T, size) -> (B, T)."""
        return (self.raw(feat) - target).square().sum(-1)


class SymlogHead(Trunk):
    """Predicts a scalar in symlog space with squared error (DayDreamer, nets.py, `symlog`)."""

    def __init__(self, width: int, hidden: Hidden, scale: float = 0.1) -> None:
        super().__init__(width, 1, hidden, scale)

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (...) in the scalar's own units."""
        return symexp(self.raw(feat).squeeze(-1))

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """(B, T, F), (B, T) -> (B, T)."""
        return (self.raw(feat).squeeze(-1) - symlog(target)).square()


class TwoHotHead(Trunk):
    """Predicts a scalar as a distribution over bins that are even in symlog space.

    DreamerV3 (arXiv 2301.04104) in its January 2023 form: target symlog(x), decoded by
    symexp(sum p b). Weights of the last layer start at zero, so that the first prediction is 0.

    Args:
        width: F, of the features.
        hidden: layers between features and bins.
        bins: number of bins, odd.
        limit: outermost bins are at +-limit in symlog space; targets beyond count as there.

    Raises:
        ValueError: for an even number of bins, among which none stands for zero.
    """

    above: Tensor

    def __init__(self, width: int, hidden: Hidden, bins: int = 255, limit: float = 20.0) -> None:
        if bins < 3 or bins % 2 == 0:
            raise ValueError(f"bins {bins}: allowed is an odd number from 3")
        super().__init__(width, bins, hidden, 0.0)
        self.middle = bins // 2
        self.step = limit / self.middle
        above = self.step * torch.arange(1, self.middle + 1)  # bins above zero
        self.register_buffer("above", above, persistent=False)

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (...) expected value, exactly 0 for uniform probabilities."""
        probs = F.softmax(self.raw(feat), -1)
        # Summed from both ends inwards, so that equal probabilities cancel to exactly zero.
        skew = probs[..., self.middle + 1 :] - probs[..., : self.middle].flip(-1)
        return symexp((skew * self.above).sum(-1))

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """Cross entropy with the two-hot code of the target: (B, T, F), (B, T) -> (B, T)."""
        log_probs = F.log_softmax(self.raw(feat), -1)
        place = (symlog(target) / self.step + self.middle).clamp(0, 2 * self.middle)
        low = place.floor().long()
        high = (low + 1).clamp(max=2 * self.middle)
        share = place - low
        at_low = log_probs.gather(-1, low[..., None]).squeeze(-1)
        at_high = log_probs.gather(-1, high[..., None]).squeeze(-1)
        return -((1 - share) * at_low + share * at_high)


class ContinueHead(Trunk):
    """Predicts the probability that the episode goes on."""

    def __init__(self, width: int, hidden: Hidden, scale: float = 0.1) -> None:
        super().__init__(width, 1, hidden, scale)

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (...) probability."""
        return torch.sigmoid(self.raw(feat).squeeze(-1))

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """Binary cross entropy: (B, T, F), (B, T) in {0, 1} -> (B, T)."""
        raw = self.raw(feat).squeeze(-1)
        return F.binary_cross_entropy_with_logits(raw, target, reduction="none")


class NeverEnds(nn.Module):
    """Stands for the continue head where the task has no terminal states."""

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (...) ones."""
        return feat.new_ones(feat.shape[:-1], dtype=torch.float32)

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """(B, T, F), (B, T) -> (B, T) zeros."""
        return torch.zeros_like(target)
