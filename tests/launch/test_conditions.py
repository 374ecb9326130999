"""Conditions as they are said on a command line."""

from __future__ import annotations

import pytest

from launch.conditions import Conditions, read_conditions
from robot.config import ConfigError, load_config

A1 = load_config("hardware_configs/a1.yaml")


def names(*words: str) -> list[str]:
    return [condition.name for condition in read_conditions(words, A1).wanted]


def test_the_clean_condition_comes_first_whatever_is_said() -> None:
    assert names() == names("clean") == names("") == ["clean"]
    assert names("payload=2.0", "clean,push=5") == ["clean", "payload=2", "push=5"]


def test_a_kind_alone_means_its_usual_strengths_and_plus_joins() -> None:
    assert names("friction") == ["clean", "friction=0.6", "friction=0.4", "friction=0.2"]
    (_, joined) = read_conditions(["friction=0.4+push=5"], A1).wanted
    assert (joined.name, joined.kind) == ("friction=0.4+push=5", "friction+push")
    assert len(joined.perturbations) == 2 and "shove" in joined.about
    assert names("push=5,push=5.0") == ["clean", "push=5"]  # each once


def test_readings_are_never_so_late_that_the_body_stops_for_them() -> None:
    # An A1's body calls readings stale after 20 periods of 1 ms.
    late = [f"sensor_latency={ms}" for ms in (5, 10, 17)]
    assert names("sensor_latency") == ["clean", *late]
    assert names("sensor_latency=19") == ["clean", "sensor_latency=19"]


def test_all_leaves_out_what_this_robot_cannot_have_and_says_why() -> None:
    said: Conditions = read_conditions(["all"], A1)
    assert {condition.kind for condition in said.wanted} == {
        *("clean", "push", "payload", "friction", "sensor_latency", "command_latency")
    }
    assert said.left_out == {"light": "no camera of this robot is observed"}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("shove=3", "unknown 'shove'; there are push, payload, friction, sensor_latency"),
        ("payload=50", "--perturb payload=50: allowed is 0 to 20 \\(kg more on trunk or cart"),
        ("push=hard", "--perturb push=hard: not a number; allowed is 0 to 100"),
        ("push=nan", "--perturb push=nan: allowed is 0 to 100"),
        ("sensor_latency=20", "--perturb sensor_latency=20: allowed is 0 to 19 \\(ms by which"),
        ("light=0.5", "--perturb light=0.5: no camera of this robot is observed"),
        ("push+payload=2", "say how strong, such as push=1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(word: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_conditions([word], A1)
