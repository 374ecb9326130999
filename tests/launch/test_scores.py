"""DreamerV2's four scores, against numbers worked by hand and published ones."""

from __future__ import annotations

import pytest

from launch.scores import (
    Reference,
    atari_scores,
    clipped_record_mean,
    control_scores,
    gamer_mean,
    gamer_median,
    over_seeds,
    read_references,
    record_mean,
)

THREE = {
    "a": Reference(random=0, gamer=10, record=100),
    "b": Reference(random=-20, gamer=0, record=20),
    "c": Reference(random=100, gamer=200, record=1100),
}
# Shares of the gamer: 2, 0.5, -0.1; of the record: 0.2, 0.25, -0.01.
HAND = {"a": 20.0, "b": -10.0, "c": 90.0}


def test_the_four_of_three_games_are_those_worked_by_hand() -> None:
    assert gamer_median(HAND, THREE) == pytest.approx(0.5)
    assert gamer_mean(HAND, THREE) == pytest.approx((2 + 0.5 - 0.1) / 3)
    assert record_mean(HAND, THREE) == pytest.approx((0.2 + 0.25 - 0.01) / 3)
    assert clipped_record_mean(HAND, THREE) == pytest.approx((0.2 + 0.25 - 0.01) / 3)


def test_only_what_lies_above_the_record_is_clipped() -> None:
    returns = {"a": 500.0, "b": -60.0}  # five records; as far below random as the record above
    assert record_mean(returns, THREE) == pytest.approx((5 - 1) / 2)
    assert clipped_record_mean(returns, THREE) == pytest.approx((1 - 1) / 2)


def test_an_even_number_of_games_has_its_median_between_two() -> None:
    assert gamer_median({"a": 20.0, "b": -10.0}, THREE) == pytest.approx(1.25)


def test_there_are_55_games_and_nobody_is_worse_than_random_play() -> None:
    games = read_references()
    assert len(games) == 55
    assert all(game.random < game.gamer < game.record for game in games.values())
    assert {"Defender", "Surround"}.isdisjoint(games)


def test_random_play_scores_nothing() -> None:
    games = read_references()
    scores = atari_scores({name: game.random for name, game in games.items()}, games)
    assert list(scores.values()) == pytest.approx([0, 0, 0, 0])


def test_the_gamer_scores_one_and_an_eighth_of_the_record() -> None:
    games = read_references()
    scores = atari_scores({name: game.gamer for name, game in games.items()}, games)
    assert scores["gamer median"] == scores["gamer mean"] == 1
    # DreamerV2's table of scores has 0.12 for the gamer.
    assert scores["clipped record mean"] == pytest.approx(0.12, abs=0.005)
    assert scores["record mean"] == pytest.approx(0.12, abs=0.005)


def test_the_record_scores_one() -> None:
    games = read_references()
    scores = atari_scores({name: game.record for name, game in games.items()}, games)
    assert scores["record mean"] == scores["clipped record mean"] == 1


def test_one_game_moves_the_gamer_mean_and_neither_median_nor_clipped_mean() -> None:
    games = read_references()
    modest = {name: game.random + 2 * (game.gamer - game.random) for name, game in games.items()}
    wild = {**modest, "Jamesbond": 29.0 + 1000 * 273.8}
    before, after = atari_scores(modest, games), atari_scores(wild, games)
    assert before["gamer mean"] == pytest.approx(2)
    assert after["gamer mean"] == pytest.approx((54 * 2 + 1000) / 55)
    assert after["gamer median"] == before["gamer median"] == pytest.approx(2)
    assert after["clipped record mean"] - before["clipped record mean"] < 1 / 55
    assert after["record mean"] - before["record mean"] > 5 / 55


def test_seeds_are_averaged_before_they_are_clipped() -> None:
    seeds = over_seeds({"a": [0.0, 300.0], "b": [20.0, 20.0]})
    assert seeds == {"a": 150.0, "b": 20.0}
    assert clipped_record_mean(seeds, THREE) == 1  # and not (0.5 + 1) / 2


def test_control_has_mean_and_median() -> None:
    assert control_scores({"x": 100.0, "y": 200.0, "z": 900.0}) == {"mean": 400.0, "median": 200.0}


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ValueError, match="no reference for pong"):
        gamer_median({"a": 1.0, "pong": 2.0}, THREE)
    with pytest.raises(ValueError, match="no games"):
        clipped_record_mean({}, THREE)
