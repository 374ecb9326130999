"""A log, read from all of its files."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from robot.wire.codec import decode
from robot.wire.log.file import LogFile, Record
from robot.wire.log.names import TRANSITIONS, log_files
from robot.wire.schemas import CodecError
from robot.wire.transition import Transition


class LogReader:
    """Reads all files of one log, in the order in which they were written.

    Attributes:
        faults: one line for each file that was cut or damaged, and each message that is unsound.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self.name = name
        self.faults: list[str] = []

    def records(self, *topics: str) -> Iterator[Record]:
        """All whole records, or those of some topics."""
        for path in log_files(self.directory, self.name):
            yield from self._of(path, topics)

    def notes(self, topic: str) -> Iterator[dict[str, Any]]:
        """Plain data of a topic."""
        for record in self.records(topic):
            if note := self.parse(record):
                yield note

    def parse(self, record: Record) -> dict[str, Any]:
        """Plain data of one record; empty, and a fault, when it is damaged."""
        try:
            note = json.loads(record.data)
        except ValueError:
            note = None
        if isinstance(note, dict):
            return note
        self.faults.append(f"{record.topic}: the note before byte {record.end} is damaged")
        return {}

    def transitions(self, after: int = -1) -> Iterator[Transition]:
        """All sound transitions with an index above `after`, in the order of writing.

        Files that hold only earlier ones are passed over, which takes the directory to hold a
        single stream unless `after` is -1.
        """
        for path in self._files_after(after):
            yield from self._sound(path, self._of(path, (TRANSITIONS,)), after)

    def last(self) -> Transition | None:
        """Newest sound transition, None when there is none; reads the newest file first."""
        for path in reversed(log_files(self.directory, self.name)):
            newest = deque(self._of(path, (TRANSITIONS,)), maxlen=16)
            for step in self._sound(path, reversed(newest), -1):
                return step
        return None

    def _of(self, path: Path, topics: tuple[str, ...]) -> Iterator[Record]:
        file = LogFile(path)
        yield from file.records(topics=topics)
        if file.fault and file.fault not in self.faults:
            self.faults.append(file.fault)

    def _sound(self, path: Path, records: Iterable[Record], after: int) -> Iterator[Transition]:
        for record in records:
            if record.sequence <= after:
                continue
            try:
                yield decode(record.data, Transition)
            except CodecError as error:
                self.faults.append(f"{path}: transition before byte {record.end}: {error}")

    def _files_after(self, after: int) -> list[Path]:
        """Files from the last one on that begins at or before `after`."""
        files = log_files(self.directory, self.name)
        if after < 0:
            return files
        first = [next(LogReader._indices(path), None) for path in files]
        begins = [i for i, index in enumerate(first) if index is not None and index <= after]
        return files[begins[-1] if begins else 0 :]

    @staticmethod
    def _indices(path: Path) -> Iterator[int]:
        return (r.sequence for r in LogFile(path).records(topics=(TRANSITIONS,)))
