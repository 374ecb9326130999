"""The folder of one run: where everything lies, and what may be resumed in it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from launch.whole import check_place, write_whole
from learner.systems import make_settings
from learner.train.settings import Settings
from robot.config import ConfigError, RobotConfig, check_config
from robot.wire.weights import Weights

PACKAGES = ("reverie", "torch", "numpy", "mujoco", "gymnasium", "pyzmq")
EXTRAS = ("dm_control",)
FOLDERS = ("log", "ingest", "checkpoints", "tensorboard", "output", "inside", "ledgers")


class Described(Protocol):
    """What decides a run, whatever kind of run that is."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; equal for runs that may resume each other."""
        ...


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run, apart from how long it lasts.

    Args:
        robot: resolved configuration of the robot.
        settings: resolved settings of the learning system.
        system: its name.
        preset: its preset's name.
        twin: "mujoco", "pybullet", or "" for hardware.
        clock: "realtime" or "lockstep", or "offline" where a run learns from logs alone.
        seed: of everything that is random.
        begun_from: what is said of the run whose weights it begins with, if any.
    """

    robot: RobotConfig
    settings: Settings
    system: str
    preset: str
    twin: str
    clock: str
    seed: int
    begun_from: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; equal for runs that may resume each other."""
        said = {k: v for k, v in _fields(self).items() if k not in ("robot", "settings")}
        if self.begun_from is None:  # plans of older runs say nothing of it
            del said["begun_from"]
        return {
            **said,
            "robot": self.robot.deciding(),
            "settings": self.settings.model_dump(mode="json"),
        }

    @property
    def run_id(self) -> str:
        """Name of the run's stream of transitions: the same for the same plan."""
        return stream_name(self.name, self.seed, self)

    @property
    def name(self) -> str:
        """Of the robot."""
        return self.robot.robot

    @property
    def control_hz(self) -> float:
        """Decisions per second of robot time."""
        return float(self.robot.control.control_hz)

    @property
    def steps_hz(self) -> float:
        """Steps per second, as they are counted: a robot's are its decisions."""
        return self.control_hz


def stream_name(name: str, seed: int, plan: Described) -> str:
    """Name of a run's stream of transitions: the same for the same plan."""
    text = json.dumps(plan.as_dict(), sort_keys=True)
    return f"{name}-s{seed}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _fields(plan: Plan) -> dict[str, Any]:
    """Fields of a plan without going into its parts."""
    return {name: getattr(plan, name) for name in Plan.__dataclass_fields__}


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run."""

    path: Path

    @property
    def log(self) -> Path:
        """Log of the robot process (MCAP): the truth of the run."""
        return self.path / "log"

    @property
    def ingest(self) -> Path:
        """What the learner took in, when it is a process of its own."""
        return self.path / "ingest"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints of the learner."""
        return self.path / "checkpoints"

    @property
    def weights(self) -> Path:
        """Latest published policy weights."""
        return self.path / "weights.safetensors"

    @property
    def plan_file(self) -> Path:
        """The resolved plan of the run."""
        return self.path / "plan.json"

    @property
    def summary(self) -> Path:
        """What came of the run."""
        return self.path / "summary.json"

    def ledger(self, process: str) -> Path:
        """What one process wrote of its own timing."""
        return self.path / f"{process}.json"

    def write_weights(self, weights: Weights) -> None:
        """Write the policy weights whole or not at all."""
        write_whole(self.weights, weights.to_bytes())

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep every other run out of the folder, as long as this process lives.

        Raises:
            ConfigError: when another run works in it, or there can be no such folder.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise ConfigError(f"--run {self.path}: cannot be a folder: {error.strerror}") from error
        try:
            _lock(handle, f"--run {self.path}: another run works in it")
            yield
        finally:
            os.close(handle)

    def claim(self, plan: Described) -> bool:
        """Take the folder for a plan; whether a run of the same plan is resumed.

        Raises:
            ConfigError: when it holds other files or a run of another plan, naming what differs,
                or cannot be written to.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._refuse_files()
        check_place(self.plan_file, "--run")
        mine = plan.as_dict()
        if not self.plan_file.exists():
            if any(self.path.iterdir()):
                raise ConfigError(f"--run {self.path}: holds other files; name an empty folder")
            write_json(self.plan_file, {**mine, "versions": versions()})
            return False
        theirs = self.saved_plan(mine)
        for key, value in mine.items():
            if (kept := theirs.get(key)) != value:
                what = _difference(key, value, kept)
                raise ConfigError(f"--run {self.path}: is a run of another configuration: {what}")
        return True

    def _refuse_files(self) -> None:
        for name in FOLDERS:
            if (self.path / name).exists() and not (self.path / name).is_dir():
                raise ConfigError(f"--run {self.path}: its {name} is a file; it must be a folder")

    def read_plan(self) -> Plan:
        """The plan that the run was made with.

        Raises:
            ConfigError: when there is no run of a robot in the folder, or its plan cannot be read.
        """
        return plan_from(self.saved_plan(), str(self.plan_file))

    def saved_plan(self, keys: Iterable[str] = ()) -> dict[str, Any]:
        """The plan of the run as it was written.

        Args:
            keys: that it must have.

        Raises:
            ConfigError: when there is no run in the folder, or its plan cannot be read or is of
                another kind.
        """
        if not self.plan_file.exists():
            raise ConfigError(f"no run at {self.path}: plan.json is missing")
        try:
            data = json.loads(self.plan_file.read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self.plan_file}: not the plan of a run: {error}") from error
        if not isinstance(data, dict):
            raise ConfigError(f"{self.plan_file}: not the plan of a run: must be a JSON object")
        if missing := set(keys) - data.keys():
            lacks = ", ".join(sorted(missing))
            raise ConfigError(f"{self.plan_file}: of another kind of run: lacks {lacks}")
        return data


def plan_from(data: Mapping[str, Any], where: str) -> Plan:
    """A plan of what `Plan.as_dict` gave.

    Args:
        data: JSON-ready.
        where: it was read, for errors.

    Raises:
        ConfigError: when it is no plan of a robot, or is not allowed any more.
    """
    if "environment" in data:
        name = data["environment"]["name"]
        raise ConfigError(f"{where}: is of a run in {name}; this is for runs of robots")
    needed = {key for key in Plan.__dataclass_fields__ if key != "begun_from"}
    if missing := needed - data.keys():
        raise ConfigError(f"{where}: lacks {', '.join(sorted(missing))}")
    try:
        base = make_settings(str(data["system"]), str(data["preset"]))
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return Plan(
        robot=check_config(RobotConfig, data["robot"], where),
        settings=check_config(type(base), data["settings"], where),
        **{key: data[key] for key in ("system", "preset", "twin", "clock", "seed")},
        begun_from=data.get("begun_from"),
    )


def _lock(handle: int, refusal: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigError(refusal) from error


def _difference(key: str, mine: Any, theirs: Any) -> str:
    """The first key in which two values differ, in words."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for name in sorted(mine.keys() | theirs.keys()):
            if mine.get(name) != theirs.get(name):
                return _difference(f"{key}.{name}", mine.get(name), theirs.get(name))
    return f"{key} is {mine!r} here and {theirs!r} there"


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    there = [*PACKAGES, *(name for name in EXTRAS if find_spec(name) is not None)]
    return {"python": platform.python_version(), **{name: version(name) for name in there}}


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(data, indent=1).encode())
