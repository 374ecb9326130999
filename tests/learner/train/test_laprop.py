"""LaProp against a loop of floats, its clipping against norms, and its float32 masters."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learner.train.laprop import LaProp, LaPropSettings


def constant(weights: list[nn.Parameter], slopes: list[Tensor]) -> Tensor:
    """A loss with these gradients, wherever the weights are."""
    return torch.stack([(w * g).sum() for w, g in zip(weights, slopes, strict=True)]).sum()


def test_a_constant_gradient_moves_every_coordinate_by_lr_from_the_first_step():
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(3, 4)), nn.Parameter(torch.randn(5))]
    slopes = [1e-3 * torch.randn(3, 4), 1e-2 * torch.randn(5)]  # too small to be clipped
    optimiser = LaProp(weights, LaPropSettings(lr=0.01, warmup=0))
    for _ in range(7):
        before = [w.detach().clone() for w in weights]
        optimiser.step(constant(weights, slopes))
        for old, new, slope in zip(before, weights, slopes, strict=True):
            np.testing.assert_allclose(old - new.detach(), 0.01 * slope.sign(), rtol=1e-4)


def test_one_weight_follows_the_paper():
    """Normalise, then average; theta starts at 2, the loss is theta^3."""
    weight = nn.Parameter(torch.tensor([[2.0]]))
    optimiser = LaProp([weight], LaPropSettings(lr=0.05, warmup=4, clip=0.3, eps=1e-20))
    theta, m, v = 2.0, 0.0, 0.0
    for t in range(1, 25):
        grad = 3 * theta**2
        grad /= max(1.0, abs(grad) / (0.3 * max(1e-3, abs(theta))))
        v = 0.999 * v + 0.001 * grad**2
        m = 0.9 * m + 0.1 * grad / (math.sqrt(v / (1 - 0.999**t)) + 1e-20)
        optimiser.step(weight.pow(3).sum())
        theta -= 0.05 * min(1, (t - 1) / 4) * m / (1 - 0.9**t)
        assert float(weight.detach()) == pytest.approx(theta, rel=1e-4)


def test_each_tensor_is_clipped_by_its_own_norm():
    """The first second moment is 0.001 g^2, from which the clipped gradient can be read."""
    big, small, zero = (nn.Parameter(torch.full((2, 2), x)) for x in (3.0, 0.5, 0.0))
    slope = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    slopes = [slope, 1e-3 * slope, slope]
    optimiser = LaProp([big, small, zero], LaPropSettings(warmup=0, clip=0.3))
    norm = optimiser.step(constant([big, small, zero], slopes))
    assert float(norm) == pytest.approx(5 * math.sqrt(2), rel=1e-5), "told before clipping"
    seen = (optimiser.flats[0].square / 0.001).sqrt().reshape(3, 4).numpy()
    expected = [0.3 * 6 / 5 * slope, 1e-3 * slope, 0.3 * 1e-3 / 5 * slope]
    np.testing.assert_allclose(seen, [e.flatten().numpy() for e in expected], rtol=1e-4)


def test_the_step_rises_in_a_line():
    weight = nn.Parameter(torch.ones(1))
    optimiser = LaProp([weight], LaPropSettings(lr=0.1, warmup=10))
    moved = []
    for _ in range(14):
        before = float(weight.detach())
        optimiser.step((1e-3 * weight).sum())
        moved.append(before - float(weight.detach()))
    expected = [*(0.01 * i for i in range(10)), *[0.1] * 4]
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_weights_without_gradients_stay():
    used, unused = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    optimiser = LaProp([used, unused], LaPropSettings(lr=0.1, warmup=0))
    for _ in range(3):
        optimiser.step(used.square().sum())
    assert unused.eq(1).all() and used.lt(0.8).all()


def test_masters_gather_what_bfloat16_cannot_hold():
    weight = nn.Parameter(torch.ones(1, 1, dtype=torch.bfloat16))
    optimiser = LaProp([weight], LaPropSettings(lr=1e-4, warmup=0))
    for _ in range(100):
        optimiser.step((0.125 * weight).sum().float())
    assert float(optimiser.flats[0].master.detach()) == pytest.approx(0.99, abs=1e-5)
    assert float(weight.detach()) == pytest.approx(0.99, abs=2**-9)


def test_another_optimiser_goes_on_from_what_was_saved():
    weights = [nn.Parameter(torch.full((2, 2), 2.0, dtype=torch.bfloat16)) for _ in range(2)]
    one, two = (LaProp([w], LaPropSettings(lr=0.03, warmup=5)) for w in weights)
    for _ in range(4):
        one.step(weights[0].float().pow(4).sum())
    two.load({k: v.clone() for k, v in one.tensors().items()})
    for _ in range(3):
        for weight, optimiser in zip(weights, (one, two), strict=True):
            optimiser.step(weight.float().pow(4).sum())
    assert torch.equal(weights[0], weights[1]) and weights[0].ne(2).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_changes_nothing(bad: float):
    weight = nn.Parameter(torch.ones(2))
    optimiser = LaProp([weight], LaPropSettings(lr=0.1, warmup=0))
    with pytest.raises(FloatingPointError, match="gradient norm"):
        optimiser.step((bad * weight).sum())
    assert weight.eq(1).all()
