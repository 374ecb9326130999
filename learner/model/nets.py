"""Networks: dense layers with normalisation, stacks of them, and the layer-norm GRU cell.

Weights may be bfloat16 (their optimiser keeps float32 masters); every layer casts its input to the
type of its weights, and recurrent state stays float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Init(Protocol):
    """Fills a weight; `scale` multiplies the variance."""

    def __call__(self, weight: Tensor, fan_in: int, fan_out: int, scale: float) -> None:
        """Fill `weight` in place."""
        ...


def uniform_average(weight: Tensor, fan_in: int, fan_out: int, scale: float) -> None:
    """Uniform of variance scale / mean(fan_in, fan_out) (DayDreamer, tfutils.py)."""
    limit = math.sqrt(3 * scale / ((fan_in + fan_out) / 2))
    nn.init.uniform_(weight, -limit, limit)


def truncated_normal(weight: Tensor, fan_in: int, fan_out: int, scale: float) -> None:
    """Normal of variance scale / fan_in, cut at two deviations (DreamerV3, nets.py)."""
    if scale == 0:
        nn.init.zeros_(weight)
        return
    std = 1.1368 * math.sqrt(scale / fan_in)
    nn.init.trunc_normal_(weight, 0.0, std, -2 * std, 2 * std)


def truncated_average(weight: Tensor, fan_in: int, fan_out: int, scale: float) -> None:
    """Normal of variance scale / mean(fan_in, fan_out), cut at two deviations (DreamerV3, 2023)."""
    truncated_normal(weight, fan_in + fan_out, 0, 2 * scale)


Activation = Callable[[Tensor], Tensor]


class Style:
    """What all layers of one system share.

    Args:
        act: activation.
        init: initialisation of weights.
        eps: of the norm.
        norm: makes what stands between a layer's weights and its activation from the layer's width
            and this style; layer norm unless given.
    """

    def __init__(
        self,
        act: Activation,
        init: Init,
        eps: float = 1e-3,
        norm: Callable[[int, Style], nn.Module] | None = None,
    ) -> None:
        self.act, self.init, self.eps, self.norm = act, init, eps, norm or Norm


class Linear(nn.Module):
    """Affine map (..., in) -> (..., out), computed in the type of its weight."""

    def __init__(
        self, width_in: int, width_out: int, style: Style, bias: bool = True, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width_out, width_in))
        self.bias = nn.Parameter(torch.zeros(width_out)) if bias else None
        style.init(self.weight, width_in, width_out, scale)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


class Norm(nn.Module):
    """Layer normalisation over the last axis."""

    def __init__(self, width: int, style: Style) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps = style.eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps)


class Dense(nn.Module):
    """Linear without bias, the style's norm, activation."""

    def __init__(self, width_in: int, width_out: int, style: Style) -> None:
        super().__init__()
        self.linear = Linear(width_in, width_out, style, bias=False)
        self.norm = style.norm(width_out, style)
        self.act = style.act

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return self.act(self.norm(self.linear(x)))


@dataclass(frozen=True)
class Hidden:
    """Hidden layers of a network: how wide, how many, and of which style."""

    units: int
    layers: int
    style: Style


def mlp(width_in: int, hidden: Hidden) -> nn.Sequential:
    """Stack of dense layers, (..., in) -> (..., units)."""
    widths = [width_in] + [hidden.units] * hidden.layers
    pairs = zip(widths, widths[1:], strict=False)
    return nn.Sequential(*(Dense(a, b, hidden.style) for a, b in pairs))


def to_bfloat16(*parts: nn.Module) -> None:
    """Round all weights to bfloat16, in place.

    Buffers stay as they are: they hold statistics and the scales of observations, which robots
    read in float32, so that rounding them would show the learner another robot.
    """
    for part in parts:
        for weight in part.parameters():
            weight.data = weight.data.bfloat16()


class NormGRU(nn.Module):
    """GRU cell with layer norm over the three gates together (DreamerV2, nets.py, `GRUCell`).

    The reset gate multiplies the candidate's pre-activation, and the update gate leans towards
    keeping: h' = u cand + (1 - u) h with u = sigmoid(p - 1).
    """

    def __init__(self, width_in: int, deter: int, style: Style) -> None:
        super().__init__()
        self.linear = Linear(width_in + deter, 3 * deter, style, bias=False)
        self.norm = Norm(3 * deter, style)

    def forward(self, x: Tensor, deter: Tensor) -> Tensor:
        """(B, in), (B, D) -> (B, D) in float32."""
        gates = self.norm(self.linear(torch.cat([x, deter.to(x.dtype)], -1)))
        reset, cand, update = gates.float().chunk(3, -1)
        cand = torch.tanh(torch.sigmoid(reset) * cand)
        update = torch.sigmoid(update - 1)
        return torch.lerp(deter, cand, update)
