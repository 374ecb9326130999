"""A cursor that reads one stream's transitions from its log by index, in small portions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from robot.wire.codec import decode
from robot.wire.log import TRANSITIONS, LogFile, Record, log_files
from robot.wire.schemas import CodecError
from robot.wire.transition import Transition

MARK_EVERY = 256
Place = tuple[int, int]


class Cursor:
    """Finds transitions of one stream by index, also while the log is being written.

    Attributes:
        stream: (robot, run) that indices count in.
        damaged: transitions that were skipped because their bytes are unsound.
        at_end: whether the last `read` saw all that the log holds.
    """

    def __init__(self, directory: Path, name: str, stream: tuple[str, str]) -> None:
        self.damaged = 0
        self._directory = directory
        self._name = name
        self.stream = stream
        self.at_end = False
        self._files: list[LogFile] = []
        self._marks: list[tuple[int, Place]] = [(0, (0, 0))]
        self._wanted = -1
        self._place: Place = (0, 0)

    def read(self, index: int, limit: int, scan: int = 1024) -> list[tuple[int, bytes]]:
        """Transitions from `index` on that the log holds, as (index, encoded bytes).

        An index above the one asked for means that the log has lost those between. Empty when
        there is nothing yet, or when `scan` others were passed without finding it: ask again.
        """
        marked = self._marks[bisect_right(self._marks, (index, (1 << 62, 0))) - 1][1]
        ahead = 0 <= self._wanted <= index
        self._place = max(marked, self._place) if ahead else marked
        found: list[tuple[int, bytes]] = []
        self.at_end = False
        for seen, record in enumerate(self._records()):
            at = self._sound(record, index)
            if at is not None:
                self._mark(at, record)
                found.append((at, record.data))
            self._place = (self._place[0], record.end)
            if len(found) >= limit or seen + 1 >= scan:
                break
        else:
            self.at_end = True
        self._wanted = found[-1][0] + 1 if found else index
        return found

    def _records(self) -> Iterator[Record]:
        """Records from the current place on, through all files there are."""
        paths = log_files(self._directory, self._name)
        self._files += [LogFile(path) for path in paths[len(self._files) :]]
        while self._place[0] < len(self._files):
            number, offset = self._place
            file = self._files[number]
            yield from file.records(offset, (TRANSITIONS,))
            if number + 1 == len(self._files):
                self._place = (number, file.end)
                return
            self._place = (number + 1, 0)

    def _sound(self, record: Record, index: int) -> int | None:
        """Index of a record that is wanted, None for any other."""
        if record.sequence < index:
            return None
        try:
            step = decode(record.data, Transition)
        except CodecError:
            self.damaged += 1
            return None
        return step.index if step.stream == self.stream and step.index >= index else None

    def _mark(self, index: int, record: Record) -> None:
        """Remember every so often where an index lies, so that going back is quick."""
        if index >= self._marks[-1][0] + MARK_EVERY:
            self._marks.append((index, self._place))
