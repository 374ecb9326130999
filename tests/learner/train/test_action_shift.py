"""How far a policy strays from a log, where that is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from learner.train.action_shift import Actions, shift


def made(count: int = 400, seed: int = 0) -> Actions:
    """A log whose actions follow the state closely, and a policy that does the same."""
    rng = np.random.default_rng(seed)
    feat = rng.uniform(-1, 1, (count, 2))
    logged = 0.5 * feat + 0.05 * rng.normal(size=(count, 2))
    mode = 0.5 * feat + 0.05 * rng.normal(size=(count, 2))
    return Actions(feat, logged, mode, mode, np.full(count, -3.0), np.full(count, 1.0))


def test_a_policy_that_acts_as_the_log_does_lies_within_it() -> None:
    found = shift(made())
    assert found["distance"] == pytest.approx(0.0565, rel=0.1)  # 2 / sqrt(pi) times 0.05
    assert found["support"] == pytest.approx(1, abs=0.15)
    assert found["outside"] < 0.02
    assert (found["log_likelihood"], found["own_log_likelihood"]) == (-1.5, 0.5)


def test_a_policy_that_does_what_was_done_elsewhere_has_no_support_and_is_in_range() -> None:
    log = made()
    found = shift(replace(log, mode=-log.mode, drawn=-log.drawn))
    assert found["support"] > 2.5 and found["outside"] < 0.02
    assert found["distance"] > 5 * shift(log)["distance"]


def test_numbers_beyond_the_log_are_counted_as_the_robot_is_sent_them() -> None:
    log = made()
    drawn = log.drawn.copy()
    drawn[:100, 0] = 7.0  # the robot would be sent 1, which the log never had
    assert shift(replace(log, drawn=drawn))["outside"] == pytest.approx(100 / 800, abs=0.01)


def test_the_end_of_all_actions_is_not_outside_of_a_log_that_nearly_reached_it() -> None:
    log = made()
    logged = np.where(np.arange(400)[:, None] % 2, 0.99, -0.99) * np.ones((1, 2))
    drawn = np.where(np.arange(400)[:, None] % 2, 5.0, -5.0) * np.ones((1, 2))
    assert shift(replace(log, logged=logged, drawn=drawn))["outside"] == 0


def test_choices_of_chance_are_as_far_apart_as_any_two_of_the_log() -> None:
    rng = np.random.default_rng(0)
    logged, mode = (np.eye(4)[rng.integers(4, size=2000)] for _ in range(2))
    log = made(2000)
    found = shift(replace(log, logged=logged, mode=mode, drawn=mode))
    assert found["distance"] == pytest.approx(found["logged_spread"], rel=0.1)
    assert found["distance"] == pytest.approx(2 * 0.75 / 4, rel=0.1)


@pytest.mark.parametrize("count", [3, 10])
def test_few_states_tell_nothing_of_support(count: int) -> None:
    log = made(count)
    assert shift(log)["support"] is None


def test_equal_actions_tell_nothing_of_support() -> None:
    log = made()
    assert shift(replace(log, logged=np.zeros_like(log.logged)))["support"] is None
