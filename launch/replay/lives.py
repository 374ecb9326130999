"""What a log holds of one life of a robot process, from its start to its end or death."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from launch.environments import AnyPlan, environment_plan_from
from launch.logs.places import find_log
from launch.run_folder import Plan, plan_from
from robot.config import ConfigError
from robot.policy.replaying import RecordedTick
from robot.wire.codec import decode
from robot.wire.link import Sample
from robot.wire.log import LogFile, Record
from robot.wire.log.names import (
    COMMANDS,
    CONTINUES,
    EVENTS,
    SENSORS,
    TICKS,
    TRANSITIONS,
    WEIGHTS,
)
from robot.wire.messages import Command
from robot.wire.schemas import CodecError
from robot.wire.transition import Transition
from robot.wire.weights_store import WeightsStore

NEEDED = ("plan", "random")
M = TypeVar("M")


@dataclass(frozen=True)
class Life:
    """One process's part of a log.

    Args:
        files: oldest first.
        about: what they say of the run.
        store: of the weights.
    """

    files: Sequence[Path]
    about: dict[str, str]
    store: WeightsStore

    @cached_property
    def plan(self) -> Plan:
        """The run's.

        Raises:
            ConfigError: when it was in an environment, or the log does not say enough.
        """
        return plan_from(self._said(), str(self.files[0]))

    @cached_property
    def any_plan(self) -> AnyPlan:
        """The run's, on a robot or in an environment.

        Raises:
            ConfigError: when the log does not say enough.
        """
        said = self._said()
        if "environment" in said:
            return environment_plan_from(said, str(self.files[0]))
        return self.plan

    @property
    def drawn(self) -> dict[str, int]:
        """Seeds, what was drawn before the first step, and the first step's place."""
        return json.loads(self.about["random"])

    @cached_property
    def process(self) -> str:
        """Name of the process that wrote: act or lockstep.

        Raises:
            ConfigError: when the log does not tell.
        """
        for note in self._notes(EVENTS):
            if note.get("event") == "process" and note.get("what") == "start":
                return note["name"]
        raise ConfigError(f"{self.files[0]}: does not tell which process wrote it")

    @cached_property
    def weights(self) -> dict[int, str]:
        """SHA-256 of the weights that drove the robot, by version."""
        return {note["version"]: note["sha256"] for note in self._notes(WEIGHTS)}

    def steps(self) -> Iterator[Transition]:
        """All transitions, in order."""
        return (decoded(record, Transition) for record in self.records(TRANSITIONS))

    def ticks(self) -> Iterator[RecordedTick]:
        """All ticks, in order, with what belongs to them."""
        samples: list[Sample] = []
        commands: list[Command] = []
        for record in self.records(SENSORS, COMMANDS, TICKS):
            if record.topic == SENSORS:
                samples.append(decoded(record, Sample))
            elif record.topic == COMMANDS:
                commands.append(decoded(record, Command))
            else:
                note = json.loads(record.data)
                told = note["clock_ns"], note["age_ns"]
                yield RecordedTick(note["tick"], samples, commands, *told)
                samples, commands = [], []

    def records(self, *topics: str) -> Iterator[Record]:
        """All records of topics, in the order of writing."""
        for path in self.files:
            yield from LogFile(path).records(topics=topics)

    def _said(self) -> dict[str, Any]:
        if missing := [key for key in NEEDED if key not in self.about]:
            where = self.files[0]
            raise ConfigError(f"{where}: was written without '{missing[0]}', which replay needs")
        return json.loads(self.about["plan"])

    def _notes(self, topic: str) -> Iterator[dict[str, Any]]:
        return (json.loads(record.data) for record in self.records(topic))


class Damaged(ConfigError):
    """A record cannot be read; the message says where."""


def decoded(record: Record, kind: type[M]) -> M:
    """The message of a record.

    Raises:
        Damaged: when it cannot be read.
    """
    try:
        return decode(record.data, kind)
    except CodecError as error:
        where = f"the record of {record.topic} that ends at byte {record.end} of its file"
        raise Damaged(f"{where}: {error}; reverie logs check tells more") from error


def read_lives(path: Path) -> list[Life]:
    """The lives in a log, oldest first.

    Args:
        path: a file, a folder of log files, or a run's folder.

    Raises:
        ConfigError: when there is no log.
    """
    log = find_log(path)
    lives: list[list[Path]] = []
    for file in log.files:
        if CONTINUES in about_of(file) and lives:
            lives[-1].append(file)
        else:
            lives.append([file])
    return [Life(files, about_of(files[0]), WeightsStore(log.store)) for files in lives]


def about_of(path: Path) -> dict[str, str]:
    """What a log file says of its run."""
    file = LogFile(path)
    next(file.records(), None)
    return file.about
