"""Running statistics against NumPy, and coefficients that adapt against a sequence by hand."""

import numpy as np
import pytest
import torch

from learner.behaviour.normalise import (
    AdaptiveEntropy,
    FixedEntropy,
    MeanStdScale,
    PercentileScale,
)


def batches(count: int, scale: float = 1.0) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [scale * (rng.normal(size=(8, 5)) + i) for i in range(count)]


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


def test_percentiles_follow_numpy_and_an_average_by_hand():
    scale, low, high = PercentileScale(rate=0.1), 0.0, 0.0
    for returns in batches(6, scale=30.0):
        low = 0.9 * low + 0.1 * np.percentile(returns, 5)
        high = 0.9 * high + 0.1 * np.percentile(returns, 95)
        got = scale(tensor(returns), tensor(returns * 0.5))
        np.testing.assert_allclose(got, returns * 0.5 / max(1, high - low), rtol=1e-4, atol=1e-5)
    assert high - low > 1, "the last batches must have been scaled"


def test_small_returns_are_not_blown_up():
    scale = PercentileScale()
    for returns in batches(5, scale=0.01):
        got = scale(tensor(returns), torch.zeros(8, 5))
        np.testing.assert_allclose(got, returns, rtol=1e-5)


def test_the_first_batch_is_standardised_by_its_own_moments():
    returns = batches(1, scale=3.0)[0]
    got = MeanStdScale()(tensor(returns), torch.ones(8, 5))
    advantage = returns - 1
    expected = (advantage - advantage.mean()) / advantage.std()
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_moments_are_averages_without_bias():
    scale, weights = MeanStdScale(decay=0.9), []
    mean = square = 0.0
    for n, returns in enumerate(batches(10), start=1):
        mean = 0.9 * mean + 0.1 * returns.mean()
        square = 0.9 * square + 0.1 * (returns**2).mean()
        weights.append(1 - 0.9**n)
        std = np.sqrt(square / weights[-1] - (mean / weights[-1]) ** 2)
        got = scale(tensor(returns), torch.zeros(8, 5))
        expected = (returns - mean / weights[-1]) / std
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4)


def test_moments_survive_a_large_common_value():
    returns = tensor(1e4 + 1e-1 * batches(1)[0])
    got = MeanStdScale()(returns, torch.zeros(8, 5))
    assert float(got.std(correction=0)) == pytest.approx(1, rel=1e-3)


def test_the_gradient_of_a_scaled_advantage_is_one_over_the_deviation():
    returns = tensor(batches(1, scale=2.0)[0]).requires_grad_()
    MeanStdScale()(returns, torch.zeros(8, 5)).sum().backward()
    expected = 1 / batches(1, scale=2.0)[0].std()
    assert returns.grad is not None
    np.testing.assert_allclose(returns.grad, np.full((8, 5), expected), rtol=1e-4)


def test_fixed_entropy_sums_over_the_dimensions():
    got = FixedEntropy(0.5)(torch.tensor([[[1.0, 2.0, 3.0]]]), (0.0, 1.0))
    assert got.tolist() == [[3.0]]


def test_coefficients_fall_while_there_is_too_much_entropy_and_rise_while_too_little():
    explore = AdaptiveEntropy(3, target=0.5)
    # Shares of the range [-1, 3]: far above the target, within 10% of it, far below it.
    entropy = torch.tensor([[[2.0, 1.1, -0.5]]])
    for n in range(1, 5):
        explore(entropy, (-1.0, 3.0))
        assert explore.scale.tolist() == pytest.approx([1.1**-n, 1.0, 1.0], rel=1e-5)
    for n in range(1, 3):
        explore(torch.tensor([[[-0.5, 1.1, -0.5]]]), (-1.0, 3.0))
        assert explore.scale.tolist() == pytest.approx([1.1 ** (n - 4), 1.0, 1.0], rel=1e-5)


def test_coefficients_never_fall_below_their_least():
    explore = AdaptiveEntropy(1, target=0.1, low=0.5)
    for _ in range(20):
        explore(torch.ones(1, 1, 1), (0.0, 1.0))
    assert float(explore.scale) == 0.5


def test_the_bonus_is_the_share_of_entropy_times_the_new_coefficient():
    explore = AdaptiveEntropy(2, target=0.5)
    entropy = torch.tensor([[[3.0, 1.0]]], requires_grad=True)
    bonus = explore(entropy, (-1.0, 3.0))
    assert float(bonus.detach()) == pytest.approx(1.0 / 1.1 + 0.5)
    bonus.sum().backward()
    assert entropy.grad is not None
    assert entropy.grad.flatten().tolist() == pytest.approx([1 / 1.1 / 4, 1 / 4])
