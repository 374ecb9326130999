"""Where a policy's randomness comes from: seeded noise while it learns, none when it shows."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Noise(Protocol):
    """Gives the random numbers of one policy step."""

    def latent(self, stoch: int) -> Tensor:
        """(1, S) uniform in [0, 1)."""
        ...

    def action(self, width: int) -> Tensor:
        """(1, A) standard normal."""
        ...


class SeededNoise:
    """Independent draws from a generator of its own.

    Args:
        seed: of the generator.
    """

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def latent(self, stoch: int) -> Tensor:
        """(1, S) uniform."""
        return torch.rand(1, stoch, generator=self.generator)

    def action(self, width: int) -> Tensor:
        """(1, A) normal."""
        return torch.randn(1, width, generator=self.generator)


class ModeNoise(SeededNoise):
    """Acts by the mode of the policy; latents are still drawn, as in training."""

    def action(self, width: int) -> Tensor:
        """(1, A) zeros."""
        return torch.zeros(1, width)
