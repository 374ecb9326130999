"""Messages as bytes: a fixed header, a small msgpack part, then raw array buffers. Never pickle.

    offset  0  magic "RVRI"        4   sequence       u64   16
               schema id     u16   4   capture stamp  i64   24   ns, clock of who captured it
               version       u16   6   send stamp     i64   32   ns since 1970, 0 in lock-step
               small length  u32   8   monotonic      i64   40   ns, sender's clock at packing
               total length  u32  12   crc32          u32   48   of everything but itself
    offset 52  small part: msgpack [fields, [[dtype code, *shape] for each array]]
    then each array's bytes in C order, starting at a multiple of 8, padded with zeros

All numbers are little-endian. Equal messages with equal stamps give equal bytes.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any, TypeVar

import msgpack
import numpy as np

from robot.wire.schemas import BY_ID, BY_KIND, CodecError, Schema

M = TypeVar("M")

MAGIC = b"RVRI"
VERSION = 1
DTYPES = tuple(
    np.dtype(name)
    for name in ("?", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8")
)
ALIGN = 8
MAX_SMALL = 1 << 16
MAX_ENTRIES = 256
MAX_DIMS = 6

_HEAD = struct.Struct("<4sHHIIQqqq")
_CRC = struct.Struct("<I")
_START = _HEAD.size + _CRC.size
_CODES = {dtype: code for code, dtype in enumerate(DTYPES)}
_BOOL = _CODES[np.dtype("?")]
_ZEROS = bytes(ALIGN)
_BAD_RECORD = (struct.error, OverflowError, TypeError, ValueError, AttributeError)
_BAD_SMALL = (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the header says.

    Args:
        schema: how the message is read.
        sequence: counts up by one with each message of a sender on a stream.
        capture_ns: when its content was captured, on the clock of who captured it.
        sent_ns: when it was packed, ns since 1970 on the sender's wall clock, 0 in lock-step.
        monotonic_ns: when it was packed, on the sender's monotonic (or lock-step) clock.
    """

    schema: Schema[Any]
    sequence: int
    capture_ns: int
    sent_ns: int
    monotonic_ns: int


def encode(message: object, sequence: int = 0, sent_ns: int = 0, monotonic_ns: int = 0) -> bytes:
    """Pack one record; the stamps are the caller's, so that lock-step bytes are reproducible.

    Raises:
        CodecError: naming the record and what does not fit: type, dtype or size.
    """
    schema = BY_KIND.get(type(message))
    if schema is None:
        raise CodecError(f"{type(message).__name__} has no schema")
    try:
        capture_ns, fields, arrays = schema.pack(message)
        small, chunks, total = _body(fields, arrays)
        if total > schema.limit or len(small) > MAX_SMALL or len(arrays) > MAX_ENTRIES:
            raise CodecError(f"{total} bytes, {len(arrays)} arrays; limit {schema.limit} bytes")
        lengths = (schema.id, VERSION, len(small), total)
        head = _HEAD.pack(MAGIC, *lengths, sequence, capture_ns, sent_ns, monotonic_ns)
    except _BAD_RECORD as error:
        raise CodecError(f"cannot pack {type(message).__name__}: {error}") from error
    body = b"".join(chunks)
    return b"".join((head, _CRC.pack(zlib.crc32(body, zlib.crc32(head))), body))


def _body(fields: list[Any], arrays: list[np.ndarray]) -> tuple[bytes, list[bytes], int]:
    """Small part, all chunks after the header, and the length of the whole message."""
    table, chunks = [], [b""]
    for array in arrays:
        code = _CODES.get(array.dtype)
        if code is None or array.ndim > MAX_DIMS:
            allowed = ", ".join(str(d) for d in DTYPES)
            raise CodecError(f"array of {array.dtype} {array.shape}; allowed are {allowed}")
        table.append((code, *array.shape))
        data = array.tobytes()
        chunks.append(data)
        if gap := -len(data) % ALIGN:
            chunks.append(_ZEROS[:gap])
    small = msgpack.packb((fields, table), default=_number) or b""
    chunks[0] = small
    if gap := -(_START + len(small)) % ALIGN:
        chunks.insert(1, _ZEROS[:gap])
    return small, chunks, _START + sum(map(len, chunks))


