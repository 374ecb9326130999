"""V of World Models (Ha and Schmidhuber 2018, arXiv 1803.10122): a variational autoencoder.

Pictures go through its convolutions, vectors through an MLP of ours, and robots with both join
the two before the latent. What is seen becomes z of `latent` numbers, each near N(0, 1).

Differs from the paper: its tasks turned pictures to their negatives; here they enter as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.encoders import Inputs
from learner.model.heads import VectorHead
from learner.model.latents import Latents
from learner.model.nets import Hidden, Linear, mlp
from robot.wire.spec import Spec

DEPTHS = (32, 64, 128, 256)
UP = ((128, 5), (64, 5), (32, 6))  # channels and kernels of the way back; the last kernel is 6
FLAT = 1024


class ConvEncoder(nn.Module):
    """(..., 64, 64, C) bytes -> (..., 1024): 64 -> 31 -> 14 -> 6 -> 2, without any norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        pairs = zip((channels, *DEPTHS), DEPTHS, strict=False)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 4, 2) for a, b in pairs)
        self.apply(glorot)

    def forward(self, image: Tensor) -> Tensor:
        """(..., 64, 64, C) uint8 -> (..., 1024)."""
        x = image.flatten(0, -4).movedim(-1, 1).to(_dtype(self.layers[0])) / 255
        for layer in self.layers:
            x = F.relu(layer(x))
        return x.flatten(1).unflatten(0, image.shape[:-3])


class ConvDecoder(nn.Module):
    """(..., z) -> (..., 64, 64, C) in [0, 1]: 1 -> 5 -> 13 -> 30 -> 64."""

    def __init__(self, latent: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Linear(latent, FLAT)
        layers, depth = [], FLAT
        for wider, kernel in (*UP, (channels, 6)):
            layers.append(nn.ConvTranspose2d(depth, wider, kernel, 2))
            depth = wider
        self.layers = nn.ModuleList(layers)
        self.apply(glorot)

    def forward(self, z: Tensor) -> Tensor:
        """(..., z) -> (..., 64, 64, C)."""
        x = self.first(z.flatten(0, -2).to(_dtype(self.first)))[..., None, None]
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        x = torch.sigmoid(self.layers[-1](x).float())
        return x.movedim(1, -1).unflatten(0, z.shape[:-1])


def glorot(module: nn.Module) -> None:
    """Uniform weights by both fans and zero biases, as the paper's framework starts layers."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)


def scaled(specs: Mapping[str, Spec]) -> Inputs:
    """Inputs of these keys; vectors, where there are any, are scaled to deviations of 1."""
    return Inputs(specs, gain=float(not all(spec.is_image for spec in specs.values())))


class VaeEncoder(nn.Module):
    """Observations -> mean and log variance of z, (..., 2 z).

    Args:
        inputs: what is observed.
        latent: z.
        hidden: layers for vectors.
    """

    def __init__(self, inputs: Inputs, latent: int, hidden: Hidden) -> None:
        super().__init__()
        self.inputs, self.width = inputs, 2 * latent
        self.image = ConvEncoder(inputs.channels) if inputs.images else None
        self.vector = mlp(inputs.width, hidden) if inputs.vectors else None
        width = FLAT * bool(inputs.images) + hidden.units * bool(inputs.vectors)
        self.mean = Linear(width, latent, hidden.style)
        self.log_var = Linear(width, latent, hidden.style)

    def forward(self, observation: Mapping[str, Tensor]) -> Tensor:
        """Dict of (..., shape) -> (..., 2 z) float32, means before log variances."""
        parts = []
        if self.image is not None:
            parts.append(self.image(self.inputs.image(observation)))
        if self.vector is not None:
            parts.append(self.vector(self.inputs.vector(observation)))
        seen = torch.cat(parts, -1)
        return torch.cat([self.mean(seen), self.log_var(seen)], -1).float()


class VaeDecoder(nn.Module):
    """Features -> every observed key, from the first `latent` of them, which are z.

    Args:
        inputs: what was observed.
        latent: z.
        hidden: layers for vectors.
    """

    def __init__(self, inputs: Inputs, latent: int, hidden: Hidden) -> None:
        super().__init__()
        self.inputs, self.latent = inputs, latent
        self.image = ConvDecoder(latent, inputs.channels) if inputs.images else None
        self.vector = VectorHead(latent, inputs.width, hidden) if inputs.vectors else None

    def forward(self, feat: Tensor) -> dict[str, Tensor]:
        """(..., F) -> every key (..., shape) in its own units, pictures in [0, 1]."""
        z = feat[..., : self.latent]
        vector = self.vector(z) if self.vector is not None else None
        return self.inputs.told(vector, self.image(z) if self.image is not None else None)

    def losses(self, feat: Tensor, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """(B, T, F), dict of (B, T, shape) -> squared errors summed over entries, (B, T)."""
        losses, z = {}, feat[..., : self.latent]
        if self.image is not None:
            error = self.image(z) - self.inputs.image(observation) / 255.0
            losses["image"] = error.square().sum((-3, -2, -1))
        if self.vector is not None:
            losses["vector"] = self.vector.loss(z, self.inputs.vector(observation))
        return losses


class Tolerance(nn.Module):
    """KL(post || N(0, 1)) of each sample, of which `free` nats per variable cost nothing.

    The prior of the dynamics has no part in it: V learns alone (the reference's `kl_tolerance`).

    Args:
        free: nats per variable of z; 0.5 there.
    """

    def __init__(self, free: float = 0.5) -> None:
        super().__init__()
        self.free = free

    def forward(self, latents: Latents, post: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """(B, T, S, 2) means and deviations -> (B, T)."""
        mean, std = post.unbind(-1)
        kl = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).sum(-1)
        return {"kl": kl.clamp(min=self.free * latents.stoch)}


def _dtype(layer: nn.Module) -> torch.dtype:
    return next(layer.parameters()).dtype
