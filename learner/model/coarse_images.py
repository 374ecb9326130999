"""Pictures of few bits, so that a model spends nothing on shades that do not matter (PlaNet).

As in Glow (arXiv 1807.03039), noise within a step makes the shades continuous while learning; a
robot, which does not learn, sees the middle of each step.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from learner.model.encoders import Inputs, Observation
from learner.model.images import ImageEncoder
from robot.wire.spec import Spec

BITS = 5  # PlaNet, arXiv 1811.04551, section 3: `image_bits`


class CoarseInputs(Inputs):
    """Inputs whose pictures have `2 ** bits` shades, told in bytes: 0 to 255, not whole numbers.

    Divided by 255 they are floor(x / 8) / 32 + u for a byte x, u uniform in [0, 1/32) for 5 bits.
    Differs from the released code (planet, preprocess.py) in that encoder and decoder are shown
    different noise, which foretells nothing.

    Args:
        specs: spec of each key to use.
        gain: what a typical deviation of a vector is scaled to.
        bits: of a shade.
    """

    def __init__(self, specs: Mapping[str, Spec], gain: float, bits: int = BITS) -> None:
        super().__init__(specs, gain)
        self.bits = bits

    def image(self, observation: Observation) -> Tensor:
        """All image keys joined on channels, (..., 64, 64, channels) float32 in [0, 255)."""
        shade = (super().image(observation) >> (8 - self.bits)).float()
        within = torch.rand_like(shade) if torch.is_grad_enabled() else 0.5
        return (shade + within) * (255 / 2**self.bits)


class CentredEncoder(ImageEncoder):
    """Convolutions that read shades around zero: bytes / 255 - 0.5 (PlaNet, Dreamer)."""

    def forward(self, image: Tensor) -> Tensor:
        """(..., 64, 64, C) in [0, 255] -> (..., width)."""
        return super().forward(image.float() - 127.5)
