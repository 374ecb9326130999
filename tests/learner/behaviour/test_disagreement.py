"""Disagreement against NumPy, where noise cannot be foretold, and where nothing was ever seen."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from learner.behaviour.disagreement import Disagreement, PredictionError, deviation, variance
from learner.model.ensemble import Ensemble, OneStep, resampled_rows
from learner.model.nets import Hidden, Style, uniform_average
from learner.model.rssm import State
from learner.model.world_model import Dream
from learner.train.optimisers import Adam, AdamSettings

STYLE = Style(F.elu, uniform_average)
SMALL = Hidden(32, 2, STYLE)
FEAT, ACTION, TARGET = 5, 2, 3
NO_MODEL = cast(Any, None)  # curiosity asks nothing of the world model
NOISE = 0.5
KNOWN, UNKNOWN = torch.linspace(-1, 1, 101), torch.linspace(2.5, 3.5, 101)


def ensemble(members: int = 4, outputs: int = TARGET) -> Ensemble:
    return Ensemble((FEAT, ACTION), outputs, members, Hidden(8, 1, STYLE))


def dreamt(rows: int = 6, horizon: int = 4) -> Dream:
    state = State(torch.randn(rows, horizon + 1, 2), torch.randn(rows, horizon + 1, FEAT - 2))
    return Dream(state, torch.randn(rows, horizon + 1, ACTION))


@pytest.mark.parametrize("spread", [deviation, variance])
def test_members_that_are_equal_do_not_disagree(spread: Any):
    same = ensemble()
    with torch.no_grad():
        for weight in same.parameters():
            weight.copy_(weight[:1].expand_as(weight).clone())
    dream = dreamt()
    dream.actions.requires_grad_()
    reward = Disagreement(same, spread)(NO_MODEL, dream)
    assert reward.shape == (6, 5) and reward.detach().abs().max() < 1e-6
    reward.sum().backward()
    assert dream.actions.grad is not None and dream.actions.grad.isfinite().all()


def test_the_spreads_are_those_of_numpy_over_the_population():
    guesses = torch.randn(5, 3, 4, 7, dtype=torch.float64)
    expected = np.std(guesses.numpy(), axis=0, ddof=0).mean(-1)
    np.testing.assert_allclose(deviation(guesses), expected, atol=1e-12)
    expected = np.var(guesses.numpy(), axis=0, ddof=0).mean(-1)
    np.testing.assert_allclose(variance(guesses), expected, atol=1e-12)


def test_a_step_of_a_dream_is_paid_by_its_state_its_action_and_nothing_later():
    curious, dream = Disagreement(ensemble(), variance, scale=1e4), dreamt()
    before = curious(NO_MODEL, dream)
    one = dream.states.feat[2:3, 1], dream.actions[2:3, 1]
    guesses = curious.ensemble(*one).detach().numpy()[:, 0]
    assert float(before[2, 2]) == pytest.approx(1e4 * guesses.var(0).mean(), rel=1e-4)
    assert before.shape == (6, 5) and before[:, 0].eq(0).all() and before[:, 1:].gt(0).all()
    dream.actions[:, 2] += 1
    changed = (curious(NO_MODEL, dream) != before).any(0)
    assert changed.tolist() == [False, False, False, True, False]
    dream.actions[:, 4] += 1  # the last one leads nowhere
    dream.states.deter[:, 4] += 1
    assert torch.equal((curious(NO_MODEL, dream) != before).any(0), changed)


@pytest.mark.parametrize("kind", ["disagreement", "prediction error"])
def test_gradients_reach_states_and_actions_and_no_weights(kind: str):
    pair = PredictionError(ensemble(1), ensemble(1, outputs=1))
    curious = Disagreement(ensemble()) if kind == "disagreement" else pair
    dream = dreamt()
    for tensor in (dream.states.deter, dream.states.stoch, dream.actions):
        tensor.requires_grad_()
    curious(NO_MODEL, dream).sum().backward()
    for tensor in (dream.states.deter, dream.states.stoch, dream.actions):
        assert tensor.grad is not None and tensor.grad[:, :-1].abs().min() > 0
    assert all(weight.grad is None for weight in curious.parameters())
    assert all(weight.requires_grad for weight in curious.parameters())


def noisy_sine(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Places in [-1, 1] and sin 3x with noise of deviation 0.5."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, count)
    y = np.sin(3 * x) + rng.normal(0, NOISE, count)
    return torch.tensor(x).float(), torch.tensor(y).float()


def cubic(x: Tensor) -> Tensor:
    """(N,) -> (N, 3) Legendre polynomials of degree 1 to 3, of mean square 1 on [-1, 1]."""
    plain = torch.stack([x, (3 * x**2 - 1) / 2, (5 * x**3 - 3 * x) / 2], -1)
    return plain * torch.tensor([3.0, 5.0, 7.0]).sqrt()


def as_steps(inputs: Tensor, y: Tensor) -> OneStep:
    """Every point a row of one step: features (N, 1, F), an idle action, target (N, 1, 1)."""
    count = len(y)
    idle, live = torch.zeros(count, 1, 1), torch.ones(count, 1)
    return OneStep(inputs[:, None], idle, y[:, None, None], live)


def fitted_cubics(count: int) -> tuple[float, float]:
    """Variance between 8 cubics fitted to one bootstrap each, over [-1, 1], and their error."""
    x, y = noisy_sine(count)
    drawn = resampled_rows(8, count)
    cubics = Ensemble((3, 1), 1, 8, Hidden(0, 0, STYLE), lambda members, rows: drawn)
    step, weights = as_steps(cubic(x), y), list(cubics.parameters())
    for _ in range(60):  # the loss is nearly the same bowl in all directions
        slopes = torch.autograd.grad(cubics.loss(step).mean(), weights)
        with torch.no_grad():
            for weight, slope in zip(weights, slopes, strict=True):
                weight -= 0.2 * slope
    with torch.no_grad():
        guesses = cubics(cubic(KNOWN), torch.zeros(101, 1))
        seen, told = noisy_sine(4000, seed=1)
        error = (cubics(cubic(seen), torch.zeros(4000, 1))[..., 0] - told).square().mean()
    return float(variance(guesses).mean()), float(error)


def least_squares(count: int) -> float:
    """The same variance by NumPy's least squares, with bootstraps of its own."""
    rng = np.random.default_rng(7)
    x, y = (part.double().numpy() for part in noisy_sine(count))
    guesses = []
    for _ in range(8):
        rows = rng.integers(count, size=count)
        guesses.append(np.polyval(np.polyfit(x[rows], y[rows], 3), KNOWN.numpy()))
    return float(np.var(guesses, axis=0).mean())


