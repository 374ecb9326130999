"""Critics: what values states, and how a slow copy of it steadies the targets."""

from __future__ import annotations

import copy
from typing import Protocol

import torch
from torch import Tensor, nn


class Critic(Protocol):
    """Values states of a dream."""

    def __call__(self, feat: Tensor) -> Tensor:
        """(B, H+1, F) -> (B, H+1) values that returns are built from."""
        ...

    def loss(self, feat: Tensor, returns: Tensor) -> Tensor:
        """(B, H, F), (B, H) detached returns -> (B, H) loss, unscaled."""
        ...

    def follow(self) -> None:
        """Move the slow copy; called after each critic update."""
        ...


class OwnTargetCritic(nn.Module):
    """Builds its targets itself, with nothing to steady them (Dreamer, arXiv 1912.01603).

    Args:
        head: the value head.
    """

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (...)."""
        return self.head(feat)

    def loss(self, feat: Tensor, returns: Tensor) -> Tensor:
        """(B, H, F), (B, H) -> (B, H)."""
        return self.head.loss(feat, returns)  # type: ignore[operator]

    def follow(self) -> None:
        """There is no copy to move."""


class SlowTargetCritic(nn.Module):
    """Targets come from a copy that is renewed now and then (DreamerV2, DayDreamer).

    Differs from the reference in that the copy starts equal and not random.

    Args:
        head: the value head.
        every: critic updates between two renewals; the first one renews too.
    """

    updates: Tensor

    def __init__(self, head: nn.Module, every: int = 100) -> None:
        super().__init__()
        self.head, self.every = head, every
        self.slow = copy.deepcopy(head).requires_grad_(False)
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (...) by the slow copy."""
        return self.slow(feat)

    def loss(self, feat: Tensor, returns: Tensor) -> Tensor:
        """(B, H, F), (B, H) -> (B, H)."""
        return self.head.loss(feat, returns)  # type: ignore[operator]

    @torch.no_grad()
    def follow(self) -> None:
        """Copy the weights when it is time."""
        if int(self.updates) % self.every == 0:
            for old, new in zip(self.slow.parameters(), self.head.parameters(), strict=True):
                old.copy_(new)
        self.updates.add_(1)


class SteadiedCritic(nn.Module):
    """Builds its targets itself, and is held near its own moving average (DreamerV3, section 3).

    Args:
        head: the value head.
        rate: of the moving average.
    """

    def __init__(self, head: nn.Module, rate: float = 0.02) -> None:
        super().__init__()
        self.head, self.rate = head, rate
        self.average = copy.deepcopy(head).float().requires_grad_(False)
        self.slow = copy.deepcopy(head).requires_grad_(False)

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (...) by the fast head."""
        return self.head(feat)

    def loss(self, feat: Tensor, returns: Tensor) -> Tensor:
        """(B, H, F), (B, H) -> (B, H): towards the returns and towards the slow values."""
        with torch.no_grad():
            slow = self.slow(feat)
        return self.head.loss(feat, returns) + self.head.loss(feat, slow)  # type: ignore[operator]

    @torch.no_grad()
    def follow(self) -> None:
        """Move the average by one step, in float32; the slow head is its rounded copy."""
        trio = (self.average.parameters(), self.head.parameters(), self.slow.parameters())
        for average, fast, slow in zip(*trio, strict=True):
            average.lerp_(fast.float(), self.rate)
            slow.copy_(average)
