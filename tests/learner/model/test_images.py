"""Sizes of the convolutions, how they start, and the loss of a picture."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.images import ImageDecoder, ImageEncoder
from learner.model.nets import Style, to_bfloat16, uniform_average

STYLE = Style(F.elu, uniform_average)


def sizes(layers: nn.Sequential) -> list[tuple[int, ...]]:
    """Shapes that will leave each layer, filled in by hooks."""
    found: list[tuple[int, ...]] = []
    for layer in layers:
        layer.register_forward_hook(lambda _, __, out: found.append(tuple(out.shape[1:])))
    return found


def test_the_encoder_halves_four_times():
    encoder = ImageEncoder(3, 8, STYLE)
    found = sizes(encoder.layers)
    out = encoder(torch.zeros(2, 5, 64, 64, 3, dtype=torch.uint8))
    assert found == [(8, 31, 31), (16, 14, 14), (32, 6, 6), (64, 2, 2)]
    assert out.shape == (2, 5, encoder.width) == (2, 5, 256)


@pytest.mark.parametrize(("depth", "channels"), [(8, 3), (3, 3), (4, 4), (1, 1)])
def test_the_decoder_grows_from_one_pixel(depth: int, channels: int):
    decoder = ImageDecoder(20, channels, depth, STYLE)
    found = sizes(decoder.layers)
    out = decoder(torch.randn(2, 5, 20))
    assert [shape[1:] for shape in found] == [(5, 5), (13, 13), (30, 30), (64, 64)]
    assert [shape[0] for shape in found] == [4 * depth, 2 * depth, depth, channels]
    assert out.shape == (2, 5, 64, 64, channels)
    assert out.min() >= 0 and out.max() <= 1


@pytest.mark.parametrize("depth", [8, 3])
def test_only_the_last_layer_is_without_norm(depth: int):
    decoder = ImageDecoder(20, 3, depth, STYLE)
    plain = [isinstance(layer.norm, nn.Identity) for layer in decoder.layers]
    assert plain == [False, False, False, True]


def test_the_loss_sums_squares_over_pixels():
    decoder = ImageDecoder(20, 3, 2, STYLE)
    feat = torch.randn(2, 2, 20)
    image = torch.randint(0, 256, (2, 2, 64, 64, 3), dtype=torch.uint8)
    error = decoder(feat).detach().double().numpy() - image.numpy() / 255.0
    got = decoder.loss(feat, image).detach()
    np.testing.assert_allclose(got, (error**2).sum((2, 3, 4)), rtol=1e-5)


def test_kernels_start_within_the_bounds_of_the_reference():
    encoder, decoder = ImageEncoder(3, 16, STYLE), ImageDecoder(40, 3, 16, STYLE)
    convolution: Tensor = encoder.layers[0].conv.weight  # type: ignore[union-attr, assignment]
    transposed: Tensor = decoder.layers[0].conv.weight  # type: ignore[union-attr, assignment]
    bounds = math.sqrt(3 / ((3 + 16) / 2)), math.sqrt(3 / (25 * (40 + 64) / 2))
    for weight, bound in zip((convolution, transposed), bounds, strict=True):
        assert float(weight.detach().abs().max()) == pytest.approx(bound, rel=1e-2)


def test_an_image_of_the_first_row_is_encoded_alike_in_any_batch():
    encoder = ImageEncoder(1, 4, STYLE)
    images = torch.randint(0, 256, (3, 64, 64, 1), dtype=torch.uint8)
    np.testing.assert_allclose(
        encoder(images)[:1].detach(), encoder(images[:1]).detach(), atol=1e-5
    )


def test_bfloat16_weights_take_bytes_and_features():
    encoder, decoder = ImageEncoder(3, 4, STYLE), ImageDecoder(20, 3, 4, STYLE)
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    exact = encoder(images).detach(), decoder(torch.ones(2, 20)).detach()
    to_bfloat16(encoder, decoder)
    rounded = encoder(images).detach(), decoder(torch.ones(2, 20)).detach()
    assert rounded[1].dtype == torch.float32
    np.testing.assert_allclose(rounded[0].float(), exact[0], atol=0.2)
    np.testing.assert_allclose(rounded[1], exact[1], atol=0.05)
