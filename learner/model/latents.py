"""Categorical latents: sampling with straight-through gradients, and their divergence."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


class Categoricals:
    """`stoch` independent categoricals of `classes` each, mixed with a little of the uniform.

    Unimix keeps every probability above unimix / classes, so that divergences stay finite
    (DayDreamer, nets.py; DreamerV3, arXiv 2301.04104, "1% unimix").

    Args:
        stoch: S, number of variables.
        classes: C, values of each.
        unimix: share of the uniform distribution.
    """

    def __init__(self, stoch: int, classes: int, unimix: float = 0.01) -> None:
        self.stoch, self.classes, self.unimix = stoch, classes, unimix
        self.width = stoch * classes

    def log_probs(self, raw: Tensor) -> Tensor:
        """(..., S * C) network output -> (..., S, C) log probabilities in float32."""
        probs = F.softmax(raw.float().unflatten(-1, (self.stoch, self.classes)), -1)
        return torch.log((1 - self.unimix) * probs + self.unimix / self.classes)

    def sample(self, log_probs: Tensor, noise: Tensor) -> Tensor:
        """Draw one-hot vectors whose gradient is that of the probabilities.

        Args:
            log_probs: (..., S, C).
            noise: (..., S) uniform in [0, 1): one number per variable is enough, by inversion.

        Returns:
            (..., S * C) float32 one-hot, flattened.
        """
        probs = log_probs.exp()
        upper = probs.detach().cumsum(-1)
        passed = (upper <= noise[..., None] * upper[..., -1:]).sum(-1)
        hot = F.one_hot(passed.clamp(max=self.classes - 1), self.classes).float()
        # The bracket is exactly zero, so that the sum is exactly one-hot.
        return (hot + (probs - probs.detach())).flatten(-2)

    def mode(self, log_probs: Tensor) -> Tensor:
        """(..., S, C) -> (..., S * C) one-hot of the likeliest value, without a gradient."""
        return F.one_hot(log_probs.argmax(-1), self.classes).float().flatten(-2)


def kl(post: Tensor, prior: Tensor) -> Tensor:
    """KL(post || prior) in nats, summed over the variables: (..., S, C) log probs -> (...)."""
    return (post.exp() * (post - prior)).sum((-2, -1))


def entropy(log_probs: Tensor) -> Tensor:
    """Entropy in nats summed over the variables: (..., S, C) -> (...)."""
    return -(log_probs.exp() * log_probs).sum((-2, -1))
