"""The ensemble against single networks, its alignment on a planted system, and its bootstrap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from learner.model.ensemble import Ensemble, OneStep, every_row, one_step, resampled_rows
from learner.model.nets import Hidden, Style, uniform_average
from learner.train.optimisers import Adam, AdamSettings

HIDDEN = Hidden(12, 2, Style(F.elu, uniform_average))
FEAT, ACTION, TARGET = 5, 2, 3


def chunk(rows: int = 4, length: int = 6, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random features, actions and targets; no episode starts inside."""
    rng = np.random.default_rng(seed)
    widths = (FEAT, ACTION, TARGET)
    made = [torch.tensor(rng.normal(size=(rows, length, w)), dtype=torch.float32) for w in widths]
    first = torch.zeros(rows, length, dtype=torch.bool)
    first[:, 0] = True
    return (*made, first)  # type: ignore[return-value]


def by_hand(ensemble: Ensemble, member: int, feat: np.ndarray, action: np.ndarray) -> np.ndarray:
    """One member, one row at a time, in float64."""
    x, weights = feat.astype(float), ensemble.state_dict()
    for i in range(len(ensemble.layers)):
        weight = weights[f"layers.{i}.weight"][member].double().numpy()
        bias = weights[f"layers.{i}.bias"][member, 0].double().numpy()
        x = np.where(x > 0, x, np.expm1(x)) if i else x
        x = weight @ np.concatenate([x, action]) + bias
    return x


def gradients(ensemble: Ensemble, loss: Tensor) -> list[Tensor]:
    """Of all weights of the members."""
    return list(torch.autograd.grad(loss.sum(), list(ensemble.parameters())))


def test_the_batch_of_networks_is_so_many_single_ones():
    ensemble = Ensemble((FEAT, ACTION), TARGET, 3, HIDDEN)
    for weights in ensemble.parameters():
        torch.nn.init.normal_(weights)
    feat, action, _, _ = chunk()
    guesses = ensemble(feat, action).detach().numpy()
    assert guesses.shape == (3, 4, 6, TARGET)
    for member in range(3):
        expected = by_hand(ensemble, member, feat[2, 3].numpy(), action[2, 3].numpy())
        np.testing.assert_allclose(guesses[member, 2, 3], expected, rtol=1e-4, atol=1e-4)


def test_members_begin_differently():
    guesses = Ensemble((FEAT, ACTION), TARGET, 4, HIDDEN)(*chunk()[:2])
    for one in range(4):
        for other in range(one):
            assert (guesses[one] - guesses[other]).abs().max() > 0.01


def test_each_step_is_paired_with_the_next():
    feat, action, target, first = chunk()
    first[1, 3] = True
    step = one_step(feat, action, target, first)
    assert torch.equal(step.feat[2, 4], feat[2, 4]) and torch.equal(step.action[2, 4], action[2, 4])
    assert torch.equal(step.target[2, 4], target[2, 5])
    dead = torch.zeros(4, 5)
    dead[1, 2] = 1
    assert torch.equal(step.live, 1 - dead)


def test_the_loss_is_that_of_every_member_summed():
    ensemble = Ensemble((FEAT, ACTION), TARGET, 3, HIDDEN)
    step = one_step(*chunk())
    loss = ensemble.loss(step).detach()
    expected = 0.0
    for member in range(3):
        guess = by_hand(ensemble, member, step.feat[1, 2].numpy(), step.action[1, 2].numpy())
        expected += float(((guess - step.target[1, 2].numpy()) ** 2).sum())
    assert loss.shape == (4, 5) and float(loss[1, 2]) == pytest.approx(expected, rel=1e-4)


def test_what_lies_beyond_an_episodes_end_is_not_learnt():
    ensemble = Ensemble((FEAT, ACTION), TARGET, 3, HIDDEN)
    feat, action, target, first = chunk()
    first[0, 2] = first[3, 5] = True
    before = gradients(ensemble, ensemble.loss(one_step(feat, action, target, first)))
    target[0, 2], target[3, 5] = 1e3, -1e3
    after = gradients(ensemble, ensemble.loss(one_step(feat, action, target, first)))
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert all(gradient.abs().max() > 0 for gradient in before)


