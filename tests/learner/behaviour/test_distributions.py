"""Distributions of actions against scipy, quadrature and counting."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from learner.behaviour.distributions import OneHot, TanhNormal, TruncatedNormal

PAIRS = [(0.0, 1.1), (0.7, 0.3), (-0.98, 0.1), (0.999, 1.6)]


def one_hot(logits: list[float]) -> OneHot:
    return OneHot(torch.log_softmax(torch.tensor(logits), -1))


def double(x: float) -> torch.Tensor:
    return torch.tensor([x], dtype=torch.double)


def test_choices_come_as_often_as_they_are_likely():
    torch.manual_seed(0)
    policy = OneHot(one_hot([0.0, 1.0, -1.0, 2.0]).log_probs.expand(40_000, 4))
    counts = policy.sample(torch.randn(40_000, 4)).sum(0).numpy()
    expected = np.exp([0.0, 1.0, -1.0, 2.0])
    result = stats.chisquare(counts, expected / expected.sum() * 40_000)
    assert result.pvalue > 1e-3


def test_a_choice_is_exactly_one_hot_and_without_noise_the_likeliest():
    policy = one_hot([0.3, 0.2, 0.5])
    for noise in (torch.zeros(3), torch.full((3,), 12.0), torch.full((3,), -12.0)):
        assert policy.sample(noise).tolist() == [0.0, 0.0, 1.0]


def test_a_choice_passes_the_gradient_of_the_probabilities():
    logits = torch.tensor([0.4, -1.0, 0.1], requires_grad=True)
    weight = torch.tensor([2.0, -3.0, 0.5])
    drawn = OneHot(torch.log_softmax(logits, -1)).sample(torch.randn(3))
    found = torch.autograd.grad((weight * drawn).sum(), logits)[0]
    p = np.exp([0.4, -1.0, 0.1]) / np.exp([0.4, -1.0, 0.1]).sum()
    by_hand = (np.diag(p) - np.outer(p, p)) @ weight.numpy()
    np.testing.assert_allclose(found.numpy(), by_hand, atol=1e-6)


def test_log_probability_and_entropy_of_choices():
    policy = one_hot([0.0, math.log(3.0)])
    assert float(policy.log_prob(torch.tensor([0.0, 1.0]))) == pytest.approx(math.log(0.75))
    by_hand = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert policy.entropy().tolist() == pytest.approx([by_hand])


def test_entropy_of_choices_is_finite_however_sure_they_are():
    policy = OneHot(torch.log_softmax(torch.tensor([0.0, 1e4]), -1))
    assert policy.entropy().tolist() == [0.0]


@pytest.mark.parametrize(("mean", "std"), PAIRS)
def test_truncated_normal_is_that_of_scipy(mean: float, std: float):
    policy = TruncatedNormal(double(mean), double(std))
    bounds = (-1 - mean) / std, (1 - mean) / std
    for x in (-0.9, 0.0, 0.35, 0.999):
        expected = stats.truncnorm.logpdf(x, *bounds, mean, std)
        assert float(policy.log_prob(double(x))) == pytest.approx(float(expected))
    assert float(policy.entropy()) == pytest.approx(
        float(stats.truncnorm.entropy(*bounds, mean, std))
    )


@pytest.mark.parametrize(("mean", "std"), PAIRS)
def test_truncated_normal_draws_from_that_of_scipy(mean: float, std: float):
    torch.manual_seed(1)
    policy = TruncatedNormal(torch.tensor([mean]), torch.tensor([std]))
    drawn = policy.sample(torch.randn(20_000, 1))[:, 0].numpy()
    truth = stats.truncnorm((-1 - mean) / std, (1 - mean) / std, mean, std)
    assert stats.kstest(drawn, truth.cdf).pvalue > 1e-3
    assert np.abs(drawn).max() < 1


def test_truncated_normal_passes_the_gradient_of_inversion():
    """Compared with differences of scipy's quantile at the same probability."""
    share, step = stats.norm.cdf(0.8), 1e-6

    def quantile(mean: float, std: float) -> float:
        return float(stats.truncnorm.ppf(share, (-1 - mean) / std, (1 - mean) / std, mean, std))

    mean, std = double(0.3).requires_grad_(), double(0.6).requires_grad_()
    drawn = TruncatedNormal(mean, std).sample(double(0.8))
    found = torch.autograd.grad(drawn.sum(), (mean, std))
    to_mean = (quantile(0.3 + step, 0.6) - quantile(0.3 - step, 0.6)) / (2 * step)
    to_std = (quantile(0.3, 0.6 + step) - quantile(0.3, 0.6 - step)) / (2 * step)
    assert [float(g) for g in found] == pytest.approx([to_mean, to_std], rel=1e-5)


def test_truncated_normal_stays_finite_for_extreme_noise():
    mean = torch.tensor([0.9999, -0.9999], requires_grad=True)
    policy = TruncatedNormal(mean, torch.tensor([0.1, 0.1]))
    for size in (-20.0, -6.0, 6.0, 20.0):
        drawn = policy.sample(torch.full((2,), size))
        assert (drawn.abs() < 1).all()
        assert torch.isfinite(policy.log_prob(drawn))
        assert torch.isfinite(torch.autograd.grad(drawn.sum(), mean)[0]).all()


def test_no_noise_is_the_mode():
    mean, std = torch.tensor([0.8, -0.3]), torch.tensor([1.1, 0.2])
    assert TruncatedNormal(mean, std).sample(torch.zeros(2)).tolist() == pytest.approx([0.8, -0.3])
    squashed = TanhNormal(mean, std).sample(torch.zeros(2)).tolist()
    assert squashed == pytest.approx([math.tanh(0.8), math.tanh(-0.3)])


@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.3), (1.5, 1.0), (-2.0, 0.5)])
def test_tanh_normal_by_change_of_variables(mean: float, std: float):
    policy = TanhNormal(torch.tensor([mean]), torch.tensor([std]))
    for x in (-0.9, 0.2, 0.97):
        by_hand = stats.norm.logpdf(np.arctanh(x), mean, std) - np.log(1 - x**2)
        assert float(policy.log_prob(torch.tensor([x]))) == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize(("mean", "std", "far"), [(0.0, 0.3, 1e-3), (1.5, 1, 1e-3), (0, 5, 0.03)])
def test_entropy_of_the_tanh_normal_by_monte_carlo(mean: float, std: float, far: float):
    rng = np.random.default_rng(0)
    x = rng.normal(mean, std, 1_000_000)
    slope = 2 * (math.log(2) - x - np.logaddexp(0, -2 * x))
    truth = stats.norm.entropy(mean, std) + slope.mean()
    noise = 4 * slope.std() / 1000
    policy = TanhNormal(torch.tensor([mean]), torch.tensor([std]))
    assert float(policy.entropy()) == pytest.approx(truth, abs=far + noise)


def test_density_of_the_tanh_normal_integrates_to_one():
    policy = TanhNormal(torch.tensor([0.5]), torch.tensor([0.4]))
    points = torch.linspace(-0.9999, 0.9999, 20_001)[:, None]
    mass = integrate.trapezoid(policy.log_prob(points).exp().numpy(), points[:, 0].numpy())
    assert mass == pytest.approx(1.0, abs=1e-3)
