"""Reads transitions by the thousand: one look at each kind of message, then arrays of all of them.

Each kind is met first by `codec`, which leaves a `Layout`; whatever fits no layout byte for byte is
decoded one by one. Both ways give the same.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from robot.wire.codec import ALIGN, decode
from robot.wire.envelopes import HEADER, Places, checked, messages
from robot.wire.layout import COUNTERS, ROW, VALUES, ArrayForm, Layout
from robot.wire.scan import Portion
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

    forms: list[ArrayForm] = field(default_factory=list)
    streams: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _layouts: list[Layout] = field(default_factory=list)
    _dtypes: dict[int, np.dtype] = field(default_factory=dict)

    def dtype(self, form: int) -> np.dtype:
        """Of all arrays of a transition of the form with this number."""
        if form not in self._dtypes:
            self._dtypes[form] = self.forms[form].dtype
        return self._dtypes[form]

    def rows(self, portion: Portion, where: str = "") -> np.ndarray:
        """One `ROW` for each sound transition (M,), `offset` being that of its arrays in the file.

        Args:
            portion: its messages are those of topics of transitions.
            where: what faults begin with.
        """
        rows = self.read(portion)
        read = rows["offset"] > 0
        for begin in (portion.begins[~read] + portion.offset).tolist():
            self.faults.append(f"{where}: transition at byte {begin}: damaged".removeprefix(": "))
        return rows[read]

    def read(self, portion: Portion) -> np.ndarray:
        """As `rows`, with a row for unsound messages too; `offset` is 0 there."""
        data = portion.data
        at, envelopes = messages(portion)
        rows = np.zeros(len(at), ROW)
        todo = np.flatnonzero(checked(data, at, envelopes) & (envelopes["schema"] == _SCHEMA.id))
        for layout in self._layouts:
            todo = _take(layout, data, at, rows, todo)
        while len(todo):
            todo = self._meet(data, at, rows, todo)
        rows["stamp_ns"] = envelopes["capture_ns"]
        rows["offset"] += np.where(rows["offset"] > 0, portion.offset, 0)
        return rows

    def _meet(self, data: np.ndarray, at: Places, rows: Any, todo: np.ndarray) -> np.ndarray:
        """Decode the first of some messages and read all that are like it; those that remain."""
        first = int(todo[0])
        message = data[at.start[first] : at.start[first] + at.total[first]].tobytes()
        try:
            step = decode(message, Transition)
        except CodecError:
            return todo[1:]
        form, stream = _number(self.forms, ArrayForm.of(step)), _number(self.streams, step.stream)
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
