"""Predictions as means of normals with a deviation of one: half of a squared error is their loss.

The constant of the density is left out; it moves no weight.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.encoders import Inputs, Observation
from learner.model.heads import ContinueHead, VectorHead
from learner.model.images import ImageDecoder
from learner.model.nets import Hidden, Linear, Style


class NormalHead(VectorHead):
    """Predicts a scalar as it is (PlaNet, Dreamer, DreamerV2: rewards and values)."""

    def __init__(self, width: int, hidden: Hidden, scale: float = 1.0) -> None:
        super().__init__(width, 1, hidden, scale)

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (...)."""
        return self.raw(feat).squeeze(-1)

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """(B, T, F), (B, T) -> (B, T)."""
        return 0.5 * (self(feat) - target).square()


class NormalVectorHead(VectorHead):
    """Predicts a vector; errors are summed over its entries."""

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """(B, T, F), (B, T, size) -> (B, T)."""
        return 0.5 * super().loss(feat, target)


class NormalImageDecoder(ImageDecoder):
    """(..., F) -> (..., 64, 64, C) around zero, as bytes / 255 - 0.5 are (PlaNet and later).

    A linear layer makes the channels of the first picture of one pixel; nothing bounds the last.

    Args:
        width: F, of the features.
        channels: C.
        depth: channels of the last hidden layer.
        style: of the convolutions.
    """

    def __init__(self, width: int, channels: int, depth: int, style: Style) -> None:
        super().__init__(32 * depth, channels, depth, style)
        self.first = Linear(width, 32 * depth, style)

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (..., 64, 64, C)."""
        pixel = self.first(feat.flatten(0, -2))[..., None, None]
        return self.layers(pixel).float().movedim(1, -1).unflatten(0, feat.shape[:-1])

    def loss(self, feat: Tensor, image: Tensor) -> Tensor:
        """Half the squared error, summed over pixels (B, T)."""
        errors = F.mse_loss(self(feat), image / 255.0 - 0.5, reduction="none")
        return 0.5 * errors.sum((-3, -2, -1))


class NormalDecoder(nn.Module):
    """Features -> every observed key.

    Args:
        inputs: what was observed.
        width: F, of the features.
        hidden: layers of the vectors' part.
        depth: channels of the last hidden layer of the images' part.
        convs: style of its convolutions.
    """

    def __init__(
        self, inputs: Inputs, width: int, hidden: Hidden, depth: int, convs: Style
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.vector = NormalVectorHead(width, inputs.width, hidden) if inputs.vectors else None
        images = NormalImageDecoder(width, inputs.channels, depth, convs) if inputs.images else None
        self.image = images

    def forward(self, feat: Tensor) -> dict[str, Tensor]:
        """(..., F) -> every key (..., shape) in its own units, pictures as bytes / 255."""
        vector = self.vector(feat) if self.vector is not None else None
        return self.inputs.told(vector, self.image(feat) + 0.5 if self.image is not None else None)

    def losses(self, feat: Tensor, observation: Observation) -> dict[str, Tensor]:
        """(B, T, F) and dict of (B, T, shape) -> named (B, T) losses."""
        losses = {}
        if self.vector is not None:
            losses["vector"] = self.vector.loss(feat, self.inputs.vector(observation))
        if self.image is not None:
            losses["image"] = self.image.loss(feat, self.inputs.image(observation))
        return losses


class DiscountHead(ContinueHead):
    """Learns the discount, gamma where the episode goes on (Dreamer, DreamerV2: `pcont`).

    Says it as a probability to go on, the discount over gamma; up to 1 / gamma where it is unsure.

    Args:
        width: F, of the features.
        hidden: layers between them.
        gamma: discount per step.
    """

    def __init__(self, width: int, hidden: Hidden, gamma: float) -> None:
        super().__init__(width, hidden, scale=1.0)
        self.gamma = gamma

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (...)."""
        return super().forward(feat) / self.gamma

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """Cross entropy with the soft target gamma c: (B, T, F), (B, T) in {0, 1} -> (B, T)."""
        return super().loss(feat, self.gamma * target)
