"""One file of a log, read record by record."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Metadata
from mcap.writer import MCAP0_MAGIC

from robot.wire.log.names import ABOUT, CHUNK_HEAD

_HEAD = struct.Struct("<BQ")  # opcode, length of what follows
_MESSAGE_HEAD = struct.Struct("<HIQQ")  # channel, sequence, two stamps
_KNOWN = frozenset(int(code) for code in Opcode)
_UNREADABLE = (McapError, struct.error, ValueError, OverflowError, KeyError, MemoryError)
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a log file: its topic, its bytes, and where in the file the next one begins."""

    topic: str
    data: bytes
    stamp_ns: int
    sequence: int
    end: int


class LogFile:
    """Reads one file, also while it is being written.

    Attributes:
        end: offset behind the last whole record that was read.
        fault: why reading stopped there, "" when the file was closed properly. A file that is
            still being written reads like one whose writer was killed.
        about: what the writer said of the run, once reading has passed it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0
        self.fault = ""
        self.about: dict[str, str] = {}
        self._topics: dict[int, str] = {}
        self._strange = ""

    def records(self, start: int = 0, topics: Collection[str] = ()) -> Iterator[Record]:
        """Whole records from offset `start` (0, or a `Record.end` of this object) on.

        Args:
            start: offset.
            topics: whose records are wanted; all unless some are named.
        """
        self.end = start
        with open(self.path, "rb", _BUFFER) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(start)
            try:
                yield from self._walk(file, size, topics)
                self.fault = self._strange
            except _UNREADABLE:
                self.fault = f"{self.path}: {self._why(size)}"

    def _walk(self, file: BinaryIO, size: int, topics: Collection[str]) -> Iterator[Record]:
        if not self.end:
            if file.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
                raise ValueError("no log")
            self.end = len(MCAP0_MAGIC)
        code = 0
        while code != Opcode.FOOTER:
            code, length = _HEAD.unpack(file.read(_HEAD.size))
            if code == Opcode.CHUNK:
                length = CHUNK_HEAD - _HEAD.size  # its records follow
            end = self.end + _HEAD.size + length
            if end > size:
                raise ValueError("cut")
            content = file.read(length)
            begin, self.end = self.end, end
            if code == Opcode.MESSAGE:
                channel, sequence, stamp_ns, _ = _MESSAGE_HEAD.unpack_from(content)
                topic = self._topics[channel]
                if not topics or topic in topics:
                    yield Record(topic, content[_MESSAGE_HEAD.size :], stamp_ns, sequence, end)
            else:
                self._learn(code, content, begin)
        if file.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
            raise ValueError("no proper end")
        self.end = size

    def _why(self, size: int) -> str:
        if self.end == size:
            return f"not closed; whole to its end at byte {size}"
        return f"cut or damaged; whole up to byte {self.end} of {size}"

    def _learn(self, code: int, content: bytes, begin: int) -> None:
        """Take up what a record other than a message says."""
        if code == Opcode.CHANNEL:
            channel = Channel.read(ReadDataStream(io.BytesIO(content)))
            if self._topics.setdefault(channel.id, channel.topic) != channel.topic:
                self._strange = f"{self.path}: damaged; two topics of channel {channel.id}"
        elif code == Opcode.METADATA:
            metadata = Metadata.read(ReadDataStream(io.BytesIO(content)))
            if metadata.name == ABOUT:
                self.about = metadata.metadata
        elif code not in _KNOWN:
            self._strange = f"{self.path}: damaged; no known record at byte {begin}"
