"""The summary at the end of a closed log file."""

from __future__ import annotations

import io
import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Schema, Statistics

from robot.wire.scan import MAGIC, read_record

_HEAD = struct.Struct("<BQ")
_FOOTER = struct.Struct("<BQQQI")


@dataclass
class Summary:
    """What a file says of itself.

    Args:
        channels: by id.
        schemas: by id.
        messages: how many it holds, by channel; empty where it does not say.
    """

    channels: dict[int, Channel] = field(default_factory=dict)
    schemas: dict[int, Schema] = field(default_factory=dict)
    messages: dict[int, int] = field(default_factory=dict)


def read_summary(path: Path) -> Summary | None:
    """The summary of a file; None when it has none that is sound."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        begin = size - len(MAGIC) - _FOOTER.size
        file.seek(max(0, begin))
        tail = file.read()
        if begin < 0 or not tail.endswith(MAGIC):
            return None
        code, length, start, _, crc = _FOOTER.unpack_from(tail)
        if (code, length) != (Opcode.FOOTER, _FOOTER.size - _HEAD.size) or not 0 < start <= begin:
            return None
        file.seek(start)
        data = file.read(begin - start)
    if crc and zlib.crc32(tail[: _FOOTER.size - 4], zlib.crc32(data)) != crc:
        return None
    return _parse(data)


def _parse(data: bytes) -> Summary | None:
    found, place = Summary(), 0
    while place + _HEAD.size <= len(data):
        code, length = _HEAD.unpack_from(data, place)
        content = data[place + _HEAD.size : place + _HEAD.size + length]
        record = read_record(code, content)
        if isinstance(record, Channel):
            found.channels[record.id] = record
        elif isinstance(record, Schema):
            found.schemas[record.id] = record
        elif code == Opcode.STATISTICS and not _count(content, found):
            return None
        place += _HEAD.size + length
    return found


def _count(content: bytes, found: Summary) -> bool:
    try:
        statistics = Statistics.read(ReadDataStream(io.BytesIO(content)))
    except (McapError, ValueError, struct.error):
        return False
    found.messages = dict(statistics.channel_message_counts)
    return True
