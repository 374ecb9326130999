"""Objectives: how prior and posterior are held together. Each returns (B, T) losses, unscaled."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from learner.model.latents import Latents


class Objective(Protocol):
    """Turns the two distributions of the latent into losses."""

    def __call__(self, latents: Latents, post: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """(B, T, S, P) distributions -> named (B, T) losses, weighted among each other."""
        ...


class FreeBits(nn.Module):
    """Dynamics and representation losses, each clipped per step below (DreamerV3, eq. 5).

    Args:
        dynamics: weight of KL(sg(post) || prior).
        representation: weight of KL(post || sg(prior)).
        free: nats per step below which there is no gradient.
    """

    def __init__(self, dynamics: float, representation: float, free: float) -> None:
        super().__init__()
        self.dynamics, self.representation, self.free = dynamics, representation, free

    def forward(self, latents: Latents, post: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """(B, T, S, P) -> dynamics and representation losses (B, T)."""
        dynamics = latents.kl(post.detach(), prior).clamp(min=self.free)
        representation = latents.kl(post, prior.detach()).clamp(min=self.free)
        return {
            "dynamics": self.dynamics * dynamics,
            "representation": self.representation * representation,
        }


class FreeNats(nn.Module):
    """KL(post || prior) with its whole gradient, beyond what is free in each step (PlaNet).

    Args:
        free: nats per step that cost nothing and are not learnt from (3 in arXiv 1811.04551).
        scale: weight; 0 lets prior and posterior go their own ways.
    """

    def __init__(self, free: float, scale: float = 1.0) -> None:
        super().__init__()
        self.free, self.scale = free, scale

    def forward(self, latents: Latents, post: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """(B, T, S, P) -> max(0, KL - free) (B, T) times its weight."""
        return {"kl": self.scale * (latents.kl(post, prior) - self.free).clamp(min=0)}


class AdaptiveBalance(nn.Module):
    """Balanced KL whose scale steers the mean KL to a target (DayDreamer, agent.py, `wmkl`).

    The scale starts at 1 (the reference ignores the configured 0.1), is divided or multiplied by
    1.1 when the batch mean lies 10% below or above the target, and is changed before it is used.

    Args:
        balance: share alpha of the gradient that trains the prior.
        target: nats.
        low: smallest scale.
        high: largest scale.
    """

    scale: Tensor

    def __init__(
        self, balance: float = 0.8, target: float = 3.5, low: float = 1e-3, high: float = 1.0
    ) -> None:
        super().__init__()
        self.balance, self.target, self.low, self.high = balance, target, low, high
        self.register_buffer("scale", torch.ones((), dtype=torch.float32))

    def forward(self, latents: Latents, post: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """(B, T, S, P) -> balanced KL (B, T) times the scale."""
        to_prior = latents.kl(post.detach(), prior)
        to_post = latents.kl(post, prior.detach())
        if torch.is_grad_enabled():
            self.adapt(to_prior.detach().mean())
        mixed = self.balance * to_prior + (1 - self.balance) * to_post
        return {"kl": self.scale.clone() * mixed}

    def adapt(self, mean: Tensor) -> None:
        """Move the scale by one step towards the target."""
        below = mean < self.target / 1.1
        above = mean > self.target * 1.1
        factor = torch.where(below, 1 / 1.1, torch.where(above, 1.1, 1.0))
        self.scale.copy_((self.scale * factor).clamp(self.low, self.high))
