"""Exploration noise: its size and how long it lasts."""

import numpy as np
import pytest
import torch

from learner.behaviour.noise import ModeNoise, SeededNoise, SmoothNoise


def draw(noise: SeededNoise, steps: int = 20_000) -> np.ndarray:
    return torch.cat([noise.action(3) for _ in range(steps)]).numpy()


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_smooth_noise_is_standard_at_each_step_and_lasts(correlation: float):
    drawn = draw(SmoothNoise(0, correlation))
    np.testing.assert_allclose(drawn.std(0), 1, atol=0.08)
    for lag in (1, 2, 5):
        got = (drawn[lag:] * drawn[:-lag]).mean(0) / drawn.var(0)
        np.testing.assert_allclose(got, correlation**lag, atol=0.08)
    across = np.corrcoef(drawn.T)[np.triu_indices(3, 1)]
    np.testing.assert_allclose(across, 0, atol=0.1)


def test_the_first_step_is_as_wide_as_all_others():
    first = np.concatenate([draw(SmoothNoise(seed, 0.9), steps=1) for seed in range(2000)])
    assert first.std() == pytest.approx(1, abs=0.05)


def test_noise_without_correlation_is_white_noise():
    assert np.array_equal(draw(SmoothNoise(4, 0.0), 50), draw(SeededNoise(4), 50))


def test_the_mode_has_no_action_noise_but_latents():
    noise = ModeNoise(0)
    assert noise.action(5).eq(0).all()
    latent = noise.latent(64)
    assert latent.shape == (1, 64) and latent.min() >= 0 and latent.max() < 1


@pytest.mark.parametrize("kind", [SeededNoise, lambda seed: SmoothNoise(seed, 0.8)])
def test_scaled_noise_is_the_same_noise_and_smaller(kind):
    whole, half = kind(3), kind(3)
    before, after = draw(whole, 20), draw(half, 10)
    half.scale = 0.5  # in the middle of an episode: what lasts, lasts
    after = np.concatenate([after, draw(half, 10)])
    np.testing.assert_allclose(after[:10], before[:10])
    np.testing.assert_allclose(after[10:], 0.5 * before[10:])
