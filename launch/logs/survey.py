"""One careful pass over one file: what in it is sound, what is lost, and what it holds."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mcap.records import Channel, Schema

from launch.logs.resync import Known, next_record, read_note
from launch.logs.summaries import read_summary
from launch.logs.tally import Tally
from robot.policy.journal import EPISODES
from robot.wire.bulk import Bulk
from robot.wire.envelopes import checked, messages
from robot.wire.layout import ROW
from robot.wire.log.names import ENCODING, EVENTS, WEIGHTS
from robot.wire.scan import MAGIC, FileScan, Portion, at_places

STEP = np.dtype(
    [
        *((name, ROW[name]) for name in ROW.names or ()),
        *(("begin", "<i8"), ("end", "<i8"), ("log_ns", "<i8"), ("finite", "?")),
    ]
)
NOTED = (EPISODES, WEIGHTS, EVENTS)
TRANSITION = "reverie/Transition"
Show = Callable[[int], None]


@dataclass(frozen=True)
class Lost:
    """A stretch of a file that cannot be read, from byte `begin` up to byte `end`."""

    begin: int
    end: int


@dataclass
class Survey:
    """What a pass found.

    Args:
        path: of the file.
        size: of it in bytes, when the pass began.
        closed: whether it ends with a sound summary, as it should.
        is_log: whether it is a log at all, or so short that it may have become one.
        sound: stretches (begin, end) of whole, sound records, in order.
        lost: what cannot be read.
        channels: by id.
        schemas: by id.
        about: metadata by name.
        topics: what each holds.
        notes: plain data of a few topics, `NOTED`.
        steps: (N,) of `STEP`, a row for each transition, with its record's place in the file.
    """

    path: Path
    size: int = 0
    closed: bool = False
    is_log: bool = True
    sound: list[tuple[int, int]] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    channels: dict[int, Channel] = field(default_factory=dict)
    schemas: dict[int, Schema] = field(default_factory=dict)
    about: dict[str, dict[str, str]] = field(default_factory=dict)
    topics: dict[str, Tally] = field(default_factory=dict)
    notes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    steps: np.ndarray = field(default_factory=lambda: np.zeros(0, STEP))

    @property
    def count(self) -> int:
        """Messages that can be read."""
        return sum(topic.count for topic in self.topics.values())


def survey(path: Path, bulk: Bulk, show: Show = lambda done: None) -> Survey:
    """Read through a file, passing over what is damaged.

    Args:
        path: the file.
        bulk: numbers streams and forms of transitions; one for all files of a log.
        show: told how many bytes are done, again and again.

    Raises:
        OSError: when the file cannot be read.
    """
    return _Pass(path, bulk, show).run()


class _Pass:
    """The work of `survey`."""

    def __init__(self, path: Path, bulk: Bulk, show: Show) -> None:
        self._found = Survey(path, path.stat().st_size)
        self._scan = FileScan(path, careful=True)
        self._bulk, self._show = bulk, show
        self._parts: list[np.ndarray] = []

    def run(self) -> Survey:
        found, scan = self._found, self._scan
        summary = read_summary(found.path)
        if summary is not None:
            scan.channels |= summary.channels
            scan.schemas |= summary.schemas
        found.channels, found.schemas, found.about = scan.channels, scan.schemas, scan.about
        with open(found.path, "rb") as file:
            begun = file.read(len(MAGIC))
            place = len(MAGIC) if begun == MAGIC else 0
            while place < found.size:
                place = self._stretch(place, place == 0 and not MAGIC.startswith(begun))
        found.closed = scan.closed and summary is not None
        found.is_log = MAGIC.startswith(begun) or bool(found.sound)
        found.steps = np.concatenate([np.zeros(0, STEP), *self._parts])
        return found

    def _stretch(self, start: int, no_magic: bool) -> int:
        """Read sound records from an offset on, then pass over what is not; where to go on."""
        found, scan = self._found, self._scan
        end = start if no_magic else self._read(start)
        if end > start:
            found.sound.append((start, end))
        if scan.closed or end >= found.size or scan.complete:
            return found.size
        with open(found.path, "rb") as file, _mapped(file.fileno()) as data:
            begin = end if end > start else end + 1  # what was passed over once is not tried again
            after = next_record(data, begin, Known(scan.channels, scan.schemas))
        if after > end:
            found.lost.append(Lost(end, after))
        return after

    def _read(self, start: int) -> int:
        """Take in sound records from an offset on; where they end."""
        for portion in self._scan.portions(start):
            bad = self._take(portion)
            if bad is not None:
                self._scan.closed = self._scan.complete = False  # it may have seen the end already
                return bad
            self._show(portion.offset)
        return self._scan.end

    def _take(self, portion: Portion) -> int | None:
        """Take in a portion up to its first unsound message; the place of that in the file."""
        heads = portion.heads
        sizes = heads["length"].astype(np.int64) + 9
        judged = list(self._judge(portion, heads))
        sound = np.ones(len(heads), bool)
        for part in judged:
            sound[part.where[~part.sound]] = False
        first_bad = len(heads) if sound.all() else int(np.argmin(sound))
        for part in judged:
            keep = part.where < first_bad
            self._count(part, keep, sizes)
        return None if first_bad == len(heads) else portion.offset + int(portion.begins[first_bad])

    def _count(self, part: _Judged, keep: np.ndarray, sizes: np.ndarray) -> None:
        channel = self._scan.channels[part.channel]
        schema = self._scan.schemas.get(channel.schema_id)
        name = "" if schema is None else schema.name
        tally = self._found.topics.setdefault(channel.topic, Tally(channel.message_encoding, name))
        tally.add(part.stamps_ns[keep], int(sizes[part.where[keep]].sum()))
        if part.steps is not None:
            self._parts.append(part.steps[keep])
        if channel.topic in NOTED:
            kept = [note for note, is_kept in zip(part.notes, keep, strict=True) if is_kept]
            self._found.notes.setdefault(channel.topic, []).extend(filter(None, kept))

    def _judge(self, portion: Portion, heads: np.ndarray) -> Iterator[_Judged]:
        """Messages of each channel, and whether they are sound."""
        for number in np.unique(heads["channel"]).tolist():
            where = np.flatnonzero(heads["channel"] == number)
            mine = Portion(portion.data, portion.offset, portion.begins[where])
            log_ns = heads["log_ns"][where].astype(np.int64)
            channel = self._scan.channels[number]
            if channel.message_encoding == "json":
                notes = [read_note(content) for content in _contents(mine)]
                sound = np.array([note is not None for note in notes])
                yield _Judged(number, where, sound, log_ns, notes=notes)
            elif channel.message_encoding != ENCODING:
                yield _Judged(number, where, np.ones(len(where), bool), log_ns)
            else:
                schema = self._scan.schemas.get(channel.schema_id)
                of_steps = schema is not None and schema.name == TRANSITION
                judge = self._judge_steps if of_steps else _judge_messages
                yield judge(number, where, mine, log_ns)

    def _judge_steps(
        self, number: int, where: np.ndarray, portion: Portion, log_ns: np.ndarray
    ) -> _Judged:
        rows = self._bulk.read(portion)
        steps = np.zeros(len(rows), STEP)
        for name in ROW.names or ():
            steps[name] = rows[name]
        steps["begin"] = portion.begins + portion.offset
        steps["end"] = steps["begin"] + portion.heads["length"].astype(np.int64) + 9
        steps["log_ns"] = log_ns
        steps["finite"] = self._finite(portion, rows)
        sound = rows["offset"] > 0
        return _Judged(number, where, sound, rows["stamp_ns"], steps)

    def _finite(self, portion: Portion, rows: np.ndarray) -> np.ndarray:
        """Whether all numbers of each transition are finite, (M,) bool."""
        finite = np.ones(len(rows), bool)
        read = rows["offset"] > 0
        for number in np.unique(rows["form"][read]).tolist():
            mine = np.flatnonzero((rows["form"] == number) & read)
            form = self._bulk.dtype(number)
            arrays = at_places(portion.data, form)[rows["offset"][mine] - portion.offset]
            for name in form.names or ():
                if form[name].base.kind == "f":
                    values = arrays[name].reshape(len(mine), -1)
                    finite[mine] &= np.isfinite(values).all(1)
        return finite


@dataclass(frozen=True)
class _Judged:
    """Messages of one channel in a portion: which (M,), whether sound (M,), and their stamps."""

    channel: int
    where: np.ndarray
    sound: np.ndarray
    stamps_ns: np.ndarray
    steps: np.ndarray | None = None
    notes: list[dict[str, Any] | None] = field(default_factory=list)


def _judge_messages(
    number: int, where: np.ndarray, portion: Portion, log_ns: np.ndarray
) -> _Judged:
    at, envelopes = messages(portion)
    capture_ns = envelopes["capture_ns"].astype(np.int64)
    stamps_ns = np.where(capture_ns > 0, capture_ns, log_ns)
    return _Judged(number, where, checked(portion.data, at, envelopes), stamps_ns)


def _contents(portion: Portion) -> Iterator[bytes]:
    at, _ = messages(portion)
    for start, total in zip(at.start.tolist(), at.total.tolist(), strict=True):
        yield portion.data[start : start + total].tobytes()


def _mapped(handle: int) -> mmap.mmap:
    return mmap.mmap(handle, os.fstat(handle).st_size, access=mmap.ACCESS_READ)
