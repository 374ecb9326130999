"""Logs that are learnt from without a robot: where they lie, and what they are of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launch.environments import EnvironmentConfig
from launch.logs import places
from robot.config import ConfigError, RobotConfig, check_config
from robot.policy.observe import robot_spec
from robot.tasks import make_task
from robot.wire.log import LogFile
from robot.wire.spec import RobotSpec, Spec

Plan = Mapping[str, Any]


@dataclass(frozen=True)
class Log:
    """One log that was named.

    Args:
        path: as it was named, made absolute.
        files: MCAP files in their order.
        plan: what the first of them says of the run that wrote it.
    """

    path: Path
    files: tuple[Path, ...]
    plan: Plan


def find_log(path: Path, robot: RobotConfig | None = None) -> Log:
    """The log that a file, a folder of log files, or a run's folder holds.

    Args:
        path: see above.
        robot: whose log it is, where it does not say so itself, as imported ones do not.

    Raises:
        ConfigError: when there is none, or it does not say whose it is.
    """
    files = places.find_log(path).files
    return Log(path.resolve(), files, _plan(files[0], robot))


def _plan(path: Path, robot: RobotConfig | None) -> Plan:
    file = LogFile(path)
    next(file.records(), None)  # what a log is about stands before its first record
    if "plan" not in file.about and robot is not None:
        return {"robot": robot.model_dump(mode="json")}
    try:
        plan = json.loads(file.about["plan"])
    except (KeyError, ValueError):
        said = file.fault or f"{path}: does not say which robot it is of"
        raise ConfigError(f"--offline {said}; say it by --robot, with its YAML file") from None
    if not isinstance(plan, dict) or not {"robot", "environment"} & plan.keys():
        raise ConfigError(f"--offline {path}: is neither of a robot nor of an environment")
    return plan


def log_robot(log: Log) -> RobotConfig:
    """The robot whose log it is.

    Raises:
        ConfigError: when this version knows no such robot.
    """
    return check_config(RobotConfig, log.plan["robot"], f"--offline {log.path}")


def log_environment(log: Log) -> EnvironmentConfig:
    """The environment whose log it is.

    Raises:
        ConfigError: when this version knows no such environment.
    """
    return check_config(EnvironmentConfig, log.plan["environment"], f"--offline {log.path}")


def check_alike(log: Log, first: Log) -> None:
    """Refuse a log that another one cannot be learnt with.

    Raises:
        ConfigError: naming what differs: what is sensed, done, or rewarded.
    """
    for part in ("robot", "environment"):
        if (part in log.plan) != (part in first.plan):
            raise ConfigError(f"--offline {log.path}: is of no {part}; {first.path} is of one")
    if said := _difference(log, first):
        raise ConfigError(f"--offline {log.path}: {said} in {first.path}")


def _difference(log: Log, first: Log) -> str:
    if "environment" in log.plan:
        worlds = (log_environment(x).model_dump(mode="json") for x in (log, first))
        return _different_keys("environment", *worlds)
    robots = [log_robot(x) for x in (log, first)]
    if said := differing(*(robot_spec(robot, make_task(robot)) for robot in robots)):
        return said
    return _different_keys("task", *(robot.task.model_dump(mode="json") for robot in robots))


def differing(mine: RobotSpec, other: RobotSpec) -> str:
    """The first thing in which two robots' specs differ, in words; "" where nothing does."""
    if mine.fingerprint() == other.fingerprint():
        return ""
    if mine.control_hz != other.control_hz:
        return f"control_hz is {mine.control_hz:g}, and {other.control_hz:g}"
    a, b = ({**spec.observation, "action": spec.action} for spec in (mine, other))
    for key in sorted(a.keys() | b.keys()):
        if key not in a or key not in b:
            return f"{key} is {'sensed, and not' if key in a else 'not sensed, and it is'}"
        if a[key].describe() != b[key].describe():
            return f"{key} is {_said(a[key])}, and {_said(b[key])}"
    return "what is sensed is described otherwise, and"


def _said(spec: Spec) -> str:
    return f"{spec.dtype.name} {spec.shape} in {spec.unit}"


def _different_keys(name: str, mine: Any, other: Any) -> str:
    if isinstance(mine, dict) and isinstance(other, dict):
        for key in sorted(mine.keys() | other.keys()):
            if said := _different_keys(f"{name}.{key}", mine.get(key), other.get(key)):
                return said
        return ""
    return f"{name} is {mine!r}, and {other!r}" if mine != other else ""
