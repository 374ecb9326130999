"""Writes one file of a log: records at once, and chunks around them once they are there.

A viewer finds its way through a file by chunks, and a chunk must know its end; a log must be whole
at every moment. So where a chunk will begin lies a metadata record of the size of a chunk's head,
and records follow it plainly. When they are many enough, their index is written behind them, and
the head is put in the place of that record: no record moves.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    MessageIndex,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)
from mcap.writer import MCAP0_MAGIC

from robot.wire.log.names import ABOUT, CHUNK_HEAD, ROOM, LogError
from robot.wire.log.whole import next_file
from robot.wire.schemas import CodecError

CHUNK_BYTES = 1 << 20
RECORD_HEAD = 9
_CHUNK = struct.Struct("<BQQQQIIQ")  # ..., two stamps, size, no checksum, no compression, size
_MESSAGE = struct.Struct("<BQHIQQ")


@dataclass(frozen=True, slots=True)
class Form:
    """What the records of a topic look like, in MCAP's words.

    Args:
        name: of the schema.
        style: its language, such as "ros2msg" or "jsonschema".
        schema: text of it.
        encoding: of the records, such as "cdr" or "json".
    """

    name: str
    style: str
    schema: str
    encoding: str


@dataclass
class _Growing:
    """A chunk that is growing.

    Args:
        head: offset in the file at which its head will be put.
        begin: offset of its first record.
        messages: channel, stamp and place behind `begin` of each message.
    """

    head: int
    begin: int
    messages: list[tuple[int, int, int]] = field(default_factory=list)


class Part:
    """One file of a log.

    Args:
        directory: of the log.
        name: of the log.
        about: metadata.

    Attributes:
        path: of the file.
        began_ns: stamp of its first record, None before it.

    Raises:
        LogError: when the file cannot be made or written; then there is none.
    """

    def __init__(self, directory: Path, name: str, about: Mapping[str, str]) -> None:
        self.path, self._file = next_file(directory, name)
        self.began_ns: int | None = None
        self._schemas: list[Schema] = []
        self._channels: list[Channel] = []
        self._topics: dict[str, tuple[str, int]] = {}
        self._counts: Counter[int] = Counter()
        self._chunks: list[ChunkIndex] = []
        head = MCAP0_MAGIC + packed(Header(profile="", library="reverie"))
        told = packed(Metadata(name=ABOUT, metadata=dict(about)))
        self._about = MetadataIndex(offset=len(head), length=len(told), name=ABOUT)
        try:
            self._file.write(head + told + _ROOM)
        except LogError:
            self._file.close()
            self.path.unlink()
            raise
        self._chunk = self._new_chunk()

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._file.tell()

    def write(self, topic: str, form: Form, data: bytes, stamp_ns: int, sequence: int) -> None:
        """Append one record.

        Raises:
            CodecError: when the topic holds records of another form.
            LogError: when it could not be written.
        """
        channel = self._channel(topic, form)
        length = len(data) + _MESSAGE.size - RECORD_HEAD
        head = _MESSAGE.pack(Opcode.MESSAGE, length, channel, sequence, stamp_ns, stamp_ns)
        place = self._file.tell() - self._chunk.begin
        self._file.write(head + data)
        self._chunk.messages.append((channel, stamp_ns, place))
        if self.began_ns is None:
            self.began_ns = stamp_ns

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make one write of all that is written inside, which is done whole or not at all."""
        topics, messages = dict(self._topics), len(self._chunk.messages)
        try:
            with self._file.together():
                yield
        except BaseException:
            # What was inside is not in the file.
            self._topics = topics
            del self._chunk.messages[messages:]
            raise

    def tidy(self) -> None:
        """End the chunk when it is large enough; not inside `together`."""
        if self._chunk.messages and self._file.tell() - self._chunk.begin >= CHUNK_BYTES:
            self._end_chunk(_ROOM)
            self._chunk = self._new_chunk()

    def sync(self) -> None:
        """Wait until the disk has all of it."""
        self._file.sync()

    def close(self) -> None:
        """Finish the file with its last chunk and its summary.

        Raises:
            LogError: when these cannot be written; the records are there all the same.
        """
        try:
            if self._chunk.messages:
                self._end_chunk(b"")
            self._file.write(packed(DataEnd(0)))
            self._file.write(self._summary())
            self._file.sync()
        finally:
            self._file.close()

    def _new_chunk(self) -> _Growing:
        """Chunk whose head has its room at the end of the file."""
        end = self._file.tell()
        return _Growing(end - len(_ROOM), end)

    def _channel(self, topic: str, form: Form) -> int:
        """Channel of a topic, registered with the first record on it."""
        known = self._topics.get(topic)
        if known is not None:
            if known[0] != form.name:
                raise CodecError(f"topic {topic} holds {known[0]}, not {form.name}")
            return known[1]
        number = len(self._channels) + 1
        text = form.schema.encode()
        schema = Schema(id=number, name=form.name, encoding=form.style, data=text)
        encoding = form.encoding
        channel = Channel(
            id=number, topic=topic, message_encoding=encoding, metadata={}, schema_id=number
        )
        self._file.write(packed(schema, channel))
        self._schemas.append(schema)
        self._channels.append(channel)
        self._topics[topic] = (form.name, number)
        return number

    def _end_chunk(self, behind: bytes) -> None:
        """Index the chunk's messages, put its head in place, and write what comes behind it."""
        chunk, end = self._chunk, self._file.tell()
        places: dict[int, list[tuple[int, int]]] = {}
        for channel, stamp_ns, place in chunk.messages:
            places.setdefault(channel, []).append((stamp_ns, place))
        index, offsets = b"", {}
        for channel, found in places.items():
            offsets[channel] = end + len(index)
            index += packed(MessageIndex(channel, found))
        self._file.write(index + behind)
        stamps = [stamp_ns for _, stamp_ns, _ in chunk.messages]
        span, size = (min(stamps), max(stamps)), end - chunk.begin
        length = CHUNK_HEAD - RECORD_HEAD + size
        self._file.overwrite(chunk.head, _CHUNK.pack(Opcode.CHUNK, length, *span, size, 0, 0, size))
        self._chunks.append(
            ChunkIndex(
                chunk_length=CHUNK_HEAD + size,
                chunk_start_offset=chunk.head,
                compression="",
                compressed_size=size,
                uncompressed_size=size,
                message_start_time=span[0],
                message_end_time=span[1],
                message_index_length=len(index),
                message_index_offsets=offsets,
            )
        )
        self._counts.update({channel: len(found) for channel, found in places.items()})

    def _summary(self) -> bytes:
        """Everything behind the data: schemas, channels, figures and indices, and the footer."""
        begin = self._file.tell()
        groups = [self._schemas, self._channels, [self._statistics()], self._chunks, [self._about]]
        data, offsets = b"", []
        for group in (group for group in groups if group):
            text = packed(*group)
            opcode = text[0]
            offsets.append(SummaryOffset(opcode, begin + len(data), len(text)))
            data += text
        behind = begin + len(data)
        data += packed(*offsets)
        head = struct.pack("<BQQQ", Opcode.FOOTER, 8 + 8 + 4, begin, behind)
        checksum = zlib.crc32(head, zlib.crc32(data))
        return data + packed(Footer(begin, behind, checksum)) + MCAP0_MAGIC

    def _statistics(self) -> Statistics:
        chunks = self._chunks
        return Statistics(
            attachment_count=0,
            channel_count=len(self._channels),
            channel_message_counts=dict(self._counts),
            chunk_count=len(chunks),
            message_count=self._counts.total(),
            message_start_time=min((c.message_start_time for c in chunks), default=0),
            message_end_time=max((c.message_end_time for c in chunks), default=0),
            metadata_count=1,
            schema_count=len(self._schemas),
        )


def packed(*records: McapRecord) -> bytes:
    """Bytes of records."""
    builder = RecordBuilder()
    for record in records:
        record.write(builder)
    return builder.end()


_ROOM = packed(Metadata(name=ROOM, metadata={}))
assert len(_ROOM) == _CHUNK.size == CHUNK_HEAD
