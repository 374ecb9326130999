"""Unit normals against torch.distributions and numbers worked by hand."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Independent, Normal

from learner.model.encoders import Inputs
from learner.model.nets import Hidden
from learner.model.plain import conv_style, dense_style
from learner.model.unit_normal import (
    DiscountHead,
    NormalDecoder,
    NormalHead,
    NormalImageDecoder,
    NormalVectorHead,
)
from robot.wire.spec import box, image

HIDDEN = Hidden(16, 1, dense_style(F.elu))
FEAT = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(3))
CONSTANT = 0.5 * math.log(2 * math.pi)


def test_a_scalar_is_scored_by_its_density():
    head, target = NormalHead(5, HIDDEN), torch.randn(2, 3)
    density = Normal(head(FEAT), 1.0).log_prob(target)
    torch.testing.assert_close(head.loss(FEAT, target), -density - CONSTANT)


def test_a_vector_is_scored_by_its_density():
    head, target = NormalVectorHead(5, 4, HIDDEN), torch.randn(2, 3, 4)
    density = Independent(Normal(head(FEAT), 1.0), 1).log_prob(target)
    torch.testing.assert_close(head.loss(FEAT, target), -density - 4 * CONSTANT)


def test_a_picture_is_scored_around_its_middle():
    decoder = NormalImageDecoder(5, 1, 2, conv_style(F.elu))
    seen = torch.randint(0, 256, (2, 3, 64, 64, 1), dtype=torch.uint8)
    made = decoder(FEAT)
    assert made.shape == seen.shape
    errors = made.detach().numpy() - (seen.numpy() / 255 - 0.5)
    by_hand = 0.5 * np.square(errors).sum((2, 3, 4))
    np.testing.assert_allclose(decoder.loss(FEAT, seen).detach(), by_hand, rtol=1e-5)


def test_the_last_convolution_is_not_bounded():
    decoder = NormalImageDecoder(5, 1, 2, conv_style(F.elu))
    with torch.no_grad():
        decoder.first.weight.mul_(1e3)
    assert float(decoder(FEAT).abs().max().detach()) > 1


def test_the_decoder_predicts_vectors_and_pictures():
    specs = {"joints": box(-1, 1, (3,)), "camera": image(64, 64)}
    decoder = NormalDecoder(Inputs(specs, 0.0), 5, HIDDEN, 2, conv_style(F.elu))
    seen = {
        "joints": torch.zeros(2, 3, 3),
        "camera": torch.zeros(2, 3, 64, 64, 3, dtype=torch.uint8),
    }
    losses = decoder.losses(FEAT, seen)
    assert {name: loss.shape for name, loss in losses.items()} == {
        "vector": (2, 3),
        "image": (2, 3),
    }


def test_the_discount_is_learnt_with_a_soft_target():
    head, gamma = DiscountHead(5, HIDDEN, 0.9), 0.9
    p = gamma * head(FEAT).detach().numpy()  # what is predicted is the discount
    live, dead = (head.loss(FEAT, torch.full((2, 3), c)).detach().numpy() for c in (1.0, 0.0))
    np.testing.assert_allclose(live, -gamma * np.log(p) - (1 - gamma) * np.log(1 - p), rtol=1e-5)
    np.testing.assert_allclose(dead, -np.log(1 - p), rtol=1e-5)


def test_a_discount_that_is_learnt_says_that_the_episode_goes_on():
    head = DiscountHead(5, HIDDEN, 0.9)
    with torch.no_grad():
        head.out.weight.zero_()
        assert head.out.bias is not None
        head.out.bias.fill_(math.log(0.9 / 0.1))
        assert head(FEAT).flatten().tolist() == pytest.approx([1.0] * 6)
