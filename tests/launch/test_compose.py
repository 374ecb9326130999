"""What a robot asks of the systems that learn on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launch.compose import exploring, learner_settings
from launch.train import make_plan
from learner.systems import SYSTEMS, make_settings
from robot.config import ConfigError, load_config

A1, POINT_MASS = "hardware_configs/a1.yaml", "hardware_configs/point_mass.yaml"


def settings(system: str, path: str, *changes: str, robot: tuple[str, ...] = ()) -> dict[str, Any]:
    preset = next(iter(SYSTEMS[system].presets))
    return learner_settings(load_config(path, robot), system, preset, changes).model_dump()


def test_the_a1_asks_for_nothing() -> None:
    for system in SYSTEMS:
        preset = next(iter(SYSTEMS[system].presets))
        assert settings(system, A1) == make_settings(system, preset).model_dump()


def test_the_point_mass_asks_every_system_for_its_own_keys_and_reward() -> None:
    assert settings("reverie", POINT_MASS)["keys"] == ("vectors",)
    assert settings("reverie", POINT_MASS)["reward_offset"] == 0.5
    daydreamer = settings("daydreamer", POINT_MASS)  # has no offset, and goes without
    assert daydreamer["keys"] == ("vectors",) and "reward_offset" not in daydreamer


def test_the_command_line_has_the_last_word() -> None:
    changed = settings("reverie", POINT_MASS, "keys=[target]", "reward_offset=0")
    assert (changed["keys"], changed["reward_offset"]) == (("target",), 0.0)


def test_a_setting_that_no_system_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="learner: no system has a setting 'kyes'"):
        settings("reverie", POINT_MASS, robot=("learner.kyes=[target]",))


def test_a_plan_for_the_point_mass_needs_no_option() -> None:
    plan = make_plan(Path(POINT_MASS), "mujoco", "lockstep", "reverie", "cpu", 0, ())
    assert plan.settings.model_dump()["keys"] == ("vectors",)


def test_exploration_grows_calmer_with_the_updates_that_taught_the_policy() -> None:
    calm = ("learner.calm_updates=100", "learner.calm_scale=0.25", "learner.units=8")
    plan = make_plan(Path(POINT_MASS), "mujoco", "lockstep", "reverie", "cpu", 0, calm)
    maker = exploring(plan)
    untrained = maker.untrained()
    for updates, scale in ((99, 1.0), (100, 0.25), (5000, 0.25)):
        maker(replace(untrained, updates=updates))
        assert maker.noise.scale == scale


def test_systems_of_papers_explore_as_published() -> None:
    for system in SYSTEMS:
        if system != "reverie":
            presets = SYSTEMS[system].presets.values()
            assert all(preset.noise_scale(10**9) == 1.0 for preset in presets)
