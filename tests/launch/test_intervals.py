"""Intervals against numbers worked by hand, and against a slow bootstrap in plain loops."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist, mean, median

import numpy as np
import pytest

from launch.intervals import estimate, over_tasks
from launch.scores import clipped_record_mean, gamer_median, read_references


def slow_interval(runs: Sequence[Sequence[float]], times: int, seed: int) -> tuple[float, float]:
    """Draw runs, then episodes of each, one by one; the 2.5th and 97.5th of a hundred."""
    dice = random.Random(seed)
    drawn = []
    for _ in range(times):
        chosen = [dice.choice(runs) for _ in runs] if len(runs) > 1 else runs
        drawn.append(mean(mean(dice.choice(run) for _ in run) for run in chosen))
    drawn.sort()
    return drawn[round(0.025 * times)], drawn[round(0.975 * times) - 1]


DICE = random.Random(0)
RUNS = [[DICE.gauss(mean, 1.0) for _ in range(count)] for mean, count in ((5, 9), (2, 6), (7, 8))]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_interval_is_that_of_a_slow_bootstrap(count: int) -> None:
    runs = RUNS[:count]
    got = estimate([np.array(run) for run in runs])
    low, high = slow_interval(runs, 6000, seed=1)
    assert got.low == pytest.approx(low, abs=0.15)
    assert got.high == pytest.approx(high, abs=0.15)
    assert got.mean == pytest.approx(mean(map(mean, runs)))


def test_two_runs_that_never_vary_differ_as_a_coin_does() -> None:
    # Both runs are drawn the same in half of the resamples: at either end in a quarter each.
    got = estimate([np.zeros(5), np.ones(5)])
    assert (got.mean, got.spread, got.low, got.high) == (0.5, 0.5, 0.0, 1.0)
    assert got.over == "2 runs, then the episodes of each"


def test_the_interval_of_one_run_is_the_textbook_one_of_a_mean() -> None:
    values = np.array([NormalDist().inv_cdf((i + 0.5) / 200) for i in range(200)])
    got = estimate([10 + values])
    half = 1.96 * values.std() / sqrt(200)
    assert got.low == pytest.approx(10 - half, abs=0.012)
    assert got.high == pytest.approx(10 + half, abs=0.012)
    assert got.over == "200 episodes of one run" and got.spread == pytest.approx(values.std())


def test_seeds_that_differ_widen_the_interval_more_than_episodes_that_do() -> None:
    alike = estimate([np.array([0.0, 10.0] * 5)] * 3)
    apart = estimate([np.full(10, v) for v in (0.0, 5.0, 10.0)])
    assert alike.low is not None and alike.high is not None
    assert apart.low is not None and apart.high is not None
    assert alike.mean == apart.mean == 5
    assert apart.high - apart.low > 1.5 * (alike.high - alike.low)


def test_a_single_number_has_no_interval_and_nothing_is_an_error() -> None:
    got = estimate([np.array([4.0])])
    assert (got.mean, got.low, got.high) == (4.0, None, None)
    for nothing in ([], [np.array([1.0]), np.array([])]):
        with pytest.raises(ValueError, match="at least one run"):
            estimate(nothing)


def test_equal_arguments_give_equal_intervals() -> None:
    runs = [np.array(run) for run in RUNS]
    assert estimate(runs) == estimate(runs)
    assert estimate(runs) != estimate(runs, seed=1)


def test_metrics_over_tasks_are_worked_by_hand_and_their_interval_by_every_drawing() -> None:
    references = read_references()
    pong, boxing = references["Pong"], references["Boxing"]
    returns = {
        "Pong": [pong.random, pong.gamer],  # 0 and 1 of the gamer
        "Boxing": [boxing.gamer, boxing.gamer],  # 1 both times
    }
    value, low, high = over_tasks(returns, lambda r: gamer_median(r, references))
    assert value == pytest.approx((0.5 + 1) / 2)
    # Pong's two runs are drawn as 0, 0.5 or 1: medians of 0.5, 0.75 and 1.
    assert (low, high) == (pytest.approx(0.5), pytest.approx(1.0))
    clipped, *_ = over_tasks(returns, lambda r: clipped_record_mean(r, references))
    by_hand = median([pong.of_record((pong.random + pong.gamer) / 2)])
    assert clipped == pytest.approx((by_hand + min(1, boxing.of_record(boxing.gamer))) / 2)
    assert over_tasks({"Pong": [1.0]}, lambda r: r["Pong"]) == (1.0, None, None)
