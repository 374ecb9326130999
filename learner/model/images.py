"""Convolutional encoder and decoder of 64x64 pictures (DayDreamer, nets.py, `simple` variant)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.nets import Style

SIZE = 64
KERNELS = (4, 4, 4, 4)
UP_KERNELS = (5, 5, 6, 6)


class _Conv(nn.Module):
    """Strided valid convolution, norm over channels, activation."""

    def __init__(self, depth_in: int, depth_out: int, kernel: int, style: Style) -> None:
        super().__init__()
        self.conv = nn.Conv2d(depth_in, depth_out, kernel, 2)
        # The reference leaves the kernel's area out of a convolution's fan.
        style.init(self.conv.weight, depth_in, depth_out, 1.0)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]
        self.norm = style.norm(depth_out, style)
        self.act = style.act

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        return self.act(self.norm(self.conv(x).movedim(1, -1)).movedim(-1, 1))


class _Deconv(nn.Module):
    """Strided valid transposed convolution; the last one has no norm and no activation."""

    def __init__(
        self, depth_in: int, depth_out: int, kernel: int, style: Style, last: bool
    ) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(depth_in, depth_out, kernel, 2)
        area = kernel * kernel
        style.init(self.conv.weight, depth_in * area, depth_out * area, 1.0)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]
        self.norm = nn.Identity() if last else style.norm(depth_out, style)
        self.act = nn.Identity() if last else style.act

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        return self.act(self.norm(self.conv(x).movedim(1, -1)).movedim(-1, 1))


class ImageEncoder(nn.Module):
    """(..., 64, 64, C) bytes -> (..., 32 depth): four halvings, 64 -> 31 -> 14 -> 6 -> 2."""

    def __init__(self, channels: int, depth: int, style: Style) -> None:
        super().__init__()
        depths = [channels] + [depth * 2**i for i in range(4)]
        layers = zip(depths, depths[1:], KERNELS, strict=False)
        self.layers = nn.Sequential(*(_Conv(a, b, k, style) for a, b, k in layers))
        self.width = 4 * depths[-1]

    def forward(self, image: Tensor) -> Tensor:
        """(..., 64, 64, C) uint8 -> (..., width)."""
        lead = image.shape[:-3]
        x = image.flatten(0, -4).movedim(-1, 1)
        x = x.to(self.layers[0].conv.weight.dtype) / 255  # type: ignore[union-attr]
        return self.layers(x).flatten(1).unflatten(0, lead)


class ImageDecoder(nn.Module):
    """(..., F) -> (..., 64, 64, C) in [0, 1]: 1 -> 5 -> 13 -> 30 -> 64.

    As in the reference, the features are the channels of a first picture of one pixel.
    """

    def __init__(self, width: int, channels: int, depth: int, style: Style) -> None:
        super().__init__()
        depths = [width, 4 * depth, 2 * depth, depth, channels]
        layers = enumerate(zip(depths, depths[1:], UP_KERNELS, strict=False))
        self.layers = nn.Sequential(
            *(_Deconv(a, b, kernel, style, last=i == 3) for i, (a, b, kernel) in layers)
        )

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (..., 64, 64, C)."""
        lead = feat.shape[:-1]
        x = feat.flatten(0, -2)[..., None, None].to(self.layers[0].conv.weight.dtype)  # type: ignore[union-attr]
        return self.layers(x).float().sigmoid().movedim(1, -1).unflatten(0, lead)

    def loss(self, feat: Tensor, image: Tensor) -> Tensor:
        """Squared error summed over pixels (B, T); no half and no constant."""
        return F.mse_loss(self(feat), image / 255.0, reduction="none").sum((-3, -2, -1))
