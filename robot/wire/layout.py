"""What stands where in the messages of transitions, so that thousands are read at once.

The transitions of a run differ in a few numbers and in what their arrays hold, hardly ever in what
stands where. A `Layout` is what equal ones share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np

from robot.wire.codec import ALIGN, DTYPES
from robot.wire.envelopes import HEADER, Places
from robot.wire.scan import at_places
from robot.wire.transition import FLAGS, Transition

ROW = np.dtype(
    [
        *(("offset", "<i8"), ("index", "<i8"), ("stamp_ns", "<i8"), ("episode", "<i4")),
        *(("step", "<i4"), ("weights_version", "<i4"), ("form", "<i2"), ("stream", "<i2")),
        *(("reward", "<f4"), ("valid", "?"), *((flag, "?") for flag in FLAGS)),
    ]
)
VALUES = ("reward", *FLAGS)
COUNTERS = ("index", "episode", "step", "weights_version")
_TWO_TEN = b"\x92\x9a"  # msgpack: two parts, the first of ten fields
_FALSE, _TRUE = 0xC2, 0xC3
_WORD = np.dtype(">u8")
# Bytes that follow each msgpack tag of a number from 0 up; 9 marks what is no such number.
_FOLLOWING = np.full(256, 9, np.uint8)
_FOLLOWING[:128] = 0
_FOLLOWING[[0xCC, 0xCD, 0xCE, 0xCF]] = (1, 2, 4, 8)


@dataclass(frozen=True)
class ArrayForm:
    """Which arrays a transition holds, and where they lie behind its small part.

    Args:
        names: of the arrays, in the order in which they lie.
        table: dtype code and shape of each.
    """

    names: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, step: Transition) -> ArrayForm:
        """The form of one that was read from a message."""
        arrays = step.arrays.values()
        return cls(tuple(step.arrays), tuple((DTYPES.index(a.dtype), *a.shape) for a in arrays))

    @property
    def dtype(self) -> np.dtype:
        """One record of all arrays, `itemsize` bytes long, each at its place."""
        formats, offsets, place = [], [], 0
        for code, *shape in self.table:
            formats.append((DTYPES[code], tuple(shape)))
            offsets.append(place)
            size = math.prod(shape) * DTYPES[code].itemsize
            place += size + -size % ALIGN
        fields: Any = {"names": self.names, "formats": formats, "offsets": offsets}
        fields["itemsize"] = place
        return np.dtype(fields)


@dataclass(frozen=True)
class Layout:
    """What the messages of one stream have in common, as long as they hold the same arrays.

        prefix            counters                              names    stamps    table
        2, 10, robot, run | index episode step weights_version | valid | [...] | [...] | [[...]]

    Args:
        stream: number of its stream.
        form: number of its form.
        dtype: of its arrays.
        prefix: bytes before the counters.
        names: bytes of the names of arrays.
        table: bytes of dtype codes and shapes, at the end of the small part.
    """

    stream: int
    form: int
    dtype: np.dtype
    prefix: bytes
    names: bytes
    table: bytes

    @classmethod
    def of(cls, step: Transition, stream: int, form: int) -> Layout:
        """The layout of a transition that our own encoder wrote."""
        shape = ArrayForm.of(step)
        robot, run, names, table = (
            msgpack.packb(part) or b"" for part in (*step.stream, shape.names, shape.table)
        )
        return cls(stream, form, shape.dtype, _TWO_TEN + robot + run, names, table)

    def fill(self, data: np.ndarray, at: Places, rows: Any) -> np.ndarray:
        """Write what fitting messages say into rows; whether each one fits, (M,) bool.

        Args:
            data: (N,) uint8 of a portion.
            at: (M,) messages whose checksum is right.
            rows: (M,) of `ROW`; `offset` is counted in `data`.
        """
        small = at.start + HEADER
        end = small + at.small
        fits = _equal(data, small, self.prefix)
        fits &= _equal(data, end - len(self.table), self.table)
        place = small + len(self.prefix)
        for name in COUNTERS:
            value, place = _number(data, place)
            fits &= value <= np.iinfo(rows[name].dtype).max
            rows[name] = np.where(fits, value, 0)
        valid = data[np.minimum(place, len(data) - 1)]
        fits &= (valid == _TRUE) | (valid == _FALSE)
        fits &= _equal(data, place + 1, self.names)
        fits &= place + 1 + len(self.names) <= end - len(self.table)
        rows["valid"], rows["stream"], rows["form"] = valid == _TRUE, self.stream, self.form
        rows["offset"] = end + -(end - at.start) % ALIGN
        fits &= rows["offset"] + self.dtype.itemsize == at.start + at.total
        return fits & self._values(data, rows)

    def _values(self, data: np.ndarray, rows: Any) -> np.ndarray:
        """Write reward and flags; false where a truth value is neither 0 nor 1."""
        arrays = at_places(data, self.dtype)
        places = np.clip(rows["offset"], 0, max(0, len(arrays) - 1))
        fits = np.full(len(rows), len(arrays) > 0)
        for name in self.dtype.names or ():
            kind, shape = self.dtype[name].base, self.dtype[name].shape
            if kind == np.bool_:
                bits = arrays[name][places].view(np.uint8)
                fits &= (bits <= 1).reshape(len(places), -1).all(1)
            if name in VALUES and (kind, shape) == (ROW[name], ()):
                rows[name] = arrays[name][places]
        return fits


def _equal(data: np.ndarray, places: np.ndarray, wanted: bytes) -> np.ndarray:
    """Whether these bytes stand at each place, (M,)."""
    form = np.dtype(f"S{len(wanted)}")
    found = at_places(data, form)[np.clip(places, 0, len(data) - form.itemsize)]
    return found == np.array(wanted, form)


def _number(data: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers that msgpack wrote at places (M,), and the places behind them.

    What is no number from 0 up comes out as one that is too large for any counter.
    """
    places = np.clip(places, 0, len(data) - _WORD.itemsize - 1)
    tag = data[places]
    size = _FOLLOWING[tag]
    word = at_places(data, _WORD)[places + 1].astype(np.uint64)
    shift = (64 - 8 * np.clip(size, 1, 8)).astype(np.uint64)
    value = np.where(size == 0, tag.astype(np.uint64), word >> shift)
    return np.where(size == 9, np.uint64(1 << 63), value), places + 1 + size
