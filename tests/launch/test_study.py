"""What is said of several runs together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from launch.conditions import Condition
from launch.gait import at_least, weakest
from launch.study import describe
from launch.trial import Trial


class Speed:
    """Wants every episode to be fast on average."""

    question, rewards = "Is it fast?", ("speed",)

    def gate(self, episodes: list[Any]) -> list[Any]:
        return [at_least("speed", float(np.mean([e.terms["speed"] for e in episodes])), 1.0)]

    def figures(self, episodes: list[Any]) -> dict[str, float]:
        return {}


def outcome(name: str, speeds: list[float]) -> Any:
    episodes = [
        SimpleNamespace(
            terms={"speed": np.full(10, speed)}, seed=i, valid=np.ones(10, bool), body="ok"
        )
        for i, speed in enumerate(speeds)
    ]
    task, robot = SimpleNamespace(name="run"), "rig"
    plan = SimpleNamespace(
        robot=SimpleNamespace(robot=robot, task=task), twin="mujoco", control_hz=20.0
    )
    scores = np.array(speeds)
    return SimpleNamespace(
        **{"name": name, "condition": Condition(), "trial": Trial(), "plan": plan},
        **{"yardstick": Speed(), "episodes": episodes, "scores": scores, "passed": scores >= 1},
    )


@pytest.mark.parametrize(
    ("speeds", "answer"),
    [
        ([[2, 2], [0.5, 1]], "1 of 2 runs"),
        ([[2, 2], [1, 1]], "Yes"),
        ([[0, 0], [0, 5.0]], "1 of 2 runs"),
        ([[0.1, 0.1], [0.2, 0.2]], "No"),
    ],
)
def test_a_good_run_does_not_hide_a_bad_one(speeds: list[list[float]], answer: str) -> None:
    told = describe([outcome(name, each) for name, each in zip("ab", speeds, strict=True)])
    (clean,) = told["conditions"]
    assert told["answer"] == answer
    assert clean["gate"]["passes"] == (answer == "Yes")
    assert clean["gate"]["checks"][0]["figure"] == pytest.approx(min(map(np.mean, speeds)))
    assert [run["passes"] for run in clean["runs"]] == [np.mean(each) >= 1 for each in speeds]


def test_of_a_line_that_asks_for_little_the_largest_is_weakest() -> None:
    from launch.gait import _at_most  # pyright: ignore[reportPrivateUsage]

    lines = [_at_most("contact", figure, 0.1) for figure in (0.0, 0.3, 0.2)]
    assert weakest(lines).figure == 0.3 and not weakest(lines).passes
