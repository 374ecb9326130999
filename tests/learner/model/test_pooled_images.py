"""Pooled convolutions: shapes, counts, values by hand and which memory paints what."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from learner.model.blocks import RMSNorm
from learner.model.nets import Style, to_bfloat16, truncated_normal
from learner.model.pooled_images import PooledEncoder, UpsampledDecoder

STYLE = Style(F.silu, truncated_normal, eps=1e-4, norm=RMSNorm)
BARE = Style(lambda x: x, truncated_normal, norm=lambda width, style: nn.Identity())


def decoder(width: int = 40, deter: int = 24, style: Style = STYLE) -> UpsampledDecoder:
    return UpsampledDecoder(width, 3, 4, style, deter=deter, units=8)


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_shapes_and_ranges():
    encoder = PooledEncoder(3, 2, STYLE)
    seen = encoder(torch.randint(0, 256, (2, 5, 64, 64, 3), dtype=torch.uint8))
    assert seen.shape == (2, 5, 128) and encoder.width == 128
    drawn = decoder()(torch.randn(2, 5, 40))
    assert drawn.shape == (2, 5, 64, 64, 3) and drawn.ge(0).all() and drawn.le(1).all()


def test_weights_counted_by_hand():
    """25 k^2 per pair of channels, an offset and a gain per channel after it."""
    pairs = [(3, 8), (8, 12), (12, 16), (16, 16)]
    assert count(PooledEncoder(3, 4, STYLE)) == sum(25 * a * b + 2 * b for a, b in pairs)
    first = 4 * 4 * 16
    memory, stoch = 24 // 8 * first, 16 * 16 + 2 * 16 + 16 * first
    back = sum(25 * a * b + 2 * b for a, b in [(16, 16), (16, 12), (12, 8)])
    assert count(decoder()) == memory + stoch + 2 * 16 + back + 25 * 8 * 3 + 3


def test_an_encoder_shows_the_brightest_of_every_patch():
    """With kernels that copy their middle, what is left of 16 x 16 pixels is the largest."""
    encoder = PooledEncoder(1, 1, BARE)
    for conv in encoder.modules():
        if isinstance(conv, nn.Conv2d):
            conv.weight.data.zero_()
            conv.weight.data[0, 0, 2, 2] = 1
    image = torch.randint(0, 256, (1, 64, 64, 1), dtype=torch.uint8)
    expected = np.zeros((4, 4))
    for row in range(4):
        for column in range(4):
            patch = image[0, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16, 0]
            expected[row, column] = int(patch.max()) / 255 - 0.5
    np.testing.assert_allclose(
        encoder(image).unflatten(-1, (4, 4, 4))[0, 0].detach(), expected, atol=1e-6
    )


def test_a_block_of_the_memory_paints_channels_of_its_own():
    made: list[torch.Tensor] = []
    drawing = decoder(style=BARE)
    drawing.first.register_forward_pre_hook(lambda _, given: made.extend(given))
    feat = torch.randn(1, 40, requires_grad=True)
    drawing(feat)
    (slope,) = torch.autograd.grad(made[0][:, 4:6].sum(), feat)  # 16 channels, two of each block
    assert slope[:, :16].ne(0).all(), "the stochastic state paints everywhere"
    assert slope[:, 16 + 6 : 16 + 9].ne(0).all(), "block 2 of the memory has entries 6 to 8"
    rest = [*range(16, 22), *range(25, 40)]
    assert slope[:, rest].eq(0).all()


def test_doubling_repeats_pixels():
    """Kernels that copy: each pixel of the 4 x 4 picture becomes 16 x 16 equal ones."""
    drawing = decoder(style=BARE)
    for conv in drawing.modules():
        if isinstance(conv, nn.Conv2d):
            conv.weight.data.zero_()
            conv.weight.data[0, 0, 2, 2] = 1
    made: list[torch.Tensor] = []
    drawing.layers.register_forward_pre_hook(lambda _, given: made.extend(given))
    picture = drawing(torch.randn(1, 40))[0, ..., 0].detach().numpy()
    small = made[0][0, 0].sigmoid().detach().numpy()
    np.testing.assert_allclose(picture, np.kron(small, np.ones((16, 16))), atol=1e-6)


def test_the_loss_is_the_squared_error_of_all_pixels():
    drawing, feat = decoder(), torch.randn(1, 2, 40)
    image = torch.randint(0, 256, (1, 2, 64, 64, 3), dtype=torch.uint8)
    drawn = drawing(feat).detach().numpy()
    expected = ((drawn - image.numpy() / 255) ** 2).reshape(1, 2, -1).sum(-1)
    np.testing.assert_allclose(drawing.loss(feat, image).detach(), expected, rtol=1e-4)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_gradients_reach_every_weight_in_bfloat16(part: str):
    module = PooledEncoder(3, 2, STYLE) if part == "encoder" else decoder()
    to_bfloat16(module)
    image = torch.randint(0, 256, (2, 3, 64, 64, 3), dtype=torch.uint8)
    made = module(image) if part == "encoder" else module(torch.randn(2, 3, 40))
    made.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.ne(0).any() for p in module.parameters())