def _number(value: object) -> object:
    """NumPy's scalars as Python's own; anything else is refused."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no plain value")


def envelope(data: bytes | memoryview) -> Envelope:
    """Read the header alone; the rest is not yet checked.

    Raises:
        CodecError: saying which field is wrong.
    """
    return _head(memoryview(data))[0]


def unpack(data: bytes | memoryview) -> tuple[Envelope, Any]:
    """Read one whole message; its arrays are read-only views into `data`.

    Nothing is reserved on the word of a length field: each is checked against the bytes at hand.

    Raises:
        CodecError: whatever the bytes are.
    """
    view = memoryview(data).toreadonly()
    head, small_length = _head(view)
    (crc,) = _CRC.unpack_from(view, _HEAD.size)
    if zlib.crc32(view[_START:], zlib.crc32(view[: _HEAD.size])) != crc:
        raise CodecError("checksum does not match")
    try:
        fields, table = _small(view[_START : _START + small_length])
        arrays = _arrays(view, _START + small_length, table)
        return head, head.schema.unpack(fields, arrays)
    except CodecError as error:
        raise CodecError(f"{head.schema.kind.__name__}: {error}") from error
    except _BAD_SMALL as error:
        raise CodecError(f"{head.schema.kind.__name__}: not readable: {error}") from error


def decode(data: bytes | memoryview, kind: type[M]) -> M:
    """Read one whole message that must be of `kind`.

    Raises:
        CodecError: whatever the bytes are, also when they hold another kind.
    """
    head, message = unpack(data)
    if head.schema.kind is not kind:
        raise CodecError(f"got {head.schema.kind.__name__} where {kind.__name__} is expected")
    return message


def _head(view: memoryview) -> tuple[Envelope, int]:
    """Header and length of the small part, every field checked."""
    if view.nbytes < _START or view.ndim != 1 or view.itemsize != 1:
        raise CodecError(f"{view.nbytes} bytes are no message; the header alone has {_START}")
    magic, schema_id, version, small_length, total, *stamps = _HEAD.unpack_from(view)
    if magic != MAGIC:
        raise CodecError(f"starts with {magic!r}, not {MAGIC!r}")
    if version != VERSION:
        raise CodecError(f"wire version {version}; this build speaks {VERSION}")
    schema = BY_ID.get(schema_id)
    if schema is None:
        raise CodecError(f"unknown schema {schema_id}; known are 1 to {max(BY_ID)}")
    if total != view.nbytes or total > schema.limit:
        raise CodecError(f"{view.nbytes} bytes, header says {total}, limit {schema.limit}")
    if small_length > min(MAX_SMALL, total - _START):
        raise CodecError(f"small part of {small_length} bytes in a message of {total}")
    return Envelope(schema, *stamps), small_length


def _small(view: memoryview) -> tuple[list[Any], list[Any]]:
    """Unpack the small part. Few entries are allowed: msgpack reserves them before reading them."""
    limits = {"max_array_len": MAX_ENTRIES, "max_map_len": MAX_ENTRIES, "max_ext_len": 0}
    fields, table = msgpack.unpackb(view, **limits)
    if type(fields) is not list or type(table) is not list:
        raise CodecError("small part is not two lists")
    return fields, table


def _arrays(view: memoryview, offset: int, table: list[Any]) -> list[np.ndarray]:
    """Views on the array buffers, which must fill the message exactly."""
    arrays = []
    offset += -offset % ALIGN
    for row in table:
        code, shape = _row(row)
        size = math.prod(shape)
        end = offset + size * DTYPES[code].itemsize
        if end > view.nbytes:
            raise CodecError(f"array {shape} of {DTYPES[code]} is longer than the message")
        if code == _BOOL and bytes(view[offset:end]).strip(b"\0\1"):
            raise CodecError("a truth value is neither 0 nor 1")
        arrays.append(np.frombuffer(view, DTYPES[code], size, offset).reshape(shape))
        offset = end + -end % ALIGN
    if offset != view.nbytes:
        raise CodecError(f"arrays end at byte {offset}, the message at {view.nbytes}")
    return arrays


def _row(row: Any) -> tuple[int, tuple[int, ...]]:
    if type(row) is not list or not 1 <= len(row) <= MAX_DIMS + 1:
        raise CodecError(f"{row!r} is no dtype with a shape")
    if any(type(n) is not int or n < 0 for n in row) or row[0] >= len(DTYPES):
        raise CodecError(f"{row!r} is no dtype with a shape")
    return row[0], tuple(row[1:])
