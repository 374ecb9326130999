"""The samplers' probabilities, and the exact count of updates."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from learner.train.sampling import EpisodeChunks, RecentMixture, ReplayRatio, UniformChunks
from learner.train.windows import Windows
from robot.wire.transition import Transition


def step(index: int, episode: int, first: bool, last: bool, valid: bool = True, run: str = "run"):
    flags = {"is_first": np.array(first), "is_last": np.array(last)}
    return Transition("a1", run, index, episode, 0, 0, valid, flags)


def windows_of(episodes: list[int], capacity: int = 2000, open_end: int = 0) -> Windows:
    """Episodes of these numbers of records, slot equal to index, and the start of another."""
    windows, index = Windows(capacity), 0
    for number, records in enumerate([*episodes, open_end]):
        for i in range(records):
            last = i == records - 1 and number < len(episodes)
            windows.place(step(index, number, i == 0, last))
            index += 1
    return windows


def histogram(sampler, windows: Windows, length: int, draws: int = 60_000) -> np.ndarray:
    """Share of the draws that start at each slot."""
    ends = sampler.ends(windows, np.random.default_rng(1), draws, length)
    starts = windows.slots(ends, length)[:, 0]
    return np.bincount(starts, minlength=windows.size) / draws


def assert_close(share: np.ndarray, probability: np.ndarray, draws: int = 60_000) -> None:
    """Within five standard errors everywhere, and nowhere that is impossible."""
    assert probability.sum() == pytest.approx(1)
    error = np.sqrt(probability * (1 - probability) / draws)
    assert (np.abs(share - probability) <= 5 * error + 1e-12).all()


@pytest.mark.parametrize(
    ("records", "length", "last"), [(101, 32, 33 / 102), (251, 32, 33 / 252), (40, 8, 9 / 41)]
)
def test_episode_starts_follow_the_closed_probability(records: int, length: int, last: float):
    share = histogram(EpisodeChunks(), windows_of([records]), length)
    probability = np.zeros(records)
    probability[: records - length] = 1 / (records + 1)
    probability[records - length] = last
    assert_close(share, probability)


def test_published_episodes_of_250_and_100_actions_end_in_the_last_chunk_as_counted():
    for records, percent in ((101, 32.4), (251, 13.1)):
        share = histogram(EpisodeChunks(), windows_of([records]), 32, 400_000)
        assert 100 * share[records - 32] == pytest.approx(percent, abs=0.4)


def test_without_prioritised_ends_all_starts_are_equal():
    share = histogram(EpisodeChunks(prioritise_ends=False), windows_of([40]), 8)
    probability = np.zeros(40)
    probability[:33] = 1 / 33
    assert_close(share, probability)


def test_episodes_are_equal_whatever_their_length():
    share = histogram(EpisodeChunks(), windows_of([10, 200, 20]), 10)
    np.testing.assert_allclose(
        [share[:10].sum(), share[10:210].sum(), share[210:].sum()], 1 / 3, atol=0.011
    )


def test_short_open_and_partly_forgotten_episodes_are_not_drawn():
    windows = windows_of([50, 9, 30], capacity=100, open_end=20)  # forgets the first 9 steps
    share = histogram(EpisodeChunks(), windows, 10)
    assert share[59:80].sum() == pytest.approx(1)


def test_an_episode_leaves_when_its_first_step_is_overwritten():
    windows = windows_of([50, 50], capacity=101, open_end=1)
    assert EpisodeChunks().ready(windows, 50)
    assert sorted(windows.episodes(1)[1]) == [50, 50]
    windows.place(step(101, 2, False, False))
    assert sorted(windows.episodes(1)[1]) == [50]


def test_a_gap_cuts_an_episode_in_two():
    windows = Windows(100)
    for i in range(30):
        windows.place(step(i, 0, i == 0, i == 29, valid=i != 12))
    ends, records = windows.episodes(1)
    assert sorted(zip(ends.tolist(), records.tolist(), strict=True)) == [(11, 12), (28, 17)]


def test_closed_episodes_agree_with_a_plain_list():
    rng = np.random.default_rng(6)
    for _ in range(40):
        capacity, length = int(rng.integers(2, 60)), int(rng.integers(1, 5))
        windows = Windows(capacity)
        pieces: dict[int, list[list[int]]] = {0: [], 1: [], 2: []}  # arrivals of steps, by stream
        closed: dict[int, bool] = dict.fromkeys(pieces, True)
        clock, arrivals = dict.fromkeys(pieces, 0), 0
        for _ in range(int(rng.integers(10, 200))):
            s = int(rng.integers(3))
            kind = rng.choice(["on", "last", "first", "missing", "invalid"], p=[0.7] + [0.075] * 4)
            clock[s] += 2 if kind == "missing" else 1
            flags = {"first": kind == "first", "last": kind == "last", "valid": kind != "invalid"}
            windows.place(step(clock[s], 0, run=f"run{s}", **flags))
            if kind != "invalid":
                forgotten = arrivals + 1 - capacity
                gone = not pieces[s] or pieces[s][-1][-1] < forgotten
                if closed[s] or gone or kind in ("first", "missing"):
                    pieces[s].append([])
                pieces[s][-1].append(arrivals)
                arrivals += 1
            closed[s] = kind in ("last", "invalid")
        done = [p for s in pieces for p in pieces[s][: None if closed[s] else -1]]
        whole = [p for p in done if p[0] >= arrivals - capacity and len(p) >= length]
        ends, records = windows.episodes(length)
        found = sorted(zip(ends.tolist(), records.tolist(), strict=True))
        assert found == sorted((p[-1] % capacity, len(p)) for p in whole)


def test_an_interrupted_episode_is_closed_by_the_next_start():
    windows = Windows(100)
    for i in range(30):
        windows.place(step(i, i // 12, i % 12 == 0, False))
    assert sorted(windows.episodes(1)[1]) == [12, 12]


def test_no_closed_episode_is_one_clear_line():
    windows = windows_of([5], open_end=50)
    assert not EpisodeChunks().ready(windows, 10)
    with pytest.raises(ValueError, match="no closed episode of 10 steps or more yet"):
        EpisodeChunks().ends(windows, np.random.default_rng(0), 4, 10)


def test_uniform_starts_are_uniform_over_all_windows():
    share = histogram(UniformChunks(), windows_of([40, 20]), 8)
    probability = np.zeros(60)
    probability[:53] = 1 / 53
    assert_close(share, probability)


def test_the_recent_share_comes_from_the_newest_steps():
    share = histogram(RecentMixture(0.4, 100), windows_of([1000]), 10)
    everywhere = 0.6 * 100 / 991  # ends among the newest 100 by the uniform part
    assert share[891:].sum() == pytest.approx(0.4 + everywhere, abs=0.01)
    assert share[:891].sum() == pytest.approx(0.6 - everywhere, abs=0.01)


def test_the_recent_share_is_right_on_average_for_a_small_batch():
    windows, rng = windows_of([1000]), np.random.default_rng(2)
    sampler = RecentMixture(0.3, 20)
    ends = np.array([sampler.ends(windows, rng, 2, 5) for _ in range(5000)])
    assert (ends >= 980).mean() == pytest.approx(0.3 + 0.7 * 20 / 996, abs=0.015)


def test_recent_steps_without_a_chunk_are_made_up_for_uniformly():
    windows = windows_of([100])
    windows.place(step(100, 1, False, False, valid=False))
    windows.place(step(101, 1, False, False))
    ends = RecentMixture(1.0, 1).ends(windows, np.random.default_rng(0), 500, 10)
    assert ends.min() < 20 and ends.max() == 99


@pytest.mark.parametrize(
    ("fraction", "newest", "said"), [(1.5, 10, "fraction 1.5"), (0.5, 0, "newest 0")]
)
def test_a_mixture_out_of_range_is_refused(fraction: float, newest: int, said: str):
    with pytest.raises(ValueError, match=said):
        RecentMixture(fraction, newest)


@pytest.mark.parametrize("ratio", [96, 32, 0.1, 7.3, 384, 1000, 0])
def test_updates_are_counted_exactly_over_ten_thousand_steps(ratio: float):
    limiter, made = ReplayRatio(ratio, 24 * 16), 0
    for n in range(1, 10_001):
        limiter.add(1)
        made += limiter.due
        limiter.spend(limiter.due)
        assert made == n * Fraction(str(ratio)) // 384
    assert limiter.achieved == pytest.approx(ratio, abs=384 / 10_000)


@pytest.mark.parametrize("every", range(1, 200))
def test_one_update_for_every_so_many_steps_is_never_a_step_late(every: int):
    limiter = ReplayRatio(384 / every, 384)
    for n in (1, 7, 1000):
        limiter.steps = n * every - 1
        assert limiter.due == n - 1
        limiter.add(1)
        assert limiter.due == n


def test_steps_that_come_in_lumps_allow_as_many_updates():
    lumps, single = ReplayRatio(7.3, 96), ReplayRatio(7.3, 96)
    lumps.add(5000)
    for _ in range(5000):
        single.add(1)
    assert lumps.due == single.due == 380


def test_early_steps_allow_more_updates_and_later_ones_do_not():
    limiter = ReplayRatio(96, 384, early_steps=100, early_factor=2.5)
    due = []
    for steps in (40, 60, 100):
        limiter.add(steps)
        due.append(limiter.due)
    assert due == [40 * 5 // 8, 100 * 5 // 8, 100 * 5 // 8 + 25]


def test_the_ratio_goes_on_where_it_was_saved():
    limiter = ReplayRatio(96, 384)
    limiter.add(1003)
    limiter.spend(200)
    resumed = ReplayRatio(96, 384)
    resumed.restore(json.loads(json.dumps(limiter.state())))
    assert resumed.due == limiter.due == 50
    resumed.add(1)
    assert resumed.due == 51


def test_more_updates_than_allowed_are_paid_back_before_the_next():
    limiter = ReplayRatio(96, 384)
    limiter.spend(10)
    limiter.add(40)
    assert limiter.due == 0
    limiter.add(4)
    assert limiter.due == 1


@pytest.mark.parametrize("ratio", [-1, float("nan"), float("inf")])
def test_a_ratio_out_of_range_is_refused(ratio: float):
    with pytest.raises(ValueError, match="allowed is a finite number from 0"):
        ReplayRatio(ratio, 384)
