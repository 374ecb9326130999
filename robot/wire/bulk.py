"""Reads transitions by the thousand: one look at each kind of message, then arrays of all of them.

Each kind is met first by `codec`, which leaves a `Layout`; whatever fits no layout byte for byte is
decoded one by one. Both ways give the same.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from robot.wire.codec import ALIGN, MAGIC, MAX_SMALL, VERSION, decode
from robot.wire.layout import COUNTERS, ENVELOPE, HEADER, ROW, VALUES, Form, Layout, Places
from robot.wire.scan import HEAD, Portion, at_places
from robot.wire.schemas import BY_KIND, CodecError
from robot.wire.transition import Transition

MAX_LAYOUTS = 256
_SCHEMA = BY_KIND[Transition]


@dataclass
class Bulk:
    """Turns portions of a log into rows, and remembers forms, streams and layouts it has met.

    Attributes:
        forms: what `form` of a row numbers.
        streams: (robot, run) that `stream` of a row numbers.
        faults: one line for each message that is unsound.
    """

    forms: list[Form] = field(default_factory=list)
    streams: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _layouts: list[Layout] = field(default_factory=list)

    def rows(self, portion: Portion, where: str = "") -> np.ndarray:
        """One `ROW` for each sound transition (M,), `offset` being that of its arrays in the file.

        Args:
            portion: its messages are those of topics of transitions.
            where: what faults begin with.
        """
        data = portion.data
        at, envelopes = _messages(portion)
        rows = np.zeros(len(at), ROW)  # offset 0 marks what is not read: there the file begins
        todo = np.flatnonzero(_sound(data, at, envelopes))
        for layout in self._layouts:
            todo = _take(layout, data, at, rows, todo)
        while len(todo):
            todo = self._meet(data, at, rows, todo)
        rows["stamp_ns"] = envelopes["capture_ns"]
        read = rows["offset"] > 0
        for begin in (portion.begins[~read] + portion.offset).tolist():
            self.faults.append(f"{where}: transition at byte {begin}: damaged".removeprefix(": "))
        rows["offset"] += portion.offset
        return rows[read]

    def _meet(self, data: np.ndarray, at: Places, rows: Any, todo: np.ndarray) -> np.ndarray:
        """Decode the first of some messages and read all that are like it; those that remain."""
        first = int(todo[0])
        message = data[at.start[first] : at.start[first] + at.total[first]].tobytes()
        try:
            step = decode(message, Transition)
        except CodecError:
            return todo[1:]
        form, stream = _number(self.forms, Form.of(step)), _number(self.streams, step.stream)
        layout = Layout.of(step, stream, form)
        left = _take(layout, data, at, rows, todo)
        if rows["offset"][first] == 0:
            _fill_one(rows[first], step, stream, form, at[first])
            return todo[1:]
        if len(self._layouts) < MAX_LAYOUTS:
            self._layouts.append(layout)
        return left


def gather(handle: int, offsets: np.ndarray, form: np.dtype) -> np.ndarray:
    """Read the arrays of transitions from a file.

    Args:
        handle: of the open file.
        offsets: (T,) of its rows.
        form: `dtype` of their form.

    Returns:
        (T,) of `form`.

    Raises:
        EOFError: when the file has become shorter.
    """
    size = form.itemsize
    data = np.empty(len(offsets) * size, np.uint8)
    view = data.data
    for place, offset in zip(range(0, len(data), size), offsets.tolist(), strict=True):
        if os.preadv(handle, [view[place : place + size]], offset) != size:
            raise EOFError(f"the log has no {size} bytes at {offset} any more")
    return data.view(form)


def _messages(portion: Portion) -> tuple[Places, np.ndarray]:
    """Where messages lie by the record around them and by their header, and their envelopes."""
    starts = portion.begins + HEAD.itemsize
    known = at_places(portion.data, ENVELOPE)
    envelopes = known[np.minimum(starts, len(known) - 1)]
    totals = portion.heads["length"].astype(np.int64) - (HEAD.itemsize - 9)
    return Places(starts, envelopes["small"].astype(np.int64), totals), envelopes


def _sound(data: np.ndarray, at: Places, envelopes: np.ndarray) -> np.ndarray:
    """Whether header and checksum of each message are right, (M,) bool."""
    sound = (at.total >= HEADER) & (envelopes["total"] == at.total) & (at.total <= _SCHEMA.limit)
    sound &= (envelopes["magic"] == MAGIC) & (envelopes["version"] == VERSION)
    sound &= envelopes["schema"] == _SCHEMA.id
    sound &= at.small <= np.minimum(MAX_SMALL, at.total - HEADER)
    view, crc32 = data.data, zlib.crc32
    places = zip(at.start.tolist(), (at.start + at.total).tolist(), sound.tolist(), strict=True)
    found = [
        crc32(view[start + HEADER : end], crc32(view[start : start + HEADER - 4])) if worth else 0
        for start, end, worth in places
    ]
    return sound & (envelopes["crc"] == np.array(found, np.uint32))


def _take(layout: Layout, data: np.ndarray, at: Places, rows: Any, todo: np.ndarray) -> np.ndarray:
    """Fill in rows of those messages `todo` that fit a layout; the others."""
    if not len(todo):
        return todo
    part = np.zeros(len(todo), ROW)
    fits = layout.fill(data, at[todo], part)
    rows[todo[fits]] = part[fits]
    return todo[~fits]


def _fill_one(row: Any, step: Transition, stream: int, form: int, at: Places) -> None:
    """Write one row from a decoded message; one with a number too large is left out."""
    if any(getattr(step, name) > np.iinfo(row[name].dtype).max for name in COUNTERS):
        return
    for name in COUNTERS:
        row[name] = getattr(step, name)
    for name in VALUES:
        if name in step.arrays and step.arrays[name].shape == ():
            row[name] = step.arrays[name]
    row["valid"], row["stream"], row["form"] = step.valid, stream, form
    end = at.start + HEADER + at.small
    row["offset"] = end + -(end - at.start) % ALIGN


def _number(known: list[Any], value: Any) -> int:
    """Place of a value in a list, put there when it is new."""
    if value not in known:
        known.append(value)
    return known.index(value)
