"""A log on its way out: looked through once for what it holds, then read episode by episode."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from launch.exchange.outline import Line, Look, Outline, plain
from robot.config import ConfigError
from robot.policy.journal import EPISODES
from robot.wire.codec import decode
from robot.wire.log import TRANSITIONS, LogFile, Record, log_files
from robot.wire.schemas import CodecError
from robot.wire.transition import Transition


class Source:
    """Files of one log.

    Attributes:
        path: of the log.
        files: oldest first.
        faults: one line for each file that was cut or damaged, and each unsound message.
    """

    def __init__(self, path: Path) -> None:
        """Find the files.

        Args:
            path: a run's folder, a folder of log files, or one file.

        Raises:
            ConfigError: when there is no log, or more than one.
        """
        self.path = path
        self.files = find_files(path)
        self.faults: list[str] = []

    def entries(self) -> Iterator[Transition | Line]:
        """Steps, and the journal's lines of episodes, in the order of writing."""
        self.faults.clear()
        for path in self.files:
            file = LogFile(path)
            for record in file.records():
                entry = self._read(path, record)
                if entry is not None:
                    yield entry
            if file.fault:
                self.faults.append(file.fault)

    def transitions(self) -> Iterator[Transition]:
        """All sound steps, in the order of writing."""
        return (entry for entry in self.entries() if isinstance(entry, Transition))

    def episodes(self, steps: int | None = None) -> Iterator[list[Transition]]:
        """Steps of one episode after the other; of several streams, as each comes to an end.

        One that was cut short is given too: its last step is no closing one.

        Args:
            steps: how many are read; all, unless given. A log may grow meanwhile.
        """
        begun: dict[tuple[str, str], list[Transition]] = {}
        for step in islice(self.transitions(), steps):
            so_far = begun.get(step.stream, [])
            if so_far and (step.episode != so_far[-1].episode or step.arrays["is_first"]):
                yield begun.pop(step.stream)
            begun.setdefault(step.stream, []).append(step)
            if step.arrays["is_last"]:
                yield begun.pop(step.stream)
        yield from begun.values()

    def outline(self, hz: float | None = None, task: str = "") -> Outline:
        """Look through the log.

        Args:
            hz: steps per second; what the log says unless given.
            task: what was to be done; what the log says unless given.

        Raises:
            ConfigError: when it is empty, its steps differ in their arrays, or nothing tells how
                fast they were made.
        """
        look = Look(self.path)
        for entry in self.entries():
            if isinstance(entry, Transition):
                look.add(entry)
            else:
                look.mark(entry)
        return look.outline(read_about(self.files[0]) if look.steps else {}, hz, task)

    def _read(self, path: Path, record: Record) -> Transition | Line | None:
        try:
            if record.topic == TRANSITIONS:
                return decode(record.data, Transition)
            if record.topic == EPISODES:
                return plain(record.data)
        except CodecError as error:
            self.faults.append(f"{path}: transition before byte {record.end}: {error}")
        return None


def find_files(path: Path) -> list[Path]:
    """Files of a log, oldest first.

    Raises:
        ConfigError: when there is none, or a folder has several logs.
    """
    if path.is_file():
        return [path]
    folder = path / "log" if (path / "log").is_dir() else path
    names = sorted({m[1] for p in folder.glob("*.mcap") if (m := re.match(r"(.+)-\d+$", p.stem))})
    if not names:
        raise ConfigError(f"{path}: no log; give a run's folder, a folder of .mcap files, or one")
    if len(names) > 1:
        raise ConfigError(f"{path}: holds several logs ({', '.join(names)}); name one file")
    return log_files(folder, names[0])


def read_about(path: Path) -> Mapping[str, str]:
    """What a file's writer said of the run; it stands before the first record."""
    file = LogFile(path)
    next(file.records(), None)
    return file.about
