"""Which episodes are held out, and when patience is out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from learner.train.held_out import held_out
from learner.train.patience import Patience


@pytest.mark.parametrize(("episodes", "share", "count"), [(100, 0.1, 10), (2, 0.1, 1), (7, 0.5, 4)])
def test_a_share_is_held_out_and_never_all(episodes: int, share: float, count: int) -> None:
    held = held_out(episodes, share, seed=0)
    assert held.shape == (episodes,) and held.sum() == count < episodes


def test_every_stretch_of_the_history_gives_one() -> None:
    for seed in range(20):
        assert (held_out(100, 0.1, seed).reshape(10, 10).sum(1) == 1).all()


def test_which_follows_from_the_seed() -> None:
    first, again, other = (held_out(60, 0.2, seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize(("episodes", "share"), [(1, 0.1), (0, 0.1), (9, 0.0), (9, 0.6)])
def test_what_cannot_be_split_is_refused(episodes: int, share: float) -> None:
    with pytest.raises(ValueError, match=r"at least two are needed|allowed is above 0"):
        held_out(episodes, share, 0)


def test_patience_counts_from_the_best() -> None:
    patience = Patience(10)
    assert [patience.tell(u, loss) for u, loss in ((5, 2.0), (10, 1.0), (15, 1.5))] == [1, 1, 0]
    assert (patience.best, patience.at) == (1.0, 10)
    assert not patience.is_out(19) and patience.is_out(20)


def test_a_loss_that_is_not_finite_is_never_the_best() -> None:
    patience = Patience(10)
    assert not patience.tell(3, math.nan) and not patience.tell(6, math.inf)
    assert patience.tell(9, 7.0) and not patience.tell(12, math.nan)


def test_patience_of_nought_waits_for_ever() -> None:
    assert not Patience(0).is_out(10**9)


@pytest.mark.parametrize("told", [[], [(4, 0.5)]])
def test_patience_is_taken_up_again(told: list[tuple[int, float]]) -> None:
    patience, again = Patience(10), Patience(10)
    for update, loss in told:
        patience.tell(update, loss)
    again.restore(patience.state())
    assert again == patience
