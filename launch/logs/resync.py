"""Finds the next sound record behind damage, by what a record must look like inside and out."""

from __future__ import annotations

import json
import mmap
import re
import struct
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from mcap.opcode import Opcode
from mcap.records import Channel, Metadata, Schema

from robot.wire.codec import MAGIC, envelope, unpack
from robot.wire.link import Sample
from robot.wire.log.names import COMMANDS, ENCODING, FRAMES, SENSORS, TRANSITIONS
from robot.wire.messages import Command, Frame
from robot.wire.scan import read_record
from robot.wire.schemas import CodecError
from robot.wire.transition import Transition

_HEAD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<BQHIQQ")
# A record of ours is shorter than 4 GiB, so its length ends with four zeros.
_CANDIDATE = re.compile(rb"[\x03\x04\x05\x0c\x0f].{4}\x00{4}", re.DOTALL)
_SUMMARY = (Opcode.SCHEMA, Opcode.CHANNEL, Opcode.STATISTICS, Opcode.FOOTER)
_CDR = b"\x00\x01\x00\x00"
_TOPICS: Mapping[type, Callable[[Any], str]] = {
    Transition: lambda step: TRANSITIONS,
    Sample: lambda sample: SENSORS,
    Command: lambda command: COMMANDS,
    Frame: lambda frame: f"{FRAMES}/{frame.camera}",
}


@dataclass
class Known:
    """Channels and schemas by id, as far as they are known; grows by what records tell."""

    channels: MutableMapping[int, Channel]
    schemas: MutableMapping[int, Schema]

    def put(self, topic: str, schema: Schema, channel: int) -> None:
        """Register a channel whose own record is lost."""
        number = max(self.schemas, default=0) + 1
        self.schemas[number] = Schema(number, schema.data, schema.encoding, schema.name)
        self.channels[channel] = Channel(channel, topic, ENCODING, {}, number)


def next_record(data: mmap.mmap, start: int, known: Known) -> int:
    """Place of the first sound record from `start` on, or the end of the file."""
    for match in _CANDIDATE.finditer(data, start):
        if _is_record(data, match.start(), known):
            return match.start()
        # Candidates may overlap; those inside this one are looked at too.
        for place in range(match.start() + 1, match.end()):
            if _CANDIDATE.match(data, place) and _is_record(data, place, known):
                return place
    return len(data)


def _is_record(data: mmap.mmap, place: int, known: Known) -> bool:
    code, length = _HEAD.unpack_from(data, place)
    end = place + _HEAD.size + length
    if end > len(data):
        return False
    if code == Opcode.MESSAGE:
        return length >= _MESSAGE.size - _HEAD.size and _is_message(data, place, end, known)
    record = read_record(code, data[place + _HEAD.size : end])
    if isinstance(record, Channel):
        return record.topic.startswith("/") and record.schema_id in known.schemas
    if isinstance(record, Schema | Metadata):
        return bool(record.name) and record.name.isprintable()
    return record is not None and end < len(data) and data[end] in _SUMMARY


def _is_message(data: mmap.mmap, place: int, end: int, known: Known) -> bool:
    channel = known.channels.get(_MESSAGE.unpack_from(data, place)[2])
    content = data[place + _MESSAGE.size : end]
    if content.startswith(MAGIC):
        return _is_ours(content, _MESSAGE.unpack_from(data, place)[2], known)
    if channel is None:
        return False
    if channel.message_encoding == "json":
        return read_note(content) is not None
    follows = end == len(data) or _CANDIDATE.match(data, end) is not None
    return channel.message_encoding == "cdr" and content.startswith(_CDR) and follows


def read_note(content: bytes) -> dict[str, Any] | None:
    """Plain data, None when the bytes are none."""
    try:
        note = json.loads(content)
    except ValueError:
        return None
    return note if isinstance(note, dict) else None


def _is_ours(content: bytes, number: int, known: Known) -> bool:
    """Whether bytes are a sound message of ours, whose channel is registered if need be."""
    try:
        _, message = unpack(content)
    except CodecError:
        return False
    channel, schema = known.channels.get(number), envelope(content).schema
    if channel is not None:
        return channel.message_encoding == ENCODING
    topic = _TOPICS.get(schema.kind)
    if topic is None:
        return False
    lost = Schema(0, schema.text.encode(), ENCODING, f"reverie/{schema.kind.__name__}")
    known.put(topic(message), lost, number)
    return True
