"""LaProp with adaptive gradient clipping: the one optimiser of DreamerV3 (arXiv 2301.04104v2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from learner.train.optimisers import BETAS, Adam, AdamSettings, Flat

LEAST_NORM = 1e-3  # below which a tensor's norm counts as this
UNCLIPPED = 1e20


@dataclass(frozen=True)
class LaPropSettings:
    """Numbers of LaProp; the defaults are those of DreamerV3's configs.yaml, `opt`.

    Args:
        lr: step size.
        warmup: steps in which it rises from 0 in a line; with 0 it is full at once.
        clip: largest norm of a tensor's gradient, as a share of the tensor's own.
        eps: added to the root of the second moment, after bias correction.
    """

    lr: float = 4e-5
    warmup: int = 1000
    clip: float = 0.3
    eps: float = 1e-20

    def rate(self, done: int) -> float:
        """Step size after `done` steps; with a warm-up, the very first step moves nothing."""
        return self.lr * min(1.0, done / self.warmup) if self.warmup else self.lr


class LaProp(Adam):
    """Normalises gradients before it averages them, where Adam averages first (arXiv 2002.04839).

    Before that every tensor's gradient is clipped by its own size (AGC, arXiv 2102.06171, by
    tensor). Memory is laid out as in `Adam`: flat, with float32 masters and moments.

    Args:
        params: what is trained; those without requires_grad are left alone.
        settings: its numbers.
    """

    def __init__(self, params: Iterable[nn.Parameter], settings: LaPropSettings) -> None:
        super().__init__(params, AdamSettings(settings.lr, settings.eps, clip=UNCLIPPED))
        self.numbers = settings

    def _descend(self, flat: Flat, grad: Tensor) -> None:
        clip_by_tensor(grad, flat, self.numbers.clip)
        steps = int(self.steps)
        flat.square.mul_(BETAS[1]).addcmul_(grad, grad, value=1 - BETAS[1])
        root = (flat.square / (1 - BETAS[1] ** steps)).sqrt_().add_(self.numbers.eps)
        flat.mean.lerp_(grad.div_(root), 1 - BETAS[0])
        rate = self.numbers.rate(steps - 1) / (1 - BETAS[0] ** steps)
        flat.master.add_(flat.mean, alpha=-rate)


def clip_by_tensor(grad: Tensor, flat: Flat, share: float) -> None:
    """Scale each tensor's gradient down to `share` of the tensor's norm, in place.

    Args:
        grad: (size,) gradients of all tensors of `flat`.
        flat: the weights.
        share: see above; a norm below `LEAST_NORM` counts as that.
    """
    sizes = [p.numel() for p in flat.params]
    pieces = grad.split(sizes)
    norms = torch.stack([torch.linalg.vector_norm(piece) for piece in pieces])
    weights = torch.stack([torch.linalg.vector_norm(piece) for piece in flat.master.split(sizes)])
    most = share * weights.clamp(min=LEAST_NORM)
    for piece, scale in zip(pieces, (most / norms.clamp(min=1e-30)).tolist(), strict=True):
        if scale < 1:
            piece.mul_(scale)
