"""One score for many tasks, worked by hand, and what scores are measured between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from launch.environments import plan_environment
from launch.over_tasks import scores_over_tasks
from launch.references import Reference, environment_reference
from launch.scores import read_references


def study(task: str, scores: list[float], span: tuple[float, float] | None = None) -> dict:
    runs: list[dict[str, Any]] = [{"score": score} for score in scores]
    clean = {"runs": runs, "score": {}, "normalised": {} if span else None}
    random, target = span or (0.0, None)
    return {
        "task": task,
        "conditions": [clean],
        "reference": {"random": random, "target": target},
    }


def test_atari_games_have_dreamer_v2s_four() -> None:
    games = read_references()
    pong, boxing = games["Pong"], games["Boxing"]
    told = scores_over_tasks(
        [
            study("gym:ALE/Pong-v5", [pong.gamer, pong.gamer]),
            study("gym:ALE/Boxing-v5", [boxing.random, boxing.random]),
        ]
    )
    assert told is not None and told["tasks"] == 2
    values = {row["name"]: row["value"] for row in told["metrics"]}
    record = (pong.gamer - pong.random) / (pong.record - pong.random)
    assert values == {
        "gamer median": pytest.approx(0.5),
        "gamer mean": pytest.approx(0.5),
        "record mean": pytest.approx(record / 2),
        "clipped record mean": pytest.approx(min(1, record) / 2),
    }
    assert all(row["low"] == pytest.approx(row["value"]) for row in told["metrics"])


def test_control_tasks_have_mean_and_median_return() -> None:
    tasks = {"walker-walk": [900.0], "cup-catch": [600.0], "hopper-hop": [0.0]}
    told = scores_over_tasks([study(f"dmc:{name}", runs) for name, runs in tasks.items()])
    assert told is not None
    values = {row["name"]: (row["value"], row["low"]) for row in told["metrics"]}
    assert values == {"mean": (500.0, None), "median": (600.0, None)}


def test_other_tasks_are_normalised_and_a_single_one_or_one_without_target_has_none() -> None:
    walk, reach = study("a1 walk", [7.0], (0.0, 14.0)), study("point reach", [0.5], (0.25, 0.75))
    told = scores_over_tasks([walk, reach])
    assert told is not None
    assert [row["value"] for row in told["metrics"]] == [0.5, 0.5]
    assert scores_over_tasks([walk]) is None
    assert scores_over_tasks([walk, study("gym:X-v0", [1.0])]) is None


def test_a_score_is_a_share_of_the_way_from_random_play_to_the_target() -> None:
    values = Reference(20.0, 120.0, "").normalised(np.array([20.0, 70.0, 220.0]))
    assert values is not None
    assert values.tolist() == [0.0, 0.5, 2.0]
    assert Reference(5.0, None, "").normalised(np.ones(1)) is None
    assert Reference(5.0, 5.0, "").normalised(np.ones(1)) is None


def test_a_pole_is_measured_from_random_play_to_gymnasiums_threshold() -> None:
    plan = plan_environment("gym:CartPole-v1", "reverie", "cpu", 0, ())
    found = environment_reference(plan, episodes=20, seed=0)
    # Random play keeps the pole up for about 22 steps; from 475 on it counts as solved.
    assert 15 < found.random < 32 and found.target == 475