def test_no_gradient_reaches_what_the_ensemble_is_shown():
    ensemble = Ensemble((FEAT, ACTION), TARGET, 3, HIDDEN)
    feat, action, target, first = chunk()
    shown = feat.requires_grad_(), action.requires_grad_(), target.requires_grad_()
    ensemble.loss(one_step(*shown, first)).sum().backward()
    assert all(x.grad is None for x in shown)


def test_gradients_pass_through_to_features_and_action():
    ensemble = Ensemble((FEAT, ACTION), TARGET, 3, HIDDEN)
    feat, action = (x.requires_grad_() for x in chunk()[:2])
    ensemble(feat, action).sum().backward()
    assert feat.grad is not None and action.grad is not None
    assert feat.grad.abs().min() > 0 and action.grad.abs().min() > 0


def fitted_error(pair: Callable[[Tensor, Tensor], OneStep]) -> float:
    """Mean squared error after learning to foretell the next latent of a planted system.

    What follows is the action, z_{t+1} = a_t, and actions come from nowhere.
    """
    torch.manual_seed(0)
    ensemble = Ensemble((ACTION, ACTION), ACTION, 2, Hidden(16, 1, HIDDEN.style))
    optimiser, error = Adam(ensemble.parameters(), AdamSettings(1e-2)), 0.0
    for _ in range(200):
        action = torch.rand(16, 8, ACTION) * 2 - 1
        latent = torch.cat([torch.zeros(16, 1, ACTION), action[:, :-1]], 1)
        step = pair(latent, action)
        optimiser.step(ensemble.loss(step).mean())
        error = float(ensemble.errors(step).detach().mean() / ACTION)
    return error


def test_a_planted_system_is_fitted_by_the_action_that_causes_it():
    first = torch.zeros(16, 8, dtype=torch.bool)
    assert fitted_error(lambda latent, action: one_step(latent, action, latent, first)) < 0.01


def test_the_planted_system_cannot_be_fitted_by_the_action_before():
    """The control of the test above: DreamerV2's alignment never sees the cause, variance 1/3."""
    first = torch.zeros(16, 8, dtype=torch.bool)

    def too_early(latent: Tensor, action: Tensor) -> OneStep:
        before = torch.cat([torch.zeros_like(action[:, :1]), action[:, :-1]], 1)
        return one_step(latent, before, latent, first)

    assert fitted_error(too_early) > 0.25


def test_all_rows_count_the_same_without_a_bootstrap():
    assert torch.equal(every_row(2, 5), torch.ones(2, 5))


def test_a_bootstrap_draws_each_row_as_often_as_a_binomial():
    counts = resampled_rows(4000, 10)
    assert counts.shape == (4000, 10) and counts.sum(1).eq(10).all()
    missed = float((counts == 0).float().mean())
    assert missed == pytest.approx(0.9**10, abs=0.01)
    assert float(counts.var()) == pytest.approx(0.9, abs=0.05)


def test_a_row_that_a_member_did_not_draw_does_not_move_it():
    drawn = torch.tensor([[1.0, 0.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    ensemble = Ensemble((FEAT, ACTION), TARGET, 2, HIDDEN, lambda members, rows: drawn)
    feat, action, target, first = chunk()
    before = gradients(ensemble, ensemble.loss(one_step(feat, action, target, first)))
    target[1] += 50
    after = gradients(ensemble, ensemble.loss(one_step(feat, action, target, first)))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(after, before, strict=True))
    assert not any(torch.equal(a[1], b[1]) for a, b in zip(after, before, strict=True))


def test_no_member_is_refused():
    with pytest.raises(ValueError, match="members 0: allowed is 1 or more"):
        Ensemble((FEAT, ACTION), TARGET, 0, HIDDEN)
