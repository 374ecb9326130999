"""Categorical latents against torch.distributions, closed bounds and counted frequencies."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import chisquare
from torch.distributions import Independent, OneHotCategorical, kl_divergence

from learner.model.latents import Categoricals, Gaussians

LATENTS = Categoricals(32, 32)


def known(log_probs: torch.Tensor) -> Independent:
    return Independent(OneHotCategorical(probs=log_probs.exp()), 1)


def test_divergence_and_entropy_are_those_of_independent_categoricals():
    post = LATENTS.dist(torch.randn(5, 7, 32 * 32))
    prior = LATENTS.dist(torch.randn(5, 7, 32 * 32))
    expected = kl_divergence(known(post), known(prior))
    np.testing.assert_allclose(LATENTS.kl(post, prior), expected, rtol=1e-5)
    np.testing.assert_allclose(LATENTS.entropy(post), known(post).entropy(), rtol=1e-5)


def test_every_probability_keeps_its_share_of_the_uniform():
    raw = torch.zeros(32, 32)
    raw[:, 0] = 1e4
    probs = LATENTS.dist(raw.flatten()).exp()
    np.testing.assert_allclose(probs[:, 1:], 0.01 / 32, rtol=1e-5)
    np.testing.assert_allclose(probs.sum(-1), 1, rtol=1e-6)


def test_divergence_is_bounded():
    raw, other = torch.zeros(32, 32), torch.zeros(32, 32)
    raw[:, 0] = other[:, 1] = 1e3
    got = LATENTS.kl(LATENTS.dist(raw.flatten()), LATENTS.dist(other.flatten()))
    assert float(got) == pytest.approx(32 * 7.98055965, rel=1e-5)


def test_extreme_outputs_stay_finite():
    raw = 1e4 * torch.randn(4, 32 * 32)
    raw.requires_grad_()
    post = LATENTS.dist(raw)
    LATENTS.kl(post, LATENTS.dist(-raw)).sum().backward()
    assert post.isfinite().all() and raw.grad is not None and raw.grad.isfinite().all()


def test_outputs_of_low_precision_give_probabilities_in_float32():
    assert LATENTS.dist(torch.randn(2, 32 * 32).bfloat16()).dtype == torch.float32


def test_samples_are_exactly_one_hot():
    log_probs = LATENTS.dist(3 * torch.randn(200, 32 * 32))
    drawn = LATENTS.sample(log_probs, torch.rand(200, 32)).unflatten(-1, (32, 32))
    assert drawn.eq(1).sum(-1).eq(1).all() and drawn.eq(0).sum(-1).eq(31).all()


def test_a_sample_is_found_by_inversion():
    latents = Categoricals(1, 6)
    log_probs = latents.dist(torch.randn(500, 6))
    noise = torch.rand(500, 1)
    upper = log_probs[:, 0].exp().double().numpy().cumsum(-1)
    upper /= upper[:, -1:]
    found = [np.searchsorted(u, x) for u, x in zip(upper, noise[:, 0].tolist(), strict=True)]
    assert latents.sample(log_probs, noise).argmax(-1).tolist() == found


@pytest.mark.parametrize(("noise", "drawn"), [(0.0, 0), (1 - 2**-24, 7)])
def test_the_ends_of_the_noise_give_the_first_and_the_last_class(noise: float, drawn: int):
    latents = Categoricals(1, 8)
    log_probs = latents.dist(torch.zeros(1, 8))
    assert int(latents.sample(log_probs, torch.tensor([[noise]])).argmax()) == drawn


def test_the_largest_noise_never_draws_past_the_last_class():
    log_probs = LATENTS.dist(5 * torch.randn(1000, 32 * 32))
    drawn = LATENTS.sample(log_probs, torch.full((1000, 32), 1 - 2**-24))
    assert drawn.sum(-1).eq(32).all()


def test_samples_are_as_frequent_as_their_probabilities():
    latents = Categoricals(1, 8)
    log_probs = latents.dist(torch.randn(8))
    count = 100_000
    drawn = latents.sample(log_probs.expand(count, 1, 8), torch.rand(count, 1)).sum(0)
    expected = log_probs[0].exp().double().numpy()
    assert chisquare(drawn.numpy(), count * expected / expected.sum()).pvalue > 0.01


def test_the_gradient_of_a_sample_is_that_of_the_mixed_probabilities():
    latents, weight = Categoricals(3, 5), torch.randn(15)
    raw = torch.randn(15, requires_grad=True)
    (latents.sample(latents.dist(raw), torch.rand(3)) * weight).sum().backward()
    assert raw.grad is not None
    for got, logits, w in zip(
        raw.grad.unflatten(0, (3, 5)),
        raw.detach().unflatten(0, (3, 5)),
        weight.unflatten(0, (3, 5)),
        strict=True,
    ):
        p = F.softmax(logits.double(), -1)
        jacobian = torch.diag(p) - torch.outer(p, p)
        np.testing.assert_allclose(got, 0.99 * jacobian @ w.double(), atol=1e-6)


def test_the_mode_is_the_likeliest_class_and_has_no_gradient():
    raw = torch.randn(4, 32 * 32, requires_grad=True)
    mode = LATENTS.mode(LATENTS.dist(raw))
    expected = raw.detach().numpy().reshape(4, 32, 32).argmax(-1)
    assert (mode.unflatten(-1, (32, 32)).numpy().argmax(-1) == expected).all()
    assert mode.sum() == 4 * 32 and not mode.requires_grad


NORMALS = Gaussians(4, min_std=0.1)


def test_normals_have_the_divergence_and_entropy_of_known_ones():
    post, prior = NORMALS.dist(torch.randn(5, 8)), NORMALS.dist(torch.randn(5, 8))
    p, q = (torch.distributions.Normal(d[..., 0], d[..., 1]) for d in (post, prior))
    torch.testing.assert_close(NORMALS.kl(post, prior), kl_divergence(p, q).sum(-1))
    torch.testing.assert_close(NORMALS.entropy(post), p.entropy().sum(-1))


def test_normals_are_never_narrower_than_allowed_and_softplus_above():
    dist = NORMALS.dist(torch.tensor([0.0] * 4 + [-50.0, 0.0, 1.0, 5.0]))
    expected = [0.1, np.log(2) + 0.1, np.log1p(np.e) + 0.1, np.log1p(np.exp(5)) + 0.1]
    np.testing.assert_allclose(dist[:, 1], expected, rtol=1e-6)


def test_normals_are_drawn_by_inversion():
    dist = NORMALS.dist(torch.randn(8)).expand(50_000, 4, 2)
    drawn = NORMALS.sample(dist, torch.rand(50_000, 4))
    np.testing.assert_allclose(drawn.mean(0), dist[0, :, 0], atol=0.03)
    np.testing.assert_allclose(drawn.std(0), dist[0, :, 1], rtol=0.03)
    middle = NORMALS.sample(dist[0], torch.full((4,), 0.5))
    torch.testing.assert_close(middle, NORMALS.mode(dist[0]))


def test_the_ends_of_uniform_noise_give_finite_normals():
    dist = NORMALS.dist(torch.zeros(8))
    assert torch.isfinite(NORMALS.sample(dist, torch.tensor([0.0, 1.0, 2**-24, 1 - 2**-24]))).all()


def test_normals_let_gradients_through_to_mean_and_deviation():
    raw = torch.randn(8, requires_grad=True)
    noise = torch.tensor([0.1, 0.4, 0.6, 0.9])
    NORMALS.sample(NORMALS.dist(raw), noise).sum().backward()
    normal = torch.distributions.Normal(0.0, 1.0).icdf(noise)
    slope = normal * torch.sigmoid(raw.detach()[4:])
    torch.testing.assert_close(raw.grad, torch.cat([torch.ones(4), slope]))
