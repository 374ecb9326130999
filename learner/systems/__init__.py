"""The systems of the field, one page each: a paper as a list of parts with sourced numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from learner.agent import Agent
from learner.model.encoders import pick
from learner.systems import (
    daydreamer,
    dreamer_v1,
    dreamer_v2,
    dreamer_v3,
    dreamer_v3_2023,
    plan2explore,
    planet,
    reverie,
    world_models,
)
from learner.train.settings import Settings
from learner.train.shift import RandomShift
from robot.config import ConfigError, apply_change, check_config
from robot.config.spelling import did_you_mean
from robot.wire.spec import RobotSpec


@dataclass(frozen=True)
class System:
    """One system: its presets, and how it is put together for a robot."""

    presets: Mapping[str, Any]
    build: Callable[[RobotSpec, Any], Agent]


SYSTEMS = {
    "reverie": System(reverie.PRESETS, reverie.build),
    "world_models": System(world_models.PRESETS, world_models.build),
    "daydreamer": System(daydreamer.PRESETS, daydreamer.build),
    "planet": System(planet.PRESETS, planet.build),
    "dreamer_v1": System(dreamer_v1.PRESETS, dreamer_v1.build),
    "dreamer_v2": System(dreamer_v2.PRESETS, dreamer_v2.build),
    "dreamer_v3": System(dreamer_v3.PRESETS, dreamer_v3.build),
    "dreamer_v3_2023": System(dreamer_v3_2023.PRESETS, dreamer_v3_2023.build),
    "plan2explore": System(plan2explore.PRESETS, plan2explore.build),
}


def find_system(name: str) -> System:
    """Look a system up.

    Raises:
        ConfigError: for an unknown one, naming those that exist.
    """
    if name not in SYSTEMS:
        meant = did_you_mean(name, SYSTEMS)
        raise ConfigError(f"system: unknown '{name}'{meant}; there are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]


def make_settings(name: str, preset: str, changes: Sequence[str] = ()) -> Settings:
    """Settings of a system's preset with `key=value` changes.

    Raises:
        ConfigError: for an unknown system, preset or key, or a value out of range.
    """
    system = find_system(name)
    if preset not in system.presets:
        meant, there = did_you_mean(preset, system.presets), ", ".join(system.presets)
        raise ConfigError(f"preset: {name} has no '{preset}'{meant}; it has {there}")
    data = system.presets[preset].model_dump()
    for change in changes:
        apply_change(data, change)
    return check_config(type(system.presets[preset]), data, f"--set learner ({name})")


def build_agent(name: str, spec: RobotSpec, settings: Settings) -> Agent:
    """Put a system together for one robot: it is told its keys by their names.

    With `shift`, any system's pictures are moved at random before they are learnt from.

    Raises:
        ConfigError: for a key that the robot does not sense, or what the system cannot do with it.
    """
    specs = pick(spec.observation, settings.keys)
    agent = find_system(name).build(spec, settings.model_copy(update={"keys": tuple(specs)}))
    if settings.shift:
        read = {key: spec.observation[key] for key in agent.keys}
        shifts = RandomShift(read, settings.shift)
        agent.diet = replace(agent.diet, prepare=(*agent.diet.prepare, shifts))
    return agent
