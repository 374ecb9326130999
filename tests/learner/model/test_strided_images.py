"""Strided convolutions: shapes, counts, and losses by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from learner.model.nets import Style, to_bfloat16, truncated_average
from learner.model.strided_images import StridedDecoder, StridedEncoder

STYLE = Style(F.silu, truncated_average)


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_shapes():
    encoder = StridedEncoder(3, 2, STYLE)
    seen = encoder(torch.randint(0, 256, (2, 5, 64, 64, 3), dtype=torch.uint8))
    assert seen.shape == (2, 5, 4 * 4 * 16) and encoder.width == 256
    assert StridedDecoder(7, 3, 2, STYLE)(torch.randn(2, 5, 7)).shape == (2, 5, 64, 64, 3)


def test_weights_counted_by_hand():
    """16 k^2 per pair of channels, an offset and a gain per channel where a norm follows."""
    pairs = [(3, 4), (4, 8), (8, 16), (16, 32)]
    assert count(StridedEncoder(3, 4, STYLE)) == sum(16 * a * b + 2 * b for a, b in pairs)
    first = (7 + 1) * 4 * 4 * 32
    back = sum(16 * a * b + 2 * b for a, b in [(32, 16), (16, 8), (8, 4)])
    assert count(StridedDecoder(7, 3, 4, STYLE)) == first + back + 16 * 4 * 3 + 3


def test_an_untold_picture_is_grey_and_the_loss_its_squared_error():
    decoder, image = StridedDecoder(7, 3, 2, STYLE), torch.zeros(1, 1, 64, 64, 3, dtype=torch.uint8)
    last = decoder.layers[-1].conv
    nn.init.zeros_(last.weight)  # type: ignore[union-attr,arg-type]
    assert decoder(torch.randn(1, 1, 7)).eq(0.5).all()
    loss = decoder.loss(torch.randn(1, 1, 7), image)
    assert float(loss.detach()) == pytest.approx(0.25 * 64 * 64 * 3, rel=1e-6)


def test_first_weights_have_the_variance_of_the_mean_fan():
    """Fans of 16 x 8 and 16 x 16 entries average to 192; cut at two deviations."""
    weight = StridedEncoder(3, 8, STYLE).layers[1].conv.weight.detach().numpy()  # type: ignore[union-attr,operator]
    assert weight.std() == pytest.approx(np.sqrt(1 / 192), rel=0.03)
    assert np.abs(weight).max() <= 2 * 1.1368 * np.sqrt(1 / 192)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_gradients_reach_every_weight_in_bfloat16(part: str):
    module = StridedEncoder(3, 2, STYLE) if part == "encoder" else StridedDecoder(7, 3, 2, STYLE)
    to_bfloat16(module)
    image = torch.randint(0, 256, (2, 3, 64, 64, 3), dtype=torch.uint8)
    made = module(image) if part == "encoder" else module(torch.randn(2, 3, 7))
    made.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.ne(0).any() for p in module.parameters())