def test_disagreement_vanishes_with_visits_where_the_error_stays_that_of_the_noise():
    """Plan2Explore, section 3: members agree on the mean of what they cannot foretell."""
    spreads, errors = zip(*(fitted_cubics(count) for count in (100, 1000, 10_000)), strict=True)
    assert spreads[0] > 8 * spreads[1] > 64 * spreads[2]
    assert all(error > 0.98 * NOISE**2 for error in errors)
    for spread, count in zip(spreads, (100, 1000, 10_000), strict=True):
        assert 0.4 < spread / least_squares(count) < 2.5


def trained(curious: Disagreement | PredictionError, count: int, updates: int) -> None:
    """Teach curiosity the noisy sine of `count` points, in batches."""
    x, y = noisy_sine(count)
    optimiser = Adam(curious.parameters(), AdamSettings(3e-3))
    for _ in range(updates):
        rows = torch.randint(count, (64,))
        optimiser.step(curious.loss(as_steps(x[rows, None], y[rows])).mean())


def paid(curious: Disagreement | PredictionError, x: Tensor) -> float:
    """Mean reward of steps that begin at places x (N,)."""
    states = State(torch.zeros(len(x), 2, 0), x[:, None, None].expand(-1, 2, -1))
    with torch.no_grad():
        return float(curious(NO_MODEL, Dream(states, torch.zeros(len(x), 2, 1)))[:, 1].mean())


def test_noise_keeps_paying_for_prediction_errors_and_stops_paying_for_disagreement():
    curious = Disagreement(Ensemble((1, 1), 1, 8, SMALL, resampled_rows), variance)
    rival = PredictionError(Ensemble((1, 1), 1, 1, SMALL), Ensemble((1, 1), 1, 1, SMALL))
    before = paid(curious, KNOWN)
    trained(curious, 2000, 300)
    trained(rival, 2000, 300)
    assert paid(curious, KNOWN) < before / 4 < NOISE**2 / 10
    assert 0.8 * NOISE**2 < paid(rival, KNOWN) < 2 * NOISE**2
    assert paid(curious, UNKNOWN) > 10 * paid(curious, KNOWN)


def test_the_gauge_of_errors_does_not_teach_the_predictor():
    predictor, gauge = ensemble(1), ensemble(1, outputs=1)
    rival = PredictionError(predictor, gauge)
    seen, told = (torch.randn(4, 3, FEAT), torch.randn(4, 3, ACTION)), torch.randn(4, 3, TARGET)
    step = OneStep(*seen, told, torch.ones(4, 3))
    both = torch.autograd.grad(rival.loss(step).sum(), list(predictor.parameters()))
    alone = torch.autograd.grad(predictor.loss(step).sum(), list(predictor.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(both, alone, strict=True))
