"""Convolutions of DreamerV3's current generation (arXiv 2301.04104v2; rssm.py, `simple`).

64 x 64 -> 4 x 4 in four steps, and back: convolutions keep the size, pooling halves it.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.blocks import BlockLinear
from learner.model.images import SIZE
from learner.model.nets import Dense, Linear, Style

GROWTH = (2, 3, 4, 4)  # channels after each convolution, in units of depth
KERNEL = 5
LEAST = SIZE // 2 ** len(GROWTH)  # pixels along a side of the smallest picture


class _Conv(nn.Module):
    """Convolution that keeps the size; its bias is the norm's, where one follows."""

    def __init__(self, depth_in: int, depth_out: int, style: Style, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(depth_in, depth_out, KERNEL, padding=KERNEL // 2, bias=bias)
        area = KERNEL**2
        style.init(self.conv.weight, depth_in * area, depth_out * area, 1.0)
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        return self.conv(x)


class _NormAct(nn.Module):
    """Norm over channels, and activation."""

    def __init__(self, depth: int, style: Style) -> None:
        super().__init__()
        self.norm, self.act = style.norm(depth, style), style.act

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return self.act(self.norm(x.movedim(1, -1))).movedim(-1, 1)


class PooledEncoder(nn.Module):
    """(..., 64, 64, C) bytes -> (..., 64 depth): 64 -> 32 -> 16 -> 8 -> 4 by the largest of four.

    Args:
        channels: C.
        depth: unit of the layers' widths, which are 2, 3, 4 and 4 of it.
        style: of the layers.
    """

    def __init__(self, channels: int, depth: int, style: Style) -> None:
        super().__init__()
        depths = [channels, *(depth * times for times in GROWTH)]
        layers = []
        for a, b in zip(depths, depths[1:], strict=False):
            layers += [_Conv(a, b, style, bias=False), nn.MaxPool2d(2), _NormAct(b, style)]
        self.layers = nn.Sequential(*layers)
        self.width = LEAST * LEAST * depths[-1]

    def forward(self, image: Tensor) -> Tensor:
        """(..., 64, 64, C) uint8 -> (..., width)."""
        lead = image.shape[:-3]
        x = image.flatten(0, -4).movedim(-1, 1)
        x = x.to(self.layers[0].conv.weight.dtype) / 255 - 0.5  # type: ignore[union-attr]
        return self.layers(x).flatten(1).unflatten(0, lead)


class UpsampledDecoder(nn.Module):
    """(..., F) -> (..., 64, 64, C) in [0, 1]: a first picture of 4 x 4, doubled four times.

    Each block of the memory paints some channels of the first picture; the stochastic state, the
    first entries of the features, paints over all of them.

    Args:
        width: F, of the features.
        channels: C.
        depth: unit of the layers' widths.
        style: of the layers.
        deter: D, last entries of the features, a multiple of `blocks`.
        units: half the width of the stochastic state's layer.
        blocks: of the memory.
    """

    def __init__(
        self,
        width: int,
        channels: int,
        depth: int,
        style: Style,
        *,
        deter: int,
        units: int,
        blocks: int = 8,
    ) -> None:
        super().__init__()
        self.widths, self.blocks = (width - deter, deter), blocks
        depths = [depth * times for times in reversed(GROWTH)]
        first = LEAST * LEAST * depths[0]
        self.memory = BlockLinear(deter, first, blocks, style)
        self.stoch = nn.Sequential(
            Dense(width - deter, 2 * units, style), Linear(2 * units, first, style, bias=False)
        )
        self.first, layers = _NormAct(depths[0], style), []
        for a, b in zip(depths, depths[1:], strict=False):
            layers += [nn.Upsample(scale_factor=2), _Conv(a, b, style, bias=False)]
            layers.append(_NormAct(b, style))
        layers += [nn.Upsample(scale_factor=2), _Conv(depths[-1], channels, style, bias=True)]
        self.layers = nn.Sequential(*layers)

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (..., 64, 64, C) float32."""
        stoch, deter = feat.flatten(0, -2).split(self.widths, -1)
        # A block's outputs are a picture of its own; its channels stand together.
        blocks = self.memory(deter).unflatten(-1, (self.blocks, LEAST, LEAST, -1))
        drawn = blocks.permute(0, 2, 3, 1, 4).flatten(-2)  # (N, 4, 4, channels)
        drawn = drawn + self.stoch(stoch).unflatten(-1, (LEAST, LEAST, -1))
        x = self.layers(self.first(drawn.movedim(-1, 1)))
        return x.float().sigmoid().movedim(1, -1).unflatten(0, feat.shape[:-1])

    def loss(self, feat: Tensor, image: Tensor) -> Tensor:
        """Squared error summed over pixels: (B, T, F), (B, T, 64, 64, C) uint8 -> (B, T)."""
        return F.mse_loss(self(feat), image / 255.0, reduction="none").sum((-3, -2, -1))
