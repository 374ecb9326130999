"""Divergences of a fixed weight: where their gradients go, and when there are none."""

import numpy as np
import pytest
import torch
from torch import Tensor

from learner.model.fixed_kl import BalancedKL, WholeKL, at_least
from learner.model.latents import Gaussians
from learner.model.plain import PureCategoricals

LATENTS = PureCategoricals(3, 4)


def raws() -> tuple[Tensor, Tensor]:
    return torch.randn(2, 5, 12, requires_grad=True), torch.randn(2, 5, 12, requires_grad=True)


def gradients(objective: WholeKL | BalancedKL, raw: tuple[Tensor, Tensor]) -> list[Tensor]:
    post, prior = (LATENTS.dist(r) for r in raw)
    return list(torch.autograd.grad(objective(LATENTS, post, prior)["kl"].mean(), raw))


def plain(raw: tuple[Tensor, Tensor]) -> Tensor:
    """Mean divergence, written out from probabilities."""
    post, prior = (r.unflatten(-1, (3, 4)).softmax(-1) for r in raw)
    return (post * (post.log() - prior.log())).sum((-1, -2)).mean()


@pytest.mark.parametrize("balance", [0.0, 0.3, 0.8, 1.0])
def test_balancing_splits_the_gradient_and_leaves_the_value(balance: float):
    raw = raws()
    value = BalancedKL(balance, 1.0, 0.0)(LATENTS, *(LATENTS.dist(r) for r in raw))["kl"].mean()
    assert float(value.detach()) == pytest.approx(float(plain(raw).detach()), rel=1e-5)
    whole = torch.autograd.grad(plain(raw), raw)
    for found, all_of_it, share in zip(
        gradients(BalancedKL(balance, 1.0, 0.0), raw), whole, (1 - balance, balance), strict=True
    ):
        torch.testing.assert_close(found, share * all_of_it)


def test_the_whole_divergence_has_twice_the_gradient_of_halves():
    raw = raws()
    halves = gradients(BalancedKL(0.5, 1.0, 0.0), raw)
    for whole, half in zip(gradients(WholeKL(1.0, 0.0), raw), halves, strict=True):
        torch.testing.assert_close(whole, 2 * half)


@pytest.mark.parametrize("objective", [WholeKL(0.1, 50.0), BalancedKL(0.8, 0.1, 50.0)])
def test_below_the_free_nats_nothing_is_learnt(objective: WholeKL | BalancedKL):
    raw = raws()
    value = objective(LATENTS, *(LATENTS.dist(r) for r in raw))["kl"]
    np.testing.assert_allclose(value.detach(), np.full((2, 5), 5.0), rtol=1e-6)
    assert all(not grad.any() for grad in gradients(objective, raw))


@pytest.mark.parametrize(
    ("objective", "bare"),
    [(WholeKL(0.1, 0.01), WholeKL(0.1, 0)), (BalancedKL(0.8, 0.1, 0.01), BalancedKL(0.8, 0.1, 0))],
)
def test_above_the_free_nats_they_change_nothing(
    objective: WholeKL | BalancedKL, bare: WholeKL | BalancedKL
):
    raw = raws()
    for found, expected in zip(gradients(objective, raw), gradients(bare, raw), strict=True):
        torch.testing.assert_close(found, expected)
        assert found.any()


def test_the_threshold_is_on_the_mean():
    """Divergences of 0.2 and 5 have a mean of 2.6: below 3, so that the larger one counts not."""
    divergence = torch.tensor([[0.2, 5.0]], requires_grad=True)
    kept = at_least(divergence, 3.0)
    assert float(kept.detach().mean()) == 3.0
    assert not torch.autograd.grad(kept.mean(), divergence)[0].any()
    assert at_least(divergence, 2.5).tolist() == divergence.tolist()


def test_gaussians_by_the_golden_number():
    """KL(N(.3, .5) || N(-.2, 1.5)) = .70972340."""
    post, prior = torch.tensor([[[[0.3, 0.5]]]]), torch.tensor([[[[-0.2, 1.5]]]])
    loss = WholeKL(1.0, 0.0)(Gaussians(1), post, prior)["kl"]
    assert float(loss) == pytest.approx(0.70972340, rel=1e-6)
