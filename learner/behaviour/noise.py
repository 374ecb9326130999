"""Where a policy's randomness comes from: seeded noise while it learns, none when it shows."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor


class Noise(Protocol):
    """Gives the random numbers of one policy step.

    Attributes:
        exploring: whether actions are to be tried; if not, the policy shows its best.
        scale: of the noise of actions; less than 1 for a policy that need not try much any more.
    """

    exploring: bool
    scale: float

    def latent(self, stoch: int) -> Tensor:
        """(1, S) uniform in [0, 1)."""
        ...

    def action(self, width: int) -> Tensor:
        """(1, A) normal with std `scale`, zeros when not exploring."""
        ...

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers for a search, exploring or not."""
        ...

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1) for a search, exploring or not."""
        ...


class SeededNoise:
    """Independent draws from a generator of its own.

    Args:
        seed: of the generator.
    """

    exploring = True

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.scale = 1.0

    def latent(self, stoch: int) -> Tensor:
        """(1, S) uniform."""
        return self.uniform(1, stoch)

    def action(self, width: int) -> Tensor:
        """(1, A) normal."""
        return self.scale * self._standard(width)

    def _standard(self, width: int) -> Tensor:
        return self.normal(1, width)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal."""
        return torch.randn(*shape, generator=self.generator)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform."""
        return torch.rand(*shape, generator=self.generator)


class SmoothNoise(SeededNoise):
    """Action noise that stays for a while: standard normal at every step, correlated over time.

    A robot's filters swallow white noise, so that a policy with little of it never leaves where it
    is. Noise of the same size that lasts moves the body (compare pink noise, Eberhard et al.,
    ICLR 2023). It is a first-order autoregression, so each step's distribution is the policy's.

    Args:
        seed: of the generator.
        correlation: of two successive steps, in [0, 1).
    """

    def __init__(self, seed: int, correlation: float) -> None:
        super().__init__(seed)
        self.correlation = correlation
        self._last: Tensor | None = None

    def _standard(self, width: int) -> Tensor:
        fresh = super()._standard(width)
        if self._last is not None:
            share = math.sqrt(1 - self.correlation**2)
            fresh = self.correlation * self._last + share * fresh
        self._last = fresh
        return fresh


class ModeNoise(SeededNoise):
    """Acts by the mode of the policy; latents are still drawn, as in training."""

    exploring = False

    def action(self, width: int) -> Tensor:
        """(1, A) zeros."""
        return torch.zeros(1, width)
