"""TensorFlow's form of Adam against a loop of floats."""

import math

import pytest
import torch
from torch import nn

from learner.train.keras_adam import KerasAdam
from learner.train.optimisers import AdamSettings

LR, EPS, SHRINK = 1e-2, 1e-3, 1e-4


def one(value: float, shape: tuple[int, ...]) -> nn.Parameter:
    return nn.Parameter(torch.full(shape, value))


@pytest.mark.parametrize("shape", [(1, 1), (1,)])
def test_it_is_tensorflows_adam_and_shrinks_every_weight(shape: tuple[int, ...]):
    weight = one(2.0, shape)
    optimiser = KerasAdam([weight], AdamSettings(LR, EPS), SHRINK)
    expected, mean, square = 2.0, 0.0, 0.0
    for step in range(1, 40):
        slope = 0.01 * math.sin(step)
        optimiser.step((slope * weight).sum())
        expected *= 1 - SHRINK
        mean += 0.1 * (slope - mean)
        square += 0.001 * (slope**2 - square)
        rate = LR * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        expected -= rate * mean / (math.sqrt(square) + EPS)
        assert float(weight.detach()) == pytest.approx(expected, rel=1e-5)


def test_it_is_adamw_whose_decay_is_the_share_over_the_step_size():
    """Without epsilon both forms of Adam are one: DreamerV2's decay is AdamW's `wd / lr`."""
    mine, theirs = one(2.0, (2, 3)), one(2.0, (2, 3))
    optimiser = KerasAdam([mine], AdamSettings(LR, 1e-12), SHRINK)
    reference = torch.optim.AdamW([theirs], lr=LR, eps=1e-12, weight_decay=SHRINK / LR)
    slopes = torch.linspace(-1, 1, 6).reshape(2, 3) + 0.05
    for step in range(1, 40):
        optimiser.step((slopes * math.cos(step / 20) * mine).sum())
        (slopes * math.cos(step / 20) * theirs).sum().backward()
        reference.step()
        reference.zero_grad()
    torch.testing.assert_close(mine.detach(), theirs.detach(), rtol=1e-5, atol=1e-6)
    assert (mine.detach() - 2.0).abs().min() > LR


def test_the_first_step_of_a_small_gradient_is_damped():
    """A gradient of epsilon moves lr / 2 in torch's form; here epsilon counts 1 / sqrt(.001)."""
    weight = one(0.0, (1,))
    KerasAdam([weight], AdamSettings(LR, EPS)).step((EPS * weight).sum())
    assert float(weight.detach()) == pytest.approx(-LR / (1 + 1 / math.sqrt(0.001)), rel=1e-4)


def test_gradients_are_clipped_by_their_norm():
    settings, norm = AdamSettings(LR, EPS, clip=1e-3), 5 * math.sqrt(7)
    clipped, scaled = ([one(0.0, (2, 2)), one(0.0, (3,))] for _ in range(2))
    told = KerasAdam(clipped, settings).step(torch.cat([5 * w.flatten() for w in clipped]).sum())
    small = 5e-3 / norm
    KerasAdam(scaled, settings).step(torch.cat([small * w.flatten() for w in scaled]).sum())
    assert float(told) == pytest.approx(norm)
    for a, b in zip(clipped, scaled, strict=True):
        torch.testing.assert_close(a, b)
