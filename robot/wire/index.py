"""An index of logs: where every transition lies, so that any stretch of them is read at once.

The index holds 60 bytes for each transition, whatever its arrays hold; those stay in the files
until they are asked for. So logs may be far larger than memory:

    with LogIndex(log_files(RUN / "log", "robot")) as index:
        firsts = index.windows(64)         # (N,) places where 64 steps follow each other
        chunk = index.read(firsts[0], 64)  # {"action": (64, A), "reward": (64,), ...}
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from robot.wire.bulk import Bulk, gather
from robot.wire.layout import COUNTERS, ROW, ArrayForm
from robot.wire.log import TRANSITIONS
from robot.wire.scan import FileScan
from robot.wire.transition import Transition

_FILE = np.dtype([*[(name, ROW[name]) for name in ROW.names or ()], ("file", "<i2")])


@dataclass(frozen=True)
class Episode:
    """A stretch of one episode's transitions that an index holds.

    Args:
        stream: (robot, run).
        number: of the episode in its run.
        first: place of its first transition in the index.
        count: number of its transitions.
        reward: sum of their rewards.
        begun: whether its first transition is_first.
        ended: whether its last one is_last.
        terminal: whether its last one is_terminal.
    """

    stream: tuple[str, str]
    number: int
    first: int
    count: int
    reward: float
    begun: bool
    ended: bool
    terminal: bool


class LogIndex:
    """Transitions of some log files, each once, stream after stream, by their index.

    A transition's *place* counts from 0 in that order. Of what is logged twice, the first counts;
    one whose index is not above all before it in its stream is left out.

    Attributes:
        rows: (N,) records of `robot.wire.layout.ROW` and `file`: index, episode, step, valid,
            weights_version, stamp_ns (of the tick), reward and flags of every transition.
        streams: (robot, run) that `rows["stream"]` numbers.
        about: what the writer of each file said of its run.
        doubled: how many transitions were left out because an earlier one has their index.
        faults: one line for each file that is cut or damaged, and each unsound transition.
    """

    def __init__(self, paths: Iterable[Path], topic: str = TRANSITIONS) -> None:
        """Read through all files once; about 3 us for each transition.

        Args:
            paths: log files, oldest first; they may still be growing, what comes later is not seen.
            topic: on which transitions are logged.

        Raises:
            OSError: when a file cannot be read.
        """
        self.paths = tuple(paths)
        self.about: list[dict[str, str]] = []
        self.faults: list[str] = []
        self._bulk = Bulk()
        parts = [self._scan(number, path, topic) for number, path in enumerate(self.paths)]
        rows = np.concatenate([np.zeros(0, _FILE), *parts])
        new = _newer(rows)
        self.doubled = int(len(rows) - new.sum())
        self.rows = rows[new][np.argsort(rows["stream"][new], kind="stable")]
        self.rows.flags.writeable = False
        self.streams = tuple(self._bulk.streams)
        self.faults += self._bulk.faults
        self._handles: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def __enter__(self) -> LogIndex:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; the index may be used on, and opens them again."""
        while self._handles:
            os.close(self._handles.popitem()[1])

    @property
    def unsound(self) -> Sequence[str]:
        """Those of the faults that are of one transition each."""
        return tuple(self._bulk.faults)

    @property
    def forms(self) -> Sequence[ArrayForm]:
        """Which arrays transitions hold; one form for all of a run, as a rule."""
        return tuple(self._bulk.forms)

    def read(self, first: int, count: int, keys: Iterable[str] = ()) -> dict[str, np.ndarray]:
        """Arrays of `count` transitions from place `first` on.

        Args:
            first: place, 0 or above.
            count: how many, 1 or more; they must be there.
            keys: which arrays; all unless some are named.

        Returns:
            Observation keys, "action", "applied", "reward" and the flags, each (T, ...) in its
            type; the caller's own.

        Raises:
            IndexError: when not all of them are in the index.
            ValueError: when they hold different arrays, or none of a name.
            EOFError: when a file has become shorter since.
        """
        if not 0 <= first <= first + count <= len(self) or count < 1:
            raise IndexError(f"{count} transitions from place {first} on; there are {len(self)}")
        rows = self.rows[first : first + count]
        if (rows["form"] != rows["form"][0]).any():
            raise ValueError(f"transitions from place {first} to {first + count} differ in arrays")
        form = self._bulk.dtype(int(rows["form"][0]))
        wanted = tuple(keys) or form.names or ()
        unknown = [key for key in wanted if key not in (form.names or ())]
        if unknown:
            raise ValueError(f"no array {unknown[0]!r}; there are {', '.join(form.names or ())}")
        arrays = self._gather(rows, form)
        return {key: np.ascontiguousarray(arrays[key]) for key in wanted}

    def transitions(
        self,
        first: int = 0,
        end: int | None = None,
        keys: Iterable[str] = (),
        portion: int = 1024,
    ) -> Iterator[Transition]:
        """All transitions from a place on, as `LogReader.transitions` gives them, but faster.

        Of their stamps only the tick's is there, and their ledgers are empty.

        Args:
            first: place.
            end: place behind the last one; that of the index unless given.
            keys: which of their arrays; all unless some are named.
            portion: how many are in memory at a time.

        Raises:
            ValueError: when one holds no array of a name.
        """
        end, keys = len(self) if end is None else end, tuple(keys)
        while first < end:
            form = self.rows["form"][first : min(first + portion, end)]
            count = int(np.argmax(form != form[0])) or len(form)
            arrays = self.read(first, count, keys)
            for at, row in enumerate(self.rows[first : first + count]):
                yield Transition(
                    *self.streams[row["stream"]],
                    *(int(row[name]) for name in COUNTERS),
                    valid=bool(row["valid"]),
                    arrays={name: values[at, ...] for name, values in arrays.items()},
                    stamps_ns={"tick": int(row["stamp_ns"])},
                )
            first += count

    def windows(self, length: int) -> np.ndarray:
        """Places (N,) from which `length` valid steps follow each other without a gap.

        As in the learner's replay, the next episode's first step may follow an episode's last.

        Raises:
            ValueError: for a length below 1.
        """
        if length < 1:
            raise ValueError(f"length {length}: allowed is 1 or more")
        rows = self.rows
        begins = np.maximum.accumulate(np.where(self._joined(), 0, np.arange(len(rows))))
        ends = np.flatnonzero(rows["valid"] & (np.arange(len(rows)) - begins >= length - 1))
        return ends - (length - 1)

    def episodes(self) -> list[Episode]:
        """All episodes, stream after stream; one that lost steps gives a stretch for each part."""
        rows = self.rows
        same = (rows["stream"][1:] == rows["stream"][:-1]) & (
            rows["episode"][1:] == rows["episode"][:-1]
        )
        same &= rows["index"][1:] == rows["index"][:-1] + 1
        firsts = np.flatnonzero(np.concatenate([np.ones(min(1, len(rows)), bool), ~same]))
        return [
            self._episode(first, end)
            for first, end in zip(firsts.tolist(), [*firsts[1:].tolist(), len(rows)], strict=False)
        ]

    def _episode(self, first: int, end: int) -> Episode:
        rows = self.rows[first:end]
        begin, last = rows[0], rows[-1]
        return Episode(
            stream=self.streams[begin["stream"]],
            number=int(begin["episode"]),
            first=first,
            count=end - first,
            reward=float(rows["reward"].sum(dtype=np.float64)),
            begun=bool(begin["is_first"]),
            ended=bool(last["is_last"]),
            terminal=bool(last["is_terminal"]),
        )

    def _joined(self) -> np.ndarray:
        """Whether each step follows the one before it without a gap, (N,) bool."""
        rows = self.rows
        before, here = rows[:-1], rows[1:]
        goes_on = (here["episode"] == before["episode"]) & ~before["is_last"]
        joined = (here["stream"] == before["stream"]) & (here["index"] == before["index"] + 1)
        joined &= here["valid"] & before["valid"] & (here["is_first"] | goes_on)
        return np.concatenate([np.zeros(min(1, len(rows)), bool), joined])

    def _scan(self, number: int, path: Path, topic: str) -> np.ndarray:
        scan, parts = FileScan(path, [topic]), [np.zeros(0, _FILE)]
        for portion in scan.portions():
            found = self._bulk.rows(portion, str(path))
            rows = np.zeros(len(found), _FILE)
            for name in ROW.names or ():
                rows[name] = found[name]
            rows["file"] = number
            parts.append(rows)
        self.about.append(scan.about.get("about", {}))
        self.faults += [scan.fault] if scan.fault else []
        return np.concatenate(parts)

    def _gather(self, rows: np.ndarray, form: np.dtype) -> np.ndarray:
        parts: list[Any] = []
        edges = np.flatnonzero(np.diff(rows["file"])) + 1
        for part in np.split(rows, edges):
            parts.append(gather(self._handle(int(part["file"][0])), part["offset"], form))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _handle(self, number: int) -> int:
        if number not in self._handles:
            self._handles[number] = os.open(self.paths[number], os.O_RDONLY | os.O_CLOEXEC)
        return self._handles[number]


def _newer(rows: np.ndarray) -> np.ndarray:
    """Whether each transition's index is above all before it in its stream, (N,) bool."""
    newer = np.ones(len(rows), bool)
    for stream in np.unique(rows["stream"]):
        mine = np.flatnonzero(rows["stream"] == stream)
        index = rows["index"][mine]
        newer[mine[1:]] = index[1:] > np.maximum.accumulate(index)[:-1]
    return newer
