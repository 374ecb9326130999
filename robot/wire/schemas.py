"""Which fields of each record go into the small part of a message and which arrays follow it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from robot.wire.link import Sample
from robot.wire.messages import (
    WORDS,
    Ack,
    Command,
    Frame,
    Hello,
    Hole,
    OperatorAck,
    OperatorWord,
    PackedWeights,
    Reading,
    Status,
    Telemetry,
    TwinState,
)
from robot.wire.transition import Transition

M = TypeVar("M")
Small = list[Any]
Arrays = list[np.ndarray]
Parts = tuple[int, Small, Arrays]

MIB = 1 << 20


class CodecError(ValueError):
    """Bytes that are no whole, sound message, or a record that cannot become one."""


@dataclass(frozen=True, slots=True)
class Schema(Generic[M]):
    """How one kind of record is taken apart and put together.

    Args:
        id: number in the header; never reused for something else.
        kind: the record's class.
        limit: bytes that a whole message may have.
        pack: record -> capture stamp in ns, small part, arrays; in canonical order.
        unpack: small part and arrays -> record; raises CodecError, TypeError or ValueError.
        text: layout in words, registered with the log.
    """

    id: int
    kind: type[M]
    limit: int
    pack: Callable[[M], Parts]
    unpack: Callable[[Small, Arrays], M]
    text: str


READING_ARRAYS = (
    "quaternion gyro accelerometer joint_pos joint_vel torque foot_force temperature"
).split()


def _expect(small: Small, *kinds: type) -> Small:
    """Check the small part's types one by one; msgpack gives exact types, so `is` is enough."""
    if [type(v) for v in small] != list(kinds):
        got = ", ".join(type(v).__name__ for v in small)
        raise CodecError(f"fields are ({got}), not ({', '.join(k.__name__ for k in kinds)})")
    return small


def _count(arrays: Arrays, n: int) -> Arrays:
    if len(arrays) != n:
        raise CodecError(f"{len(arrays)} arrays, not {n}")
    return arrays


def _vectors(arrays: Arrays, n: int) -> Arrays:
    for array in _count(arrays, n):
        if array.ndim != 1 or array.dtype.kind != "f":
            raise CodecError(f"array of {array.dtype} {array.shape}, not a vector of floats")
    return arrays


def _natural(*numbers: int) -> None:
    for number in numbers:
        if not 0 <= number < 1 << 63:
            raise CodecError(f"{number} where a count from 0 up is expected")


