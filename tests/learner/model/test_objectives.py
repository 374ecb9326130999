"""How prior and posterior are held together, against plain divergences of torch.distributions."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from learner.model.latents import Categoricals, Gaussians
from learner.model.objectives import AdaptiveBalance, FreeBits, FreeNats

LATENTS = Categoricals(4, 6)


def leaf(scale: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(3, 5, 24, generator=generator)).requires_grad_()


def distribution(raw: Tensor) -> Categorical:
    """The same distribution, written anew."""
    probs = torch.softmax(raw.unflatten(-1, (4, 6)).double(), -1)
    return Categorical(probs=0.99 * probs + 0.01 / 6)


def plain(post: Tensor, prior: Tensor) -> Tensor:
    return kl_divergence(distribution(post), distribution(prior)).sum(-1)


def plain_gradients(post: Tensor, prior: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of the weighted sum of plain divergences to both sides."""
    to_post, to_prior = torch.autograd.grad((weight * plain(post, prior)).sum(), (post, prior))
    return to_post, to_prior


def log_probs(post: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
    return LATENTS.dist(post), LATENTS.dist(prior)


@pytest.mark.parametrize("balance", [0.0, 0.5, 0.8, 1.0])
def test_balance_changes_gradients_but_not_the_value(balance: float):
    post, prior = leaf(3.0, 1), leaf(3.0, 2)
    loss = AdaptiveBalance(balance, target=1e-3)(LATENTS, *log_probs(post, prior))["kl"]
    np.testing.assert_allclose(loss.detach(), plain(post, prior).detach(), rtol=1e-4)
    got = torch.autograd.grad(loss.sum(), (post, prior), allow_unused=True)
    to_post, to_prior = plain_gradients(post, prior, torch.ones(3, 5))
    np.testing.assert_allclose(got[0], (1 - balance) * to_post, atol=1e-4)
    np.testing.assert_allclose(got[1], balance * to_prior, atol=1e-4)


def test_the_scale_falls_by_a_tenth_while_the_divergence_is_small_and_is_used_at_once():
    objective = AdaptiveBalance(target=3.5)
    post, prior = leaf(0.5, 1), leaf(0.5, 2)
    mean = float(plain(post, prior).detach().mean())
    assert mean < 3.5 / 1.1
    for n in range(1, 4):
        loss = objective(LATENTS, *log_probs(post, prior))["kl"]
        assert float(objective.scale) == pytest.approx(1.1**-n, rel=1e-5)
        assert float(loss.detach().mean()) == pytest.approx(mean * 1.1**-n, rel=1e-4)


def test_the_scale_never_rises_above_one_nor_falls_below_its_least():
    objective = AdaptiveBalance(target=3.5)
    far = log_probs(leaf(20.0, 1), leaf(20.0, 2))
    objective(LATENTS, *far)
    assert float(objective.scale) == 1.0
    near = log_probs(leaf(0.1, 1), leaf(0.1, 2))
    for _ in range(100):
        objective(LATENTS, *near)
    assert float(objective.scale) == pytest.approx(1e-3)
    objective(LATENTS, *far)
    assert float(objective.scale) == pytest.approx(1.1e-3)


@pytest.mark.parametrize("factor", [1 / 1.09, 1.0, 1.09])
def test_the_scale_rests_within_a_tenth_of_the_target(factor: float):
    post, prior = leaf(1.0, 1), leaf(1.0, 2)
    objective = AdaptiveBalance(target=float(plain(post, prior).detach().mean()) * factor)
    objective.scale.fill_(0.5)
    objective(LATENTS, *log_probs(post, prior))
    assert float(objective.scale) == 0.5


def test_the_scale_rests_while_nothing_is_learnt():
    objective = AdaptiveBalance(target=3.5)
    with torch.no_grad():
        objective(LATENTS, *log_probs(leaf(0.1, 1), leaf(0.1, 2)))
    assert float(objective.scale) == 1.0


def mixed() -> tuple[Tensor, Tensor, Tensor, float]:
    """Two sides, their divergence per step, and a number of nats that half of the steps reach."""
    post, prior = leaf(1.0, 1), leaf(1.0, 2)
    nats = plain(post, prior).detach()
    return post, prior, nats, float(nats.median()) + 1e-3


def test_free_nats_are_given_to_each_step_and_not_to_the_mean():
    post, prior, nats, free = mixed()
    losses = FreeBits(0.5, 0.1, free)(LATENTS, *log_probs(post, prior))
    expected = np.maximum(nats.numpy(), free)
    np.testing.assert_allclose(losses["dynamics"].detach(), 0.5 * expected, rtol=1e-5)
    np.testing.assert_allclose(losses["representation"].detach(), 0.1 * expected, rtol=1e-5)
    assert float(expected.mean()) > max(float(nats.mean()), free) + 0.1, "else both were the same"


def test_below_the_free_nats_gradients_are_exactly_zero_and_above_them_plain():
    post, prior, nats, free = mixed()
    above = nats > free
    assert 0 < above.sum() < above.numel()
    to_post, to_prior = plain_gradients(post, prior, above.double())
    losses = FreeBits(0.5, 0.1, free)(LATENTS, *log_probs(post, prior))
    got = torch.autograd.grad(sum(losses.values()).sum(), (post, prior))  # type: ignore[union-attr]
    assert got[0][~above].eq(0).all() and got[1][~above].eq(0).all()
    np.testing.assert_allclose(got[0], 0.1 * to_post, atol=1e-5)
    np.testing.assert_allclose(got[1], 0.5 * to_prior, atol=1e-5)


def test_free_nats_are_taken_off_every_step_before_the_mean():
    """KLs of 0.2 and 5 nats with 3 free: the mean of 0 and 2, and no gradient from the first."""
    latents = Gaussians(1)
    apart = torch.tensor([0.2, 5.0]).mul(2).sqrt()  # KL of unit normals is half a square
    post = torch.stack([apart, torch.ones(2)], -1)[None, :, None].requires_grad_()
    prior = torch.stack([torch.zeros(2), torch.ones(2)], -1)[None, :, None].requires_grad_()
    loss = FreeNats(3.0)(latents, post, prior)["kl"]
    np.testing.assert_allclose(loss.detach(), [[0.0, 2.0]], atol=1e-5)
    for side in torch.autograd.grad(loss.mean(), (post, prior)):
        assert not side[0, 0].any() and side[0, 1].any()
    nothing = FreeNats(0.0, scale=0.0)(latents, post, prior)["kl"]
    assert not nothing.any() and not torch.autograd.grad(nothing.sum(), post)[0].any()
