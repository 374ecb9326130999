"""Runs in environments: which there are, how they are built, and what decides such a run."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium as gym
from pydantic import Field

from launch.run_folder import Plan, RunFolder, stream_name
from learner.systems import make_settings
from learner.train.settings import Settings
from robot.config import ConfigError, Strict, apply_change, check_config
from robot.wire.spec import RobotSpec
from sim.actions import make_actions
from sim.observations import Observations, WithPicture

# Dreamer's for DeepMind Control (arXiv 1912.01603, section 6), which its successors kept.
REPEATS = {"dmc": 2}
# Of drawings for people, where an environment can be told; its own pictures stay as they are.
LARGE = {"dmc": {"size": 240}}
# For an environment that does not tell how fast it is drawn.
STEPS_HZ = 20.0


class EnvironmentConfig(Strict):
    """An environment, and how an agent meets it.

    Args:
        name: `gym:ID` of Gymnasium, or `dmc:DOMAIN-TASK` of the DeepMind Control Suite.
        action_repeat: environment steps for which each action lasts; their rewards are added.
        time_limit: environment steps after which an episode is cut; 0 leaves that to the
            environment.
        picture: whether a drawing of the scene is observed too, as `image`, 64 x 64.
        options: what the environment is made with.
    """

    name: str = Field(pattern=r"^(gym|dmc):.+$")
    action_repeat: int = Field(default=1, ge=1, le=100)
    time_limit: int = Field(default=0, ge=0)
    picture: bool = False
    options: dict[str, Any] = {}


def is_environment(target: str) -> bool:
    """Whether a target of `reverie train` names an environment, not a robot's file."""
    return target.partition(":")[0] in MAKERS


def make_environment(config: EnvironmentConfig, drawn: bool = False) -> gym.Env:
    """Build an environment.

    Args:
        config: which one.
        drawn: whether its `render` gives pictures, also where none is observed.

    Raises:
        ConfigError: for an unknown one, options that it does not take, or where what it needs is
            not installed.
    """
    kind, _, name = config.name.partition(":")
    mode: dict[str, Any] = {"render_mode": "rgb_array"} if drawn or config.picture else {}
    if drawn and not config.picture:
        mode |= LARGE.get(kind, {})
    try:
        with warnings.catch_warnings():
            if drawn:  # that it has no drawings is no news to whoever asks for them
                warnings.simplefilter("ignore")
            environment = MAKERS[kind](name, {**config.options, **mode})
        return WithPicture(environment) if config.picture else environment
    except ConfigError:
        raise
    except (gym.error.Error, ImportError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"{config.name}: cannot be made: {said}") from error


def _make_gymnasium(name: str, options: Mapping[str, Any]) -> gym.Env:
    if name.startswith("reverie/"):  # importing them registers them
        import sim.gym
        import sim.mazes  # noqa: F401
    return gym.make(name, disable_env_checker=True, **options)


def _make_dmc(name: str, options: Mapping[str, Any]) -> gym.Env:
    from sim.dmc import DeepMindControl

    return DeepMindControl(name, **options)


MAKERS: dict[str, Callable[[str, Mapping[str, Any]], gym.Env]] = {
    "gym": _make_gymnasium,
    "dmc": _make_dmc,
}


def environment_spec(environment: gym.Env, action_repeat: int) -> RobotSpec:
    """What an environment shows and is told.

    Raises:
        ConfigError: for observations or actions that no spec describes.
    """
    hz = float(environment.metadata.get("render_fps") or STEPS_HZ) / action_repeat
    observations = Observations(environment.observation_space)
    return RobotSpec(observations.spec, make_actions(environment.action_space).spec, hz)


