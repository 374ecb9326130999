"""Values beside what came: returns by hand, bins by eye, and a critic that knows the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from learner.behaviour.own_returns import OwnReturns, StartlessReturns
from learner.behaviour.returns import ArrivalReturns, Returns
from learner.train.calibration import Values, calibration, realised

GAMMA = 0.5
REWARD = torch.tensor([[1.0, 2.0, 4.0, 8.0]])
VALUE = torch.tensor([[90.0, 90.0, 90.0, 16.0]])  # all but the last are never looked at


def test_arrival_returns_leave_out_a_states_own_reward() -> None:
    first, came, own = realised(ArrivalReturns(GAMMA, 0.3), REWARD, VALUE, torch.ones(1, 4))
    # 8 + 16 / 2 = 16; 4 + 16 / 2 = 12; 2 + 12 / 2 = 8.
    assert first == 0
    torch.testing.assert_close(came, torch.tensor([[8.0, 12.0, 16.0]]))
    torch.testing.assert_close(own, torch.tensor([[0.125, 0.25, 0.5]]))


def test_own_returns_count_it() -> None:
    first, came, own = realised(OwnReturns(GAMMA, 0.9), REWARD, VALUE, torch.ones(1, 4))
    # 4 + 16 / 2 = 12; 2 + 12 / 2 = 8; 1 + 8 / 2 = 5.
    assert first == 0
    torch.testing.assert_close(came, torch.tensor([[5.0, 8.0, 12.0]]))
    torch.testing.assert_close(own, torch.tensor([[0.125, 0.25, 0.5]]))


def test_returns_that_leave_out_the_start_begin_at_the_next_state() -> None:
    first, came, _ = realised(StartlessReturns(GAMMA, 0.9), REWARD, VALUE, torch.ones(1, 4))
    assert first == 1
    torch.testing.assert_close(came, torch.tensor([[8.0, 12.0]]))


@pytest.mark.parametrize("returns", [ArrivalReturns(GAMMA, 0.3), OwnReturns(GAMMA, 0.3)])
def test_nothing_counts_beyond_an_end(returns: Returns) -> None:
    cont = torch.tensor([[1.0, 1.0, 0.0, 1.0]])
    _, came, own = realised(returns, REWARD, VALUE, cont)
    more = realised(returns, REWARD + torch.tensor([[0, 0, 0, 99.0]]), VALUE * 5, cont)[1]
    torch.testing.assert_close(came[:, :2], more[:, :2])
    assert (own[:, :2] == 0).all()


def test_the_bookkeeping_asked_is_left_as_it_was() -> None:
    returns = ArrivalReturns(GAMMA, 0.3)
    realised(returns, REWARD, VALUE, torch.ones(1, 4))
    assert returns.lam == 0.3


def test_a_true_critic_is_calibrated_and_a_boaster_is_not() -> None:
    came = np.linspace(-1, 3, 101)
    true = calibration(Values(came, came, np.full(101, 0.25)))
    assert true["slope"] == pytest.approx(1) and true["correlation"] == pytest.approx(1)
    assert true["bias"] == pytest.approx(0) and true["own_share"] == 0.25
    boast = calibration(Values(2 * came + 1, came, np.zeros(101)))
    assert boast["slope"] == pytest.approx(0.5) and boast["bias"] == pytest.approx(came.mean() + 1)


def test_bins_hold_equally_many_and_are_in_order() -> None:
    rng = np.random.default_rng(0)
    said = rng.normal(size=1000)
    found = calibration(Values(said, -said, np.zeros(1000)))["bins"]
    assert [b["states"] for b in found] == [100] * 10
    means = [b["predicted"] for b in found]
    assert means == sorted(means)
    assert all(b["realised"] == pytest.approx(-b["predicted"]) for b in found)


def test_a_critic_that_says_one_thing_has_no_slope() -> None:
    found = calibration(Values(np.ones(8), np.arange(8.0), np.zeros(8)))
    assert found["slope"] is None and found["correlation"] is None
    assert found["rms_error"] == pytest.approx(np.sqrt(((np.arange(8) - 1) ** 2).mean()))