def _integers(pairs: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(pairs.items())


def _named(pairs: Iterable[Any]) -> dict[str, int]:
    named = dict(pairs)
    for name, value in named.items():
        if type(name) is not str or type(value) is not int:
            raise CodecError(f"{name!r}: {value!r} is no name with a whole number")
    return named


def _arrays_by_name(names: Small, arrays: Arrays) -> dict[str, np.ndarray]:
    if any(type(name) is not str for name in names) or len(set(names)) != len(names):
        raise CodecError("array names are not distinct texts")
    return dict(zip(names, _count(arrays, len(names)), strict=True))


def _pack_sample(sample: Sample) -> Parts:
    r, s = sample.reading, sample.status
    small = [r.stamp_ns, float(r.voltage), s.state, s.reason, s.command_sequence]
    arrays = [r.quaternion, r.gyro, r.accelerometer, r.joint_pos, r.joint_vel, r.torque]
    arrays += [r.foot_force, r.temperature, s.target]
    return r.stamp_ns, [*small, _integers(s.counts)], arrays


def _unpack_sample(small: Small, arrays: Arrays) -> Sample:
    stamp, voltage, state, reason, sequence, counts = _expect(
        small, int, float, str, str, int, list
    )
    *sensed, target = _vectors(arrays, len(READING_ARRAYS) + 1)
    reading = Reading(stamp, *sensed, voltage=voltage)
    return Sample(reading, Status(state, reason, target, sequence, _named(counts)))


def _pack_command(c: Command) -> Parts:
    return c.sensor_stamp_ns, [c.sequence, c.stamp_ns, c.sensor_stamp_ns], [c.position]


def _unpack_command(small: Small, arrays: Arrays) -> Command:
    return Command(*_expect(small, int, int, int), *_vectors(arrays, 1))


def _pack_word(w: OperatorWord) -> Parts:
    return w.stamp_ns, [w.word, w.who, w.stamp_ns], []


def _unpack_word(small: Small, arrays: Arrays) -> OperatorWord:
    word, who, stamp = _expect(small, str, str, int)
    _count(arrays, 0)
    if word not in WORDS:
        raise CodecError(f"operator's word {word!r}; allowed are {', '.join(WORDS)}")
    return OperatorWord(word, who, stamp)


def _pack_operator_ack(a: OperatorAck) -> Parts:
    return a.stamp_ns, [a.word, a.stamp_ns, a.state, a.reason], []


def _unpack_operator_ack(small: Small, arrays: Arrays) -> OperatorAck:
    _count(arrays, 0)
    return OperatorAck(*_expect(small, str, int, str, str))


def _pack_frame(f: Frame) -> Parts:
    return f.stamp_ns, [f.camera, f.stamp_ns], [f.picture]


def _unpack_frame(small: Small, arrays: Arrays) -> Frame:
    camera, stamp = _expect(small, str, int)
    (picture,) = _count(arrays, 1)
    if picture.dtype != np.uint8 or picture.ndim != 3:
        raise CodecError(f"picture of {picture.dtype} {picture.shape}, not (H, W, C) bytes")
    return Frame(camera, stamp, picture)


def _pack_twin_state(t: TwinState) -> Parts:
    names = sorted(t.arrays)
    return t.stamp_ns, [t.stamp_ns, names], [t.arrays[n] for n in names]


def _unpack_twin_state(small: Small, arrays: Arrays) -> TwinState:
    stamp, names = _expect(small, int, list)
    return TwinState(stamp, _arrays_by_name(names, arrays))


def _pack_transition(t: Transition) -> Parts:
    names = sorted(t.arrays)
    numbers = [t.index, t.episode, t.step, t.weights_version]
    small = [t.robot, t.run, *numbers, bool(t.valid), names]
    small += [_integers(t.stamps_ns), _integers(t.ledger_ns)]
    return t.stamps_ns.get("tick", 0), small, [t.arrays[n] for n in names]


def _unpack_transition(small: Small, arrays: Arrays) -> Transition:
    kinds = (str, str, int, int, int, int, bool, list, list, list)
    *head, names, stamps, ledger = _expect(small, *kinds)
    _natural(*head[2:6])
    named = _arrays_by_name(names, arrays)
    return Transition(*head, arrays=named, stamps_ns=_named(stamps), ledger_ns=_named(ledger))


def _pack_hello(h: Hello) -> Parts:
    return 0, [h.robot, h.run], []


def _unpack_hello(small: Small, arrays: Arrays) -> Hello:
    _count(arrays, 0)
    return Hello(*_expect(small, str, str))


def _pack_hole(h: Hole) -> Parts:
    return 0, [h.robot, h.run, h.first, h.end], []


def _unpack_hole(small: Small, arrays: Arrays) -> Hole:
    robot, run, first, end = _expect(small, str, str, int, int)
    _count(arrays, 0)
    _natural(first, end - first - 1)
    return Hole(robot, run, first, end)


def _pack_ack(a: Ack) -> Parts:
    return 0, [a.robot, a.run, a.next_index, bool(a.gap)], []


def _unpack_ack(small: Small, arrays: Arrays) -> Ack:
    robot, run, index, gap = _expect(small, str, str, int, bool)
    _count(arrays, 0)
    _natural(index)
    return Ack(robot, run, index, gap)


def _pack_weights(w: PackedWeights) -> Parts:
    return w.stamp_ns, [w.version, w.stamp_ns], [w.data]


def _unpack_weights(small: Small, arrays: Arrays) -> PackedWeights:
    version, stamp = _expect(small, int, int)
    (data,) = _count(arrays, 1)
    _natural(version)
    if data.dtype != np.uint8 or data.ndim != 1:
        raise CodecError(f"weights of {data.dtype} {data.shape}, not (N,) bytes")
    return PackedWeights(version, stamp, data)


def _pack_telemetry(t: Telemetry) -> Parts:
    # Free-form values travel as JSON in the raw part: unlike msgpack's, its parser never
    # reserves memory for entries that a hostile length merely promises.
    text = json.dumps(t.values, sort_keys=True, separators=(",", ":"), default=_plain).encode()
    return t.stamp_ns, [t.source, t.stamp_ns], [np.frombuffer(text, np.uint8)]


def _unpack_telemetry(small: Small, arrays: Arrays) -> Telemetry:
    source, stamp = _expect(small, str, int)
    (text,) = _count(arrays, 1)
    values = json.loads(text.tobytes())
    if type(values) is not dict:
        raise CodecError("telemetry is no mapping")
    return Telemetry(source, stamp, values)


def _plain(value: object) -> object:
    """NumPy's numbers and arrays as Python's own."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no plain data")


SCHEMAS: tuple[Schema[Any], ...] = (
    Schema(
        1,
        Sample,
        MIB,
        _pack_sample,
        _unpack_sample,
        "stamp_ns, voltage, state, reason, command_sequence, counts; arrays "
        + " ".join(READING_ARRAYS)
        + " target",
    ),
    Schema(
        2,
        Command,
        MIB,
        _pack_command,
        _unpack_command,
        "sequence, stamp_ns, sensor_stamp_ns; array position",
    ),
    Schema(3, OperatorWord, 4096, _pack_word, _unpack_word, "word, who, stamp_ns"),
    Schema(
        4,
        OperatorAck,
        4096,
        _pack_operator_ack,
        _unpack_operator_ack,
        "word, stamp_ns, state, reason",
    ),
    Schema(5, Frame, 32 * MIB, _pack_frame, _unpack_frame, "camera, stamp_ns; array picture"),
    Schema(
        6, TwinState, MIB, _pack_twin_state, _unpack_twin_state, "stamp_ns, names; arrays by names"
    ),
    Schema(
        7,
        Transition,
        32 * MIB,
        _pack_transition,
        _unpack_transition,
        "robot, run, index, episode, step, weights_version, valid, names, stamps_ns, ledger_ns; "
        "arrays by names",
    ),
    Schema(8, Hello, 4096, _pack_hello, _unpack_hello, "robot, run"),
    Schema(9, Hole, 4096, _pack_hole, _unpack_hole, "robot, run, first, end"),
    Schema(10, Ack, 4096, _pack_ack, _unpack_ack, "robot, run, next_index, gap"),
    Schema(
        11,
        PackedWeights,
        512 * MIB,
        _pack_weights,
        _unpack_weights,
        "version, stamp_ns; array data holds safetensors",
    ),
    Schema(
        12,
        Telemetry,
        MIB,
        _pack_telemetry,
        _unpack_telemetry,
        "source, stamp_ns; array holds values as JSON",
    ),
)
BY_ID = {schema.id: schema for schema in SCHEMAS}
BY_KIND: dict[type, Schema[Any]] = {schema.kind: schema for schema in SCHEMAS}
