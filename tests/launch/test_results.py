"""What is kept of a robot's run, whichever its task."""

from typing import Any

import pytest

from launch.results import result


def summary(task: dict[str, Any], **terms: float) -> dict[str, Any]:
    plan = {
        **{"system": "reverie", "preset": "cpu", "twin": "mujoco", "clock": "lockstep"},
        **{"settings": {}, "robot": {"task": task}},
    }
    line = {"robot_minutes": 0.2, "steps": 250, "return": 2500.0, "mean_reward": 10.0, **terms}
    return {
        **{"config": plan, "seed": 0, "command": "reverie train", "updates": 9, "versions": {}},
        **{"robot_minutes": 0.2, "episodes": [line]},
    }


@pytest.mark.parametrize(
    ("task", "said"),
    [({"name": "walk", "reward": "walk_upright"}, "walk_upright"), ({"name": "reach"}, "reach")],
)
def test_it_is_said_what_a_run_was_rewarded_for(task: dict[str, Any], said: str):
    assert result(summary(task))["reward"] == said


def test_a_walk_is_judged_by_the_published_reward_and_another_task_by_its_own():
    walked = summary({"name": "walk", "reward": "walk_upright"}, published=8.0, walk_upright=10.0)
    (kept,) = result(walked)["episodes"]
    assert (kept["mean_reward"], kept["walk_upright"]) == (8.0, 10.0)
    (kept,) = result(summary({"name": "reach"}))["episodes"]
    assert kept["mean_reward"] == 10.0
