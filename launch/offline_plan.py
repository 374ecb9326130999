"""What decides a run that learns from logs alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from launch.compose import learner_settings, plan_spec
from launch.environments import AnyPlan, EnvironmentPlan, plan_environment
from launch.offline_logs import (
    Log,
    check_alike,
    differing,
    find_log,
    log_environment,
    log_robot,
)
from launch.run_folder import Plan
from learner.systems import build_agent
from learner.train.conservative import Conservatism, kept_near
from robot.config import ConfigError, RobotConfig, apply_change, check_config, load_config
from robot.policy.observe import robot_spec
from robot.tasks import make_task

CLOCK = "offline"  # of the plan of such a run: no time passes for a robot


@dataclass(frozen=True)
class Lessons:
    """How logs are learnt from, as far as it decides what is learnt.

    Args:
        share: of the episodes that are held out, to stop and to judge by.
        split_seed: of which.
        every: updates between two looks at the held-out episodes.
        cloning: weight by which the actor is held to the logged actions.
        caution: reward that a dreamt step costs whose outcome is as disputed as is usual.
    """

    share: float = 0.1
    split_seed: int = 0
    every: int = 250
    cloning: float = 0.0
    caution: float = 0.0

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigError: naming the option, the value and what is allowed.
        """
        if not 0 < self.share <= 0.5:
            raise ConfigError(f"--validation {self.share:g}: allowed is above 0, up to 0.5")
        if self.every < 1:
            raise ConfigError(f"--every {self.every}: allowed is 1 or more")
        for name, value in (("cloning", self.cloning), ("caution", self.caution)):
            if not 0 <= value < float("inf"):
                raise ConfigError(f"--{name} {value:g}: allowed is 0 or more")

    @property
    def conservatism(self) -> Conservatism:
        """The parts that keep a behaviour near the logs."""
        return Conservatism(self.cloning, self.caution)


@dataclass(frozen=True)
class OfflinePlan:
    """A plan whose experience is that of logs.

    Args:
        plan: robot or environment, system and settings.
        logs: in their order.
        lessons: how they are learnt from.
    """

    plan: AnyPlan
    logs: tuple[Log, ...]
    lessons: Lessons

    @property
    def control_hz(self) -> float:
        """Decisions per second of the logs."""
        return self.plan.control_hz

    @property
    def seed(self) -> int:
        """Of everything that is random."""
        return self.plan.seed

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; equal for runs that may resume each other."""
        logs = [str(log.path) for log in self.logs]
        return {**self.plan.as_dict(), "offline": {"logs": logs, **asdict(self.lessons)}}


def make_offline_plan(
    paths: Sequence[Path],
    system: str,
    preset: str,
    seed: int,
    changes: Sequence[str],
    lessons: Lessons,
    robot: Path | None = None,
) -> OfflinePlan:
    """Check everything that decides such a run.

    Args:
        paths: files, folders of logs, or folders of runs, all of one robot and one task.
        system: what learns, and `preset` its settings.
        preset: see `system`.
        seed: of everything that is random.
        changes: `key=value`; keys that begin with `learner.` are the system's, others the robot's.
        lessons: how the logs are learnt from.
        robot: YAML file of the robot, for logs that do not say whose they are.

    Raises:
        ConfigError: naming what cannot be used and why.
    """
    lessons.check()
    mine = load_config(robot) if robot else None
    logs = tuple(find_log(path, mine) for path in paths)
    for log in logs[1:]:
        check_alike(log, logs[0])
    of = _environment_plan if "environment" in logs[0].plan else _robot_plan
    plan = of(logs[0], system, preset, seed, changes)
    try:  # built and dropped: what does not fit is refused here
        kept_near(build_agent(system, plan_spec(plan), plan.settings), lessons.conservatism)
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"--cloning, --caution: {system} {error}") from error
    return OfflinePlan(plan, logs, lessons)


def _robot_plan(log: Log, system: str, preset: str, seed: int, changes: Sequence[str]) -> Plan:
    mine = [c.removeprefix("learner.") for c in changes if c.startswith("learner.")]
    sensed = log_robot(log)
    data = sensed.model_dump(mode="json")
    for change in (c for c in changes if not c.startswith("learner.")):
        apply_change(data, change)
    robot = check_config(RobotConfig, data, "--set")
    if said := differing(*(robot_spec(r, make_task(r)) for r in (robot, sensed))):
        raise ConfigError(f"--set: {said} in {log.path}")
    settings = learner_settings(robot, system, preset, mine)
    twin = str(log.plan.get("twin", ""))
    return Plan(robot, settings, system, preset, twin, CLOCK, seed)


def _environment_plan(
    log: Log, system: str, preset: str, seed: int, changes: Sequence[str]
) -> EnvironmentPlan:
    foreign = [change for change in changes if not change.startswith("learner.")]
    if foreign:
        raise ConfigError(f"--set {foreign[0]}: of an environment's log only learner.* can be set")
    met = log_environment(log)
    said = met.model_dump(mode="json", exclude={"name"})
    same = [f"env.{key}={json.dumps(value)}" for key, value in said.items()]
    return plan_environment(met.name, system, preset, seed, [*same, *changes])
