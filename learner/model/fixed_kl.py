"""Divergences of a fixed weight, whose mean over the batch is kept above free nats.

Below them no gradient is left at all: the threshold is on the mean, and not on each step as in
PlaNet and DreamerV3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from learner.model.latents import Latents


def at_least(divergence: Tensor, free: float) -> Tensor:
    """(B, T) nats -> (B, T) of mean max(mean, free), without a gradient where that is `free`."""
    return torch.where(divergence.detach().mean() > free, divergence, free)


class WholeKL(nn.Module):
    """KL(post || prior) with its whole gradient (Dreamer, arXiv 1912.01603; dreamer.py).

    Args:
        scale: weight.
        free: nats of the mean below which nothing is learnt from it (3 in Dreamer).
    """

    def __init__(self, scale: float, free: float) -> None:
        super().__init__()
        self.scale, self.free = scale, free

    def forward(self, latents: Latents, post: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """(B, T, S, P) -> KL (B, T) times its weight."""
        return {"kl": self.scale * at_least(latents.kl(post, prior), self.free)}


class BalancedKL(nn.Module):
    """KL whose gradient is split between prior and posterior (DreamerV2, algorithm 2).

    Args:
        balance: alpha, share of the prior's (0.8 in DreamerV2).
        scale: weight of both together.
        free: nats below which the mean of either gives no gradient (`free_avg`).
    """

    def __init__(self, balance: float, scale: float, free: float) -> None:
        super().__init__()
        self.balance, self.scale, self.free = balance, scale, free

    def forward(self, latents: Latents, post: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """(B, T, S, P) -> KL (B, T) times its weight."""
        to_prior = at_least(latents.kl(post.detach(), prior), self.free)
        to_post = at_least(latents.kl(post, prior.detach()), self.free)
        return {"kl": self.scale * (self.balance * to_prior + (1 - self.balance) * to_post)}
