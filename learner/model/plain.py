"""What the first Dreamers are made of: layers without norm, Keras' GRU, latents without unimix."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.latents import Categoricals, Gaussians
from learner.model.nets import Activation, Linear, NormGRU, Style


class Offset(nn.Module):
    """Stands for the norm of a dense layer that has none: adds the layer's bias."""

    def __init__(self, width: int, style: Style) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return x + self.bias


def no_norm(width: int, style: Style) -> nn.Module:
    """Stands for the norm of a convolution that has none; its bias is its own."""
    return nn.Identity()


def glorot_uniform(weight: Tensor, fan_in: int, fan_out: int, scale: float) -> None:
    """Keras' default: uniform of variance 2 scale / (fan_in + fan_out), kernel areas counted in.

    Fans are read from the weight's shape, (out, in, ...) or (in, out, ...).
    """
    fans = (weight.shape[0] + weight.shape[1]) * weight[0, 0].numel()
    limit = math.sqrt(6 * scale / fans)
    nn.init.uniform_(weight, -limit, limit)


def dense_style(act: Activation) -> Style:
    """Dense layers as in Keras: a bias and no norm."""
    return Style(act, glorot_uniform, norm=Offset)


def conv_style(act: Activation) -> Style:
    """Convolutions as in Keras: a bias of their own and no norm."""
    return Style(act, glorot_uniform, norm=no_norm)


class BiasedNormGRU(NormGRU):
    """Layer-norm GRU whose linear map keeps its bias (DreamerV2, common/nets.py, `GRUCell`)."""

    def __init__(self, width_in: int, deter: int, style: Style) -> None:
        super().__init__(width_in, deter, style)
        self.linear = Linear(width_in + deter, 3 * deter, style)


class BareGRU(BiasedNormGRU):
    """The same cell without its norm (DreamerV2, arXiv 2010.02193, table 2, "no layer norm")."""

    def __init__(self, width_in: int, deter: int, style: Style) -> None:
        super().__init__(width_in, deter, style)
        self.norm = nn.Identity()


class KerasGRU(nn.Module):
    """GRU of Keras with `reset_after`, as in Dreamer (arXiv 1912.01603; models.py).

    h' = u h + (1 - u) tanh(W x + b + r (U h + c)): the reset gate multiplies what the memory gives.
    """

    def __init__(self, width_in: int, deter: int, style: Style) -> None:
        super().__init__()
        self.of_input = Linear(width_in, 3 * deter, style)
        self.of_memory = Linear(deter, 3 * deter, style)
        nn.init.orthogonal_(self.of_memory.weight)

    def forward(self, x: Tensor, deter: Tensor) -> Tensor:
        """(B, in), (B, D) -> (B, D) in float32."""
        seen = self.of_input(x).float().chunk(3, -1)
        kept = self.of_memory(deter).float().chunk(3, -1)
        update, reset = (torch.sigmoid(a + b) for a, b in zip(seen[:2], kept[:2], strict=True))
        cand = torch.tanh(seen[2] + reset * kept[2])
        return torch.lerp(cand, deter, update)


class PureCategoricals(Categoricals):
    """Categoricals without a share of the uniform, finite however sure (DreamerV2)."""

    def __init__(self, stoch: int, classes: int) -> None:
        super().__init__(stoch, classes, unimix=0.0)

    def dist(self, raw: Tensor) -> Tensor:
        """(..., S * C) network output -> (..., S, C) log probabilities in float32."""
        return F.log_softmax(raw.float().unflatten(-1, (self.stoch, self.classes)), -1)


class SigmoidGaussians(Gaussians):
    """Normals with std = 2 sigmoid(raw / 2) + min_std (DreamerV2, common/nets.py, `sigmoid2`)."""

    def dist(self, raw: Tensor) -> Tensor:
        """(..., 2 S) network output, means before deviations -> (..., S, 2) float32."""
        mean, std = raw.float().chunk(2, -1)
        return torch.stack([mean, 2 * torch.sigmoid(std / 2) + self.min_std], -1)
