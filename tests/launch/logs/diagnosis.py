"""What the MCAP project's own tool for unsound files, `mcap doctor`, holds against a file.

The tool is a program in Go that is not installed where tests run; its rules are told here once
more, on top of the official reader, which itself refuses what is not well formed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from mcap.data_stream import ReadDataStream
from mcap.records import (
    Channel,
    Chunk,
    ChunkIndex,
    DataEnd,
    Footer,
    McapRecord,
    Message,
    MessageIndex,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
)
from mcap.stream_reader import StreamReader, breakup_chunk


def diagnose(path: Path) -> list[str]:
    """All that is wrong with a closed file; nothing where it is sound."""
    data = path.read_bytes()
    placed = list(_placed(data))
    end = next(i for i, (_, record) in enumerate(placed) if isinstance(record, DataEnd))
    body, summary = placed[:end], placed[end:]
    inside = [(begin, _inside(chunk)) for begin, chunk in body if isinstance(chunk, Chunk)]
    return [
        *_order(body, inside),
        *_known(list(_in_order(body, inside)), [record for _, record in summary]),
        *_indexed(body, summary, inside),
        *_counted(summary, inside, body),
    ]


def _placed(data: bytes) -> Iterator[tuple[int, McapRecord]]:
    stream = io.BytesIO(data)
    reader = StreamReader(stream, emit_chunks=True, validate_crcs=True)
    records = reader.records
    begin = 8
    while (record := next(records, None)) is not None:
        yield begin, record
        begin += 9 + int.from_bytes(data[begin + 1 : begin + 9], "little")
        if isinstance(record, Footer):
            return


def _inside(chunk: Chunk) -> list[McapRecord]:
    assert len(chunk.data) == chunk.uncompressed_size and chunk.compression == ""
    return breakup_chunk(chunk, validate_crc=True)


Placed = list[tuple[int, McapRecord]]
Inside = list[tuple[int, list[McapRecord]]]


def _order(body: Placed, inside: Inside) -> Iterator[str]:
    """Messages stand in chunks, behind their channel, and that behind its schema, each once."""
    yield from (f"a message outside chunks, at {b}" for b, r in body if isinstance(r, Message))
    for begin, records in inside:
        strange = {type(r).__name__ for r in records} - {"Schema", "Channel", "Message"}
        yield from (f"the chunk at {begin} holds a {name}" for name in strange)
    schemas: set[int] = set()
    channels: set[int] = set()
    for record in _in_order(body, inside):
        if isinstance(record, Schema):
            if record.id in schemas or not record.id or not record.encoding:
                yield f"schema {record.id} again, or without number or language"
            schemas.add(record.id)
        elif isinstance(record, Channel):
            if record.id in channels or record.schema_id not in schemas:
                yield f"channel {record.id} again, or of an unknown schema"
            channels.add(record.id)
        elif isinstance(record, Message) and record.channel_id not in channels:
            yield f"a message of channel {record.channel_id} before it"


def _in_order(body: Placed, inside: Inside) -> Iterator[McapRecord]:
    """All records of the data section as they stand in it, those of chunks too."""
    parts = dict(inside)
    for begin, record in body:
        yield from parts.get(begin, [record])


def _known(there: list[McapRecord], summary: list[McapRecord]) -> Iterator[str]:
    """The summary repeats every channel and schema, as they are."""
    mine = [r for r in there if isinstance(r, Schema | Channel)]
    again = [r for r in summary if isinstance(r, Schema | Channel)]
    yield from (f"{r} is not in the summary" for r in mine if r not in again)
    yield from (f"{r} is only in the summary" for r in again if r not in mine)


def _indexed(body: Placed, summary: Placed, inside: Inside) -> Iterator[str]:
    """Each chunk has one index that tells the truth, and an index of messages for each channel."""
    indices = {r.chunk_start_offset: r for _, r in summary if isinstance(r, ChunkIndex)}
    places = {begin: record for begin, record in body}
    if sorted(indices) != [begin for begin, _ in inside]:
        yield f"indices are of {sorted(indices)}, chunks at {[begin for begin, _ in inside]}"
        return
    for begin, records in inside:
        chunk, index = places[begin], indices[begin]
        assert isinstance(chunk, Chunk)
        stamps = [r.log_time for r in records if isinstance(r, Message)]
        ends = chunk.message_start_time, chunk.message_end_time
        if stamps and ends != (min(stamps), max(stamps)):
            yield f"the chunk at {begin} tells of {ends}"
        if (index.message_start_time, index.message_end_time) != ends:
            yield f"the index of {begin} tells of other times than its chunk"
        if (index.compressed_size, index.uncompressed_size) != (len(chunk.data),) * 2:
            yield f"the index of {begin} tells of another size"
        used = {r.channel_id for r in records if isinstance(r, Message)}
        if index.message_index_offsets.keys() != used:
            yield f"the index of {begin} leaves out channels"
        for channel, place in index.message_index_offsets.items():
            told = places.get(place)
            if not isinstance(told, MessageIndex) or told.channel_id != channel:
                yield f"no index of messages of channel {channel} at {place}"
                continue
            for stamp, offset in told.records:
                stream = ReadDataStream(io.BytesIO(chunk.data[offset + 9 :]))
                message = Message.read(stream, len(chunk.data) - offset - 9)
                if (message.channel_id, message.log_time) != (channel, stamp):
                    yield f"another message than is told, {offset} into the chunk at {begin}"


def _counted(summary: Placed, inside: Inside, body: Placed) -> Iterator[str]:
    """The figures are those of the file."""
    (told,) = [r for _, r in summary if isinstance(r, Statistics)]
    messages = [r for _, records in inside for r in records if isinstance(r, Message)]
    counts: dict[int, int] = {}
    for message in messages:
        counts[message.channel_id] = counts.get(message.channel_id, 0) + 1
    stamps = [message.log_time for message in messages] or [0]
    truth = {
        "message_count": len(messages),
        "message_start_time": min(stamps),
        "message_end_time": max(stamps),
        "chunk_count": len(inside),
        "channel_count": sum(isinstance(r, Channel) for r in _in_order(body, inside)),
        "schema_count": sum(isinstance(r, Schema) for r in _in_order(body, inside)),
        "metadata_count": sum(isinstance(r, Metadata) for _, r in body),
        "attachment_count": 0,
    }
    for name, count in truth.items():
        if getattr(told, name) != count:
            yield f"{name} is {count}, and {getattr(told, name)} is told"
    if {k: v for k, v in told.channel_message_counts.items() if v} != counts:
        yield "counts by channel differ"
    notes = {begin: r for begin, r in body if isinstance(r, Metadata)}
    for index in (r for _, r in summary if isinstance(r, MetadataIndex)):
        if index.offset not in notes or notes[index.offset].name != index.name:
            yield f"no metadata {index.name} at {index.offset}"
