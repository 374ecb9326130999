"""The normal actor: its bounds, its entropy and how it starts."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from learner.behaviour.actor import Normal, NormalActor, Spread
from learner.model.nets import Hidden, Style, truncated_normal, uniform_average

HIDDEN = Hidden(32, 2, Style(F.elu, uniform_average))


def with_output(actor: NormalActor, mean: float, std: float) -> Normal:
    """Distribution where the network gives these raw numbers, whatever it sees."""
    actor.out.weight.data.zero_()
    assert actor.out.bias is not None
    actor.out.bias.data.copy_(torch.tensor([mean] * 3 + [std] * 3))
    return actor(torch.zeros(1, 5))


def test_mean_and_deviation_are_squashed_into_their_bounds():
    got = with_output(NormalActor(5, 3, HIDDEN, Spread(0.1)), 0.7, -0.4)
    sigmoid = 1 / (1 + math.exp(0.4))
    np.testing.assert_allclose(got.mean.detach(), [[math.tanh(0.7)] * 3], rtol=1e-6)
    np.testing.assert_allclose(got.std.detach(), [[0.9 * sigmoid + 0.1] * 3], rtol=1e-6)


def test_an_offset_of_two_starts_at_89_per_cent():
    got = with_output(NormalActor(5, 3, HIDDEN, Spread(0.1, std_offset=2.0)), 0.0, 0.0)
    np.testing.assert_allclose(got.std.detach(), [[0.892717] * 3], rtol=1e-6)


def test_entropy_is_that_of_a_normal():
    std = torch.tensor([[0.1, 0.5, 1.0]])
    expected = torch.distributions.Normal(torch.zeros(1, 3), std).entropy()
    np.testing.assert_allclose(Normal(torch.zeros(1, 3), std).entropy(), expected, rtol=1e-6)


def test_the_bounds_of_entropy_are_those_of_the_least_and_greatest_deviation():
    least, most = NormalActor(5, 3, HIDDEN, Spread(0.03, 0.8)).entropy_bounds()
    assert least == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 0.03**2))
    assert most == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 0.8**2))


@pytest.mark.parametrize(("raw", "share"), [(-40.0, 0.0), (40.0, 1.0)])
def test_the_share_of_entropy_is_0_at_the_least_deviation_and_1_at_the_greatest(raw, share):
    actor = NormalActor(5, 3, HIDDEN, Spread(0.1))
    least, most = actor.entropy_bounds()
    got = (with_output(actor, 0.0, raw).entropy() - least) / (most - least)
    np.testing.assert_allclose(got.detach(), [[share] * 3], atol=1e-6)


def test_samples_pass_their_gradient_to_mean_and_deviation():
    mean, std = torch.zeros(1, 3, requires_grad=True), torch.ones(1, 3, requires_grad=True)
    noise = torch.tensor([[1.0, -2.0, 0.5]])
    Normal(mean, std).sample(noise).sum().backward()
    assert mean.grad is not None and std.grad is not None
    assert mean.grad.tolist() == [[1, 1, 1]]
    assert std.grad.tolist() == noise.tolist()


def test_mean_and_deviation_start_as_two_layers_of_their_own():
    """DayDreamer, nets.py: a tenth of the variance for the mean, all of it for the deviation."""
    hidden = Hidden(4000, 1, Style(F.elu, uniform_average))
    weight = NormalActor(2, 12, hidden, Spread(0.1)).out.weight.detach()
    bounds = [math.sqrt(3 * scale / ((4000 + 12) / 2)) for scale in (0.1, 1.0)]
    for rows, bound in zip(weight.chunk(2), bounds, strict=True):
        assert float(rows.abs().max()) == pytest.approx(bound, rel=1e-3)
        assert float(rows.std()) == pytest.approx(bound / math.sqrt(3), rel=2e-2)


def test_truncated_weights_keep_their_variance_and_stay_within_two_deviations():
    hidden = Hidden(4000, 1, Style(F.silu, truncated_normal))
    actor = NormalActor(2, 12, hidden, Spread(0.1, mean_scale=0.01, std_scale=0.01))
    weight = actor.out.weight.detach()
    assert float(weight.std()) == pytest.approx(math.sqrt(0.01 / 4000), rel=2e-2)
    assert float(weight.abs().max()) <= 2 * 1.1368 * math.sqrt(0.01 / 4000)
