"""Writes a whole, closed log file from stretches of others, without touching what messages say."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
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
from robot.wire.scan import HEAD, MAGIC, FileScan, Portion, at_places

BUFFER = 4 << 20
_FOOTER = struct.Struct("<BQQQ")


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
        self._counts: dict[int, int] = {}
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
            (Opcode.METADATA_INDEX, self._metadata),
        ]
        data = b""
        for code, records in parts:
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
        """Append all messages of a portion, under this file's channel numbers."""
        heads = portion.heads
        for number in np.unique(heads["channel"]).tolist():
            if number not in numbers:
                numbers[number] = self._open(source, number)
            mine = heads["channel"] == number
            channel = numbers[number]
            if channel != number:
                at_places(portion.data, HEAD)["channel"][portion.begins[mine]] = channel
            self._counts[channel] = self._counts.get(channel, 0) + int(mine.sum())
        low, high = int(heads["log_ns"].min()), int(heads["log_ns"].max())
        begun, ended = self._span if self.written else (low, high)
        self._span = (min(begun, low), max(ended, high))
        self.written += len(heads)
        ends = portion.begins + heads["length"].astype(np.int64) + 9
        edges = np.flatnonzero(portion.begins[1:] != ends[:-1]) + 1
        firsts, lasts = [0, *edges.tolist()], [*(edges - 1).tolist(), len(ends) - 1]
        for first, last in zip(firsts, lasts, strict=True):
            self._put(portion.data.data[int(portion.begins[first]) : int(ends[last])])

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
            channel_message_counts=self._counts,
            chunk_count=0,
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
