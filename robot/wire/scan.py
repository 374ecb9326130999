"""Walks through a log file quickly: whole records in large portions, messages as arrays of places.

`robot.wire.log.LogFile` gives one record at a time and tells most of what is wrong. This gives the
same messages, of some topics, some tens of times faster, for loading and for indexing.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, DataEnd, Header, McapRecord, Metadata, Schema
from mcap.stream_reader import MAGIC_SIZE

from robot.wire.log.names import CHUNK_HEAD

MAGIC = b"\x89MCAP0\r\n"
PORTION = 4 << 20
PAD = 64  # zeros behind a portion, so that a fixed number of bytes may be read from any place in it
HEAD = np.dtype(
    [
        *(("opcode", "u1"), ("length", "<u8"), ("channel", "<u2"), ("sequence", "<u4")),
        *(("log_ns", "<u8"), ("publish_ns", "<u8")),
    ]
)
_OP = struct.Struct("<BQ")
_BEGIN = struct.Struct("<BQH")  # as a message begins
_KNOWN = frozenset(int(code) for code in Opcode)
# What may stand before the summary, apart from messages; attachments are none of ours.
_READERS: Mapping[int, Callable[[ReadDataStream], McapRecord]] = {
    Opcode.HEADER: Header.read,
    Opcode.SCHEMA: Schema.read,
    Opcode.CHANNEL: Channel.read,
    Opcode.METADATA: Metadata.read,
    Opcode.DATA_END: DataEnd.read,
}
_MESSAGE, _FOOTER = int(Opcode.MESSAGE), int(Opcode.FOOTER)
_CHUNK, _INDEX = int(Opcode.CHUNK), int(Opcode.MESSAGE_INDEX)
_SHORTEST = HEAD.itemsize - _OP.size  # content of a message without data


@dataclass(frozen=True)
class Portion:
    """A stretch of a file and the messages that lie in it whole.

    Args:
        data: (N,) uint8; the stretch, and `PAD` zeros behind it.
        offset: where it lies in the file.
        begins: (M,) int64, places in `data` at which messages begin with their `HEAD`.
    """

    data: np.ndarray
    offset: int
    begins: np.ndarray

    @property
    def heads(self) -> np.ndarray:
        """(M,) of `HEAD`."""
        return at_places(self.data, HEAD)[self.begins]


def at_places(data: np.ndarray, form: np.dtype) -> np.ndarray:
    """View of bytes (N,) as (N - itemsize + 1,) values that begin at every place; they overlap."""
    count = max(0, len(data) - form.itemsize + 1)
    return np.ndarray((count,), form, data.data, strides=(1,))


class FileScan:
    """One pass over one file, also while it is being written.

    Attributes:
        end: offset behind the last whole record.
        closed: whether the file ends properly, with its summary.
        complete: whether all its messages were passed: only the summary follows.
        fault: what is wrong with it, "" for a whole and closed file; known after the pass.
        channels: by id, as they were met, or put here before.
        schemas: by id, likewise.
        about: metadata by name, as it was met.
    """

    def __init__(self, path: Path, wanted: Iterable[str] = (), careful: bool = False) -> None:
        """Say what to read.

        Args:
            path: an MCAP file without chunks, or with chunks that are not compressed.
            wanted: topics whose messages are given; all, unless some are named.
            careful: whether to end before the first record that is none; else it is passed over.
        """
        self.path = path
        self.end = 0
        self.closed = self.complete = False
        self.fault = ""
        self.channels: dict[int, Channel] = {}
        self.schemas: dict[int, Schema] = {}
        self.about: dict[str, dict[str, str]] = {}
        self._wanted = frozenset(wanted)
        self._careful = careful
        self._halted = False

    def portions(self, start: int = 0, stop: int = 1 << 62) -> Iterator[Portion]:
        """All whole messages of the topics, in the order of writing.

        Args:
            start: offset of a record, or 0.
            stop: where to end, as if the file ended there.

        Raises:
            OSError: when the file cannot be opened or read.
        """
        self.end, self._halted = start, False
        with open(self.path, "rb", buffering=0) as file:
            size = min(stop, os.fstat(file.fileno()).st_size)
            if start or file.read(MAGIC_SIZE) == MAGIC:
                self.end = start or MAGIC_SIZE
                yield from self._walk(file.fileno(), size)
        if not self.closed and not self._halted:
            self.fault = f"{self.path}: {self._why(size)}"

    def _walk(self, handle: int, size: int) -> Iterator[Portion]:
        room = PORTION
        while self.end < size and not self.closed and not self._halted:
            data = read_bytes(handle, self.end, min(room, size - self.end))
            begins, walked, needed = self._records(data)
            if begins:
                yield Portion(data, self.end, np.array(begins, np.int64))
            self.end += walked
            if not walked and len(data) - PAD >= size - self.end:
                return  # the rest is no whole record
            room = max(PORTION, min(needed, size - self.end))

    def _records(self, data: np.ndarray) -> tuple[list[int], int, int]:
        """Places of wanted messages, where the walk ended, bytes that the next record needs."""
        view, size = data.data, len(data) - PAD
        unpack, wanted = _BEGIN.unpack_from, self._wanted_channels()
        begins: list[int] = []
        place, last, note = 0, size - _OP.size, begins.append
        while place <= last:
            code, length, channel = unpack(view, place)
            # Of a chunk only its head is passed over: its records follow, without compression.
            end = place + (CHUNK_HEAD if code == _CHUNK else _OP.size + length)
            if end > size:
                return begins, place, end - place
            if code == _MESSAGE and length >= _SHORTEST:
                this = wanted.get(channel)
                if this:
                    note(place)
                elif this is None and self._damaged("a message of no known channel", place):
                    break
            elif code == _FOOTER and self.complete:
                self.closed = bytes(view[end : end + MAGIC_SIZE]) == MAGIC
                return begins, end if self.closed else place, end - place + MAGIC_SIZE
            elif self._learn(code, view[place + _OP.size : end]):
                wanted = self._wanted_channels()
            elif self._damaged("no known record", place):
                break
            place = end
        return begins, place, _OP.size

    def _wanted_channels(self) -> dict[int, bool]:
        wanted = self._wanted
        return {n: not wanted or c.topic in wanted for n, c in self.channels.items()}

    def _learn(self, code: int, content: memoryview) -> bool:
        """Take up what a record other than a message says; whether it is one."""
        if code == _CHUNK:
            return bytes(content[28:32]) == bytes(4)  # it is not compressed
        if code == _INDEX:
            return bytes(content[2:6]) == (len(content) - 6).to_bytes(4, "little")
        record = read_record(code, content)
        self.complete |= isinstance(record, DataEnd)
        if self.complete:
            return code in _KNOWN
        if isinstance(record, Channel):
            self.channels[record.id] = record
        elif isinstance(record, Schema):
            self.schemas[record.id] = record
        elif isinstance(record, Metadata) and record.metadata:
            self.about[record.name] = record.metadata
        return record is not None

    def _damaged(self, what: str, place: int) -> bool:
        """Note damage; whether the pass ends here."""
        self.fault = f"{self.path}: damaged; {what} at byte {self.end + place}"
        self._halted = self._careful
        return self._halted

    def _why(self, size: int) -> str:
        if self.end == size:
            return f"not closed; whole to its end at byte {size}"
        return f"cut or damaged; whole up to byte {self.end} of {size}"


def read_record(code: int, content: bytes | memoryview) -> McapRecord | None:
    """A record that may stand before the summary, other than a message; None for anything else."""
    stream = ReadDataStream(io.BytesIO(content))
    try:
        record = _READERS[code](stream) if code in _READERS else None
    except (McapError, ValueError, struct.error):
        return None
    return record if stream.count == len(content) else None


def read_bytes(handle: int, offset: int, count: int) -> np.ndarray:
    """Bytes of an open file (count,) uint8, or fewer at its end, and `PAD` zeros behind them."""
    data, done = np.empty(count + PAD, np.uint8), 0
    while done < count:
        got = os.preadv(handle, [data.data[done:count]], offset + done)
        if not got:
            break
        done += got
    data[done : done + PAD] = 0
    return data[: done + PAD]
