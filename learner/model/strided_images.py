"""Convolutions of DreamerV3's first generation (arXiv 2301.04104v1; nets.py, `resnet` of 0 blocks).

64 -> 32 -> 16 -> 8 -> 4 pixels a side by strides of two, with twice the channels each time; and
back.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.nets import Linear, Style

KERNEL, PAD, STAGES, LEAST = 4, 1, 4, 4


class _Stage(nn.Module):
    """A convolution of stride two, norm over channels, activation."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, style: Style, last: bool) -> None:
        super().__init__()
        self.conv, area = conv, KERNEL**2
        style.init(conv.weight, conv.in_channels * area, conv.out_channels * area, 1.0)
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
        self.norm = nn.Identity() if last else style.norm(conv.out_channels, style)
        self.act = nn.Identity() if last else style.act

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        return self.act(self.norm(self.conv(x).movedim(1, -1)).movedim(-1, 1))


class StridedEncoder(nn.Module):
    """(..., 64, 64, C) bytes -> (..., 128 depth).

    Args:
        channels: C.
        depth: channels of the first convolution.
        style: of the layers.
    """

    def __init__(self, channels: int, depth: int, style: Style) -> None:
        super().__init__()
        depths = [channels, *(depth * 2**i for i in range(STAGES))]
        convs = (
            nn.Conv2d(a, b, KERNEL, 2, PAD, bias=False)
            for a, b in zip(depths, depths[1:], strict=False)
        )
        self.layers = nn.Sequential(*(_Stage(conv, style, last=False) for conv in convs))
        self.width = LEAST * LEAST * depths[-1]

    def forward(self, image: Tensor) -> Tensor:
        """(..., 64, 64, C) uint8 -> (..., width)."""
        lead = image.shape[:-3]
        x = image.flatten(0, -4).movedim(-1, 1)
        x = x.to(self.layers[0].conv.weight.dtype) / 255 - 0.5  # type: ignore[union-attr]
        return self.layers(x).flatten(1).unflatten(0, lead)


class StridedDecoder(nn.Module):
    """(..., F) -> (..., 64, 64, C), unbounded around 0.5.

    Args:
        width: F, of the features.
        channels: C.
        depth: channels of the last hidden layer.
        style: of the layers.
    """

    def __init__(self, width: int, channels: int, depth: int, style: Style) -> None:
        super().__init__()
        depths = [*(depth * 2**i for i in reversed(range(STAGES))), channels]
        self.first = Linear(width, LEAST * LEAST * depths[0], style)
        stages = []
        for a, b in zip(depths, depths[1:], strict=False):
            last = len(stages) == STAGES - 1
            conv = nn.ConvTranspose2d(a, b, KERNEL, 2, PAD, bias=last)
            stages.append(_Stage(conv, style, last))
        self.layers = nn.Sequential(*stages)

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (..., 64, 64, C) float32."""
        x = self.first(feat.flatten(0, -2)).unflatten(-1, (-1, LEAST, LEAST))
        return 0.5 + self.layers(x).float().movedim(1, -1).unflatten(0, feat.shape[:-1])

    def loss(self, feat: Tensor, image: Tensor) -> Tensor:
        """Squared error summed over pixels: (B, T, F), (B, T, 64, 64, C) uint8 -> (B, T)."""
        return F.mse_loss(self(feat), image / 255.0, reduction="none").sum((-3, -2, -1))
