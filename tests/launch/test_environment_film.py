"""Films of environments: their own drawings, while a policy is tried in them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from launch.environment_film import Onlooker, fitted, frames_of_episode, side_by_side
from launch.environment_study import Tried, film_environment
from launch.environment_trial import live_in_environment
from launch.environments import plan_environment
from robot.policy.random import RandomPolicy


def played(name: str, episodes: int = 2) -> tuple[Any, list[float], Onlooker]:
    plan, look = plan_environment(name, "reverie", "cpu", 0, ["env.time_limit=12"]), Onlooker()
    returns = live_in_environment(plan, RandomPolicy(plan.spec, 0), episodes, 0, look)
    return plan, returns, look


def test_the_first_episode_is_kept_and_the_returns_are_as_without_anybody_looking() -> None:
    plan, returns, look = played("gym:reverie/Maze-v0")
    assert returns == live_in_environment(plan, RandomPolicy(plan.spec, 0), 2, 0)
    assert len(look.pictures) == 13  # what was seen before the first action, too
    assert {picture.shape for picture in look.pictures} == {(240, 320, 3)}
    assert any((picture != look.pictures[0]).any() for picture in look.pictures)


def test_what_draws_nothing_is_tried_all_the_same(tmp_path: Path) -> None:
    plan, returns, look = played("gym:reverie/TMaze-v0")
    assert len(returns) == 2 and look.pictures == []
    candidate: Any = SimpleNamespace(name="a", plan=plan)
    assert film_environment([Tried(candidate, np.array(returns), [])], tmp_path).films == ()
    assert list(tmp_path.iterdir()) == []


def test_a_film_shows_runs_side_by_side_until_the_longest_ends(tmp_path: Path) -> None:
    rng, tried = np.random.default_rng(0), []
    for name, length in (("a", 5), ("b", 9)):
        pictures = [rng.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(length)]
        plan = SimpleNamespace(name="gym:some/Thing-v1", control_hz=20.0)
        candidate: Any = SimpleNamespace(name=name, plan=plan)
        tried.append(Tried(candidate, np.zeros(2), pictures))
    media = film_environment(tried, tmp_path)
    ((caption, path),) = media.films
    assert caption == "a, b" and path.name == "gym-some-Thing-v1_runs.webm"
    film = cv2.VideoCapture(str(path))
    assert (film.get(cv2.CAP_PROP_FRAME_WIDTH), film.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (640, 262)
    frames = list(side_by_side({one.candidate.name: one.pictures for one in tried}))
    assert len(frames) == 9
    np.testing.assert_array_equal(frames[8][22:, :320], tried[0].pictures[-1])
    assert [label for label, _ in media.frames] == ["0.0 s", "0.1 s", "0.1 s", "0.1 s", "0.2 s"]
    assert len(frames_of_episode(tried[1].pictures, 20.0)) == 8


@pytest.mark.parametrize(("height", "width"), [(400, 600), (64, 64), (500, 100)])
def test_a_picture_keeps_its_proportions(height: int, width: int) -> None:
    done = fitted(np.full((height, width, 3), 255, np.uint8), (240, 320))
    rows, columns = done.any((1, 2)).sum(), done.any((0, 2)).sum()
    assert done.shape == (240, 320, 3)
    assert rows / columns == pytest.approx(height / width, rel=0.02)
    assert rows == 240 or columns == 320
