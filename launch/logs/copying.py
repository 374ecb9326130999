"""Writes a whole, closed log file from stretches of others, without touching what messages say."""

from __future__ import annotations

import os
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)

from launch.logs.survey import Survey
from launch.logs.targets import unfinished
from robot.wire.log.names import CHUNK_HEAD
from robot.wire.scan import HEAD, MAGIC, FileScan, Portion, at_places

BUFFER = 4 << 20
RECORD_HEAD = 9
_FOOTER = struct.Struct("<BQQQ")
_CHUNK = struct.Struct("<BQQQQIIQ")  # ..., two stamps, size, no checksum, no compression, size
_INDEX = struct.Struct("<BQHI")
_ENTRY = np.dtype([("log_ns", "<u8"), ("place", "<u8")])


@dataclass(frozen=True)
class Slice:
    """Messages of a file that begin from byte `begin` on and before byte `end`.

    Args:
        source: the file and what is known of it; all of the stretch is sound.
        begin: where a record begins.
        end: where one ends.
        wanted: whether messages of a topic are taken.
    """

    source: Survey
    begin: int
    end: int
    wanted: Callable[[str], bool] = lambda topic: True


class LogCopy:
    """A log file in the making; whoever opened it also renames it when it is whole.

    Attributes:
        written: messages so far.
    """

    def __init__(self, file: BinaryIO, about: Mapping[str, Mapping[str, str]]) -> None:
        """Begin the file.

        Args:
            file: empty, open for writing.
            about: metadata by name.
        """
        self.written = 0
        self._file, self._size = file, 0
        self._schemas: dict[tuple[str, str, bytes], Schema] = {}
        self._channels: dict[tuple[str, str, int], Channel] = {}
        self._counts: Counter[int] = Counter()
        self._chunks: list[ChunkIndex] = []
        self._span = (0, 0)
        self._put(MAGIC)
        self._put(_bytes(Header(profile="", library="reverie")))
        self._metadata = [self._tell(name, values) for name, values in about.items()]

    def copy(self, part: Slice, show: Callable[[int], None]) -> None:
        """Append what a slice wants.

        Args:
            part: the slice.
            show: told how many bytes of it are done.

        Raises:
            OSError: when a file cannot be read or written.
        """
        source = part.source
        topics = {n: c.topic for n, c in source.channels.items()}
        wanted = {topic for topic in topics.values() if part.wanted(topic)}
        scan = FileScan(source.path, wanted) if wanted else None
        if scan is None or part.begin >= part.end:
            return
        scan.channels, scan.schemas = dict(source.channels), dict(source.schemas)
        numbers: dict[int, int] = {}
        for portion in scan.portions(part.begin, part.end):
            self._append(portion, source, numbers)
            show(portion.offset - part.begin)

    def finish(self) -> None:
        """Write the summary, as `mcap.writer.Writer` does."""
        self._put(_bytes(DataEnd(0)))
        start, groups = self._size, []
        parts: list[tuple[Opcode, Sequence[McapRecord]]] = [
            (Opcode.SCHEMA, list(self._schemas.values())),
            (Opcode.CHANNEL, list(self._channels.values())),
            (Opcode.STATISTICS, [self._statistics()]),
            (Opcode.CHUNK_INDEX, self._chunks),
            (Opcode.METADATA_INDEX, self._metadata),
        ]
        data = b""
        for code, records in parts:
            if not records:
                continue
            group = b"".join(_bytes(record) for record in records)
            groups.append(SummaryOffset(code, start + len(data), len(group)))
            data += group
        offsets = start + len(data)
        data += b"".join(_bytes(group) for group in groups)
        begun = _FOOTER.pack(Opcode.FOOTER, 20, start, offsets)
        self._put(data)
        crc = zlib.crc32(begun, zlib.crc32(data))
        self._put(
            _bytes(Footer(summary_start=start, summary_offset_start=offsets, summary_crc=crc))
        )
        self._put(MAGIC)

    def _append(self, portion: Portion, source: Survey, numbers: dict[int, int]) -> None:
        """Append all messages of a portion as one chunk, under the new file's channel numbers."""
        heads = portion.heads
        channels = np.zeros(len(heads), np.int64)
        for number in np.unique(heads["channel"]).tolist():
            if number not in numbers:
                numbers[number] = self._open(source, number)
            mine = heads["channel"] == number
            channels[mine] = numbers[number]
            self._counts[numbers[number]] += int(mine.sum())
        at_places(portion.data, HEAD)["channel"][portion.begins] = channels
        sizes = heads["length"].astype(np.int64) + RECORD_HEAD
        low, high = int(heads["log_ns"].min()), int(heads["log_ns"].max())
        begun, ended = self._span if self.written else (low, high)
        self._span = (min(begun, low), max(ended, high))
        self.written += len(heads)
        size, start = int(sizes.sum()), self._size
        length = CHUNK_HEAD - RECORD_HEAD + size
        self._put(_CHUNK.pack(Opcode.CHUNK, length, low, high, size, 0, 0, size))
        for first, end in _joined(portion.begins, sizes):
            self._put(portion.data.data[first:end])
        offsets = self._index(channels, heads["log_ns"], np.cumsum(sizes) - sizes)
        self._chunks.append(
            ChunkIndex(
                chunk_length=CHUNK_HEAD + size,
                chunk_start_offset=start,
                compression="",
                compressed_size=size,
                uncompressed_size=size,
                message_start_time=low,
                message_end_time=high,
                message_index_length=self._size - start - CHUNK_HEAD - size,
                message_index_offsets=offsets,
            )
        )

    def _index(
        self, channels: np.ndarray, log_ns: np.ndarray, places: np.ndarray
    ) -> dict[int, int]:
        """Write where each channel's messages lie in the chunk; where in the file that is told."""
        offsets = {}
        for number in np.unique(channels).tolist():
            mine = channels == number
            entries = np.zeros(int(mine.sum()), _ENTRY)
            entries["log_ns"], entries["place"] = log_ns[mine], places[mine]
            size = entries.nbytes
            offsets[number] = self._size
            self._put(_INDEX.pack(Opcode.MESSAGE_INDEX, 6 + size, number, size))
            self._put(entries.tobytes())
        return offsets

    def _open(self, source: Survey, number: int) -> int:
        """Number of a channel in the new file, registered when it is new."""
        theirs = source.channels[number]
        schema = self._schema(source.schemas.get(theirs.schema_id))
        key = (theirs.topic, theirs.message_encoding, schema)
        if key not in self._channels:
            count = len(self._channels) + 1
            mine = Channel(count, theirs.topic, theirs.message_encoding, theirs.metadata, schema)
            self._channels[key] = mine
            self._put(_bytes(mine))
        return self._channels[key].id

    def _schema(self, theirs: Schema | None) -> int:
        if theirs is None:
            return 0
        key = (theirs.name, theirs.encoding, theirs.data)
        if key not in self._schemas:
            self._schemas[key] = Schema(
                len(self._schemas) + 1, theirs.data, theirs.encoding, theirs.name
            )
            self._put(_bytes(self._schemas[key]))
        return self._schemas[key].id

    def _tell(self, name: str, values: Mapping[str, str]) -> MetadataIndex:
        data = _bytes(Metadata(name, dict(values)))
        index = MetadataIndex(self._size, len(data), name)
        self._put(data)
        return index

    def _statistics(self) -> Statistics:
        return Statistics(
            attachment_count=0,
            channel_count=len(self._channels),
            channel_message_counts=dict(self._counts),
            chunk_count=len(self._chunks),
            message_count=self.written,
            message_end_time=self._span[1],
            message_start_time=self._span[0],
            metadata_count=len(self._metadata),
            schema_count=len(self._schemas),
        )

    def _put(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._size += len(data)


def _bytes(record: McapRecord) -> bytes:
    builder = RecordBuilder()
    record.write(builder)
    return builder.end()


def _joined(begins: np.ndarray, sizes: np.ndarray) -> Iterator[tuple[int, int]]:
    """Records that lie side by side as one stretch each: where it begins and ends."""
    ends = begins + sizes
    edges = np.flatnonzero(begins[1:] != ends[:-1]) + 1
    firsts, lasts = [0, *edges.tolist()], [*(edges - 1).tolist(), len(ends) - 1]
    yield from zip(begins[firsts].tolist(), ends[lasts].tolist(), strict=True)


def write_copy(
    target: Path,
    parts: Sequence[Slice],
    about: Mapping[str, Mapping[str, str]],
    show: Callable[[int], None] = lambda done: None,
) -> int:
    """Write a file of slices, whole or not at all; whatever was there is replaced.

    Args:
        target: the file.
        parts: in order.
        about: metadata by name.
        show: told how many bytes are done.

    Returns:
        Messages in it.

    Raises:
        OSError: when a file cannot be read or written; `target` is then as it was.
    """
    half = unfinished(target)
    try:
        with open(half, "wb", BUFFER) as file:
            log, done = LogCopy(file, about), 0
            for part in parts:
                log.copy(part, lambda here, before=done: show(before + here))
                done += part.end - part.begin
            log.finish()
            file.flush()
            os.fsync(file.fileno())
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)
    return log.written