@dataclass(frozen=True)
class EnvironmentPlan:
    """Everything that decides a run in an environment, apart from how long it lasts.

    Args:
        environment: and how it is met.
        settings: resolved settings of the learning system.
        system: its name.
        preset: its preset's name.
        seed: of everything that is random.
        begun_from: what is said of the run whose weights it begins with, if any.
    """

    environment: EnvironmentConfig
    settings: Settings
    system: str
    preset: str
    seed: int
    begun_from: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; equal for runs that may resume each other."""
        begun = {} if self.begun_from is None else {"begun_from": dict(self.begun_from)}
        return {
            **begun,
            "system": self.system,
            "preset": self.preset,
            "seed": self.seed,
            "environment": self.environment.model_dump(mode="json"),
            "settings": self.settings.model_dump(mode="json"),
        }

    @cached_property
    def spec(self) -> RobotSpec:
        """What the environment shows and is told."""
        environment = make_environment(self.environment)
        try:
            return environment_spec(environment, self.environment.action_repeat)
        finally:
            environment.close()

    @property
    def name(self) -> str:
        """Of the environment."""
        return self.environment.name

    @property
    def control_hz(self) -> float:
        """Decisions per second of its time."""
        return self.spec.control_hz

    @property
    def steps_hz(self) -> float:
        """Environment steps per second of its time."""
        return self.control_hz * self.environment.action_repeat

    @property
    def run_id(self) -> str:
        """Name of the run's stream of transitions: the same for the same plan."""
        return stream_name(self.name, self.seed, self)


AnyPlan = Plan | EnvironmentPlan


def plan_environment(
    target: str, system: str, preset: str, seed: int, changes: Sequence[str]
) -> EnvironmentPlan:
    """Check everything that decides a run in an environment.

    Unless told otherwise, a system reads all keys that the environment shows, and an offset of the
    reward, which was chosen for a robot's task, is 0.

    Args:
        target: `gym:ID` or `dmc:DOMAIN-TASK`.
        system: the learning system.
        preset: its settings.
        seed: of everything that is random.
        changes: `key=value`; keys begin with `learner.` or `env.`.

    Raises:
        ConfigError: naming the key, the value and what is allowed.
    """
    said: dict[str, list[str]] = {"learner": [], "env": []}
    for change in changes:
        part, _, rest = change.partition(".")
        if part not in said:
            raise ConfigError(f"--set {change}: an environment has the keys learner.* and env.*")
        said[part].append(rest)
    kind = target.partition(":")[0]
    data: dict[str, Any] = {"name": target, "action_repeat": REPEATS.get(kind, 1)}
    for change in said["env"]:
        apply_change(data, change)
    environment = check_config(EnvironmentConfig, data, "--set env")
    plan = EnvironmentPlan(environment, make_settings(system, preset), system, preset, seed)
    settings = make_settings(system, preset, [*_not_a_robots(plan), *said["learner"]])
    return EnvironmentPlan(environment, settings, system, preset, seed)


def _not_a_robots(plan: EnvironmentPlan) -> list[str]:
    """Changes of those numbers of a system, as far as it has them, that are one robot's own."""
    ours = {"keys": json.dumps(list(plan.spec.observation)), "reward_offset": "0.0"}
    fields = type(plan.settings).model_fields
    return [f"{key}={value}" for key, value in ours.items() if key in fields]


def read_environment_plan(folder: RunFolder) -> EnvironmentPlan:
    """The plan that a run in an environment was made with.

    Raises:
        ConfigError: when there is no such run in the folder, or its plan cannot be read.
    """
    fields = EnvironmentPlan.__dataclass_fields__
    data = folder.saved_plan(key for key in fields if key != "begun_from")
    return environment_plan_from(data, str(folder.plan_file))


def environment_plan_from(data: Mapping[str, Any], where: str) -> EnvironmentPlan:
    """A plan of what `EnvironmentPlan.as_dict` gave.

    Args:
        data: JSON-ready.
        where: it was read, for errors.

    Raises:
        ConfigError: when it is not allowed any more.
    """
    base = make_settings(data["system"], data["preset"])
    return EnvironmentPlan(
        environment=check_config(EnvironmentConfig, data["environment"], where),
        settings=check_config(type(base), data["settings"], where),
        **{key: data[key] for key in ("system", "preset", "seed")},
        begun_from=data.get("begun_from"),
    )


def folder_name(plan: EnvironmentPlan) -> str:
    """Name of a run's folder, such as dmc-walker-walk-reverie-0."""
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', plan.name)}-{plan.system}-{plan.seed}"
