"""Stochastic states: how they are distributed, sampled and compared.

Each variable is drawn with one uniform number by inversion, whatever its distribution, so that the
same noise gives the same draw wherever it is taken.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

# Uniform noise is kept this far from 0 and 1, where a normal's inverse is infinite.
EDGE = 1e-6


class Latents(Protocol):
    """A kind of stochastic state.

    Attributes:
        stoch: S, variables; each takes one number of noise.
        width: of a flattened sample.
        raw: outputs that a network must have for one distribution.
    """

    stoch: int
    width: int
    raw: int

    def dist(self, raw: Tensor) -> Tensor:
        """(..., raw) network output -> (..., S, P) float32 parameters."""
        ...

    def sample(self, dist: Tensor, noise: Tensor) -> Tensor:
        """(..., S, P), (..., S) uniform in [0, 1) -> (..., width), with gradients to `dist`."""
        ...

    def mode(self, dist: Tensor) -> Tensor:
        """(..., S, P) -> (..., width) likeliest value, without a gradient."""
        ...

    def kl(self, post: Tensor, prior: Tensor) -> Tensor:
        """KL(post || prior) in nats, summed over the variables: (..., S, P) -> (...)."""
        ...

    def entropy(self, dist: Tensor) -> Tensor:
        """Entropy in nats, summed over the variables: (..., S, P) -> (...)."""
        ...


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
        self.width = self.raw = stoch * classes

    def dist(self, raw: Tensor) -> Tensor:
        """(..., S * C) network output -> (..., S, C) log probabilities in float32."""
        probs = F.softmax(raw.float().unflatten(-1, (self.stoch, self.classes)), -1)
        return torch.log((1 - self.unimix) * probs + self.unimix / self.classes)

    def sample(self, dist: Tensor, noise: Tensor) -> Tensor:
        """Draw one-hot vectors whose gradient is that of the probabilities.

        Args:
            dist: (..., S, C) log probabilities.
            noise: (..., S) uniform in [0, 1): one number per variable is enough, by inversion.

        Returns:
            (..., S * C) float32 one-hot, flattened.
        """
        probs = dist.exp()
        upper = probs.detach().cumsum(-1)
        passed = (upper <= noise[..., None] * upper[..., -1:]).sum(-1)
        hot = F.one_hot(passed.clamp(max=self.classes - 1), self.classes).float()
        # The bracket is exactly zero, so that the sum is exactly one-hot.
        return (hot + (probs - probs.detach())).flatten(-2)

    def mode(self, dist: Tensor) -> Tensor:
        """(..., S, C) -> (..., S * C) one-hot of the likeliest value, without a gradient."""
        return F.one_hot(dist.argmax(-1), self.classes).float().flatten(-2)

    def kl(self, post: Tensor, prior: Tensor) -> Tensor:
        """KL(post || prior) in nats, summed over the variables: (..., S, C) -> (...)."""
        return (post.exp() * (post - prior)).sum((-2, -1))

    def entropy(self, dist: Tensor) -> Tensor:
        """Entropy in nats, summed over the variables: (..., S, C) -> (...)."""
        return -(dist.exp() * dist).sum((-2, -1))


class Gaussians:
    """`stoch` independent normals: P is (mean, std).

    std = softplus(raw) + min_std (PlaNet, arXiv 1811.04551; Dreamer, arXiv 1912.01603).

    Args:
        stoch: S, number of variables.
        min_std: smallest deviation.
    """

    def __init__(self, stoch: int, min_std: float = 0.1) -> None:
        self.stoch, self.min_std = stoch, min_std
        self.width, self.raw = stoch, 2 * stoch

    def dist(self, raw: Tensor) -> Tensor:
        """(..., 2 S) network output, means before deviations -> (..., S, 2) float32."""
        mean, std = raw.float().chunk(2, -1)
        return torch.stack([mean, F.softplus(std) + self.min_std], -1)

    def sample(self, dist: Tensor, noise: Tensor) -> Tensor:
        """(..., S, 2), (..., S) uniform -> (..., S), reparameterised."""
        normal = torch.special.ndtri(noise.clamp(EDGE, 1 - EDGE))
        return dist[..., 0] + dist[..., 1] * normal

    def mode(self, dist: Tensor) -> Tensor:
        """(..., S, 2) -> (..., S) means."""
        return dist[..., 0].detach()

    def kl(self, post: Tensor, prior: Tensor) -> Tensor:
        """KL(post || prior) in nats, summed over the variables: (..., S, 2) -> (...)."""
        ratio = (post[..., 1] / prior[..., 1]).square()
        apart = ((post[..., 0] - prior[..., 0]) / prior[..., 1]).square()
        return 0.5 * (ratio + apart - 1 - ratio.log()).sum(-1)

    def entropy(self, dist: Tensor) -> Tensor:
        """Entropy in nats, summed over the variables: (..., S, 2) -> (...)."""
        return (dist[..., 1].log() + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)
