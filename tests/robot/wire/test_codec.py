import hashlib
import struct
import tracemalloc
import zlib
from dataclasses import replace
from timeit import repeat

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from robot.wire.codec import DTYPES, MAX_ENTRIES, decode, encode, envelope, unpack
from robot.wire.link import Sample
from robot.wire.messages import (
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
from robot.wire.schemas import MIB, SCHEMAS, CodecError
from robot.wire.transition import Transition


def ramp(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.float64) / 8


READING = Reading(
    5, ramp(4), ramp(3), ramp(3), ramp(12), ramp(12), ramp(12), ramp(4), ramp(12), 24.5
)
STEP = Transition(
    robot="a1",
    run="run-1",
    index=7,
    episode=1,
    step=2,
    weights_version=3,
    valid=True,
    arrays={
        "joint_pos": ramp(12).astype(np.float32),
        "front": np.arange(48, dtype=np.uint8).reshape(4, 4, 3),
        "reward": np.array(1.5, np.float32),
        "is_first": np.array(True),
    },
    stamps_ns={"tick": 11, "front": 9},
    ledger_ns={"sensor": 2, "inference": 3},
)
MESSAGES = [
    Sample(READING, Status("active", "", ramp(12), 3, {"stale": 1, "clipped": 4})),
    Command(3, 11, 10, ramp(12)),
    OperatorWord("stop", "console", 4),
    OperatorAck("stop", 4, "stopped", ""),
    Frame("front", 8, np.arange(48, dtype=np.uint8).reshape(4, 4, 3)),
    TwinState(9, {"state": ramp(30), "foot_contact": np.array([True, False])}),
    STEP,
    Hello("a1", "run-1"),
    Hole("a1", "run-1", 3, 9),
    Ack("a1", "run-1", 9, True),
    PackedWeights(4, 12, np.arange(100, dtype=np.uint8)),
    Telemetry("robot", 6, {"hz": 20.0, "late": [1, 2], "text": "é"}),
]
GOLDEN = "ffe70bfdf4cadd4240f044a4ced9fb2066a3e50cc6b93fe9b715b7527d46be82"


def plain(value: object) -> object:
    """Records as nested plain data, which `==` can compare."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    fields = getattr(value, "__dataclass_fields__", None)
    return {name: plain(getattr(value, name)) for name in fields} if fields else value


def sealed(data: bytes) -> bytes:
    """The same bytes with lengths and checksum made right, as a hostile sender would."""
    head = bytearray(data[:48])
    struct.pack_into("<I", head, 12, len(data))
    body = data[52:]
    return bytes(head) + struct.pack("<I", zlib.crc32(body, zlib.crc32(head))) + body


def with_small(data: bytes, small: bytes) -> bytes:
    """A message whose small part is replaced and whose arrays are gone."""
    head = bytearray(data[:52])
    struct.pack_into("<I", head, 8, len(small))
    body = small + bytes(-(52 + len(small)) % 8)
    return sealed(bytes(head) + body)


def survives(data: bytes) -> bool:
    """Decode; whether it worked. Anything but CodecError fails the test."""
    try:
        unpack(data)
    except CodecError:
        return False
    return True


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_every_record_comes_back_as_it_was(message):
    data = encode(message, 41, 1_700_000_000_000_000_000, 99)
    head, back = unpack(data)
    assert plain(back) == plain(message)
    assert (head.sequence, head.sent_ns, head.monotonic_ns) == (41, 1_700_000_000_000_000_000, 99)
    assert plain(decode(data, type(message))) == plain(message)
    assert encode(back, 41, 1_700_000_000_000_000_000, 99) == data


def test_every_schema_is_tried_here():
    assert {type(m) for m in MESSAGES} == {schema.kind for schema in SCHEMAS}


def test_the_bytes_on_the_wire_do_not_change_unnoticed():
    data = b"".join(encode(message, i, 2, 3) for i, message in enumerate(MESSAGES))
    assert hashlib.sha256(data).hexdigest() == GOLDEN


def test_equal_messages_give_equal_bytes_whatever_the_order_and_layout():
    turned = dict(reversed(list(STEP.arrays.items())))
    turned["front"] = np.asfortranarray(turned["front"])
    other = replace(STEP, arrays=turned, stamps_ns=dict(reversed(list(STEP.stamps_ns.items()))))
    assert encode(other) == encode(STEP)


def test_decoded_arrays_are_read_only_views_at_aligned_places():
    data = bytearray(encode(STEP))
    back = decode(memoryview(data), Transition)
    address = np.frombuffer(data, np.uint8).ctypes.data
    for array in back.arrays.values():
        assert not array.flags.writeable
        assert (array.ctypes.data - address) % 8 == 0


def test_the_header_alone_tells_schema_and_stamps():
    head = envelope(encode(STEP, 7))
    assert head.schema.kind is Transition
    assert (head.sequence, head.capture_ns) == (7, 11)


@given(
    hnp.arrays(
        st.sampled_from(DTYPES),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    )
)
@settings(max_examples=200, deadline=None)
def test_any_array_of_an_allowed_type_comes_back(array):
    back = decode(encode(TwinState(1, {"x": array})), TwinState).arrays["x"]
    assert plain(back) == plain(array)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_refused(data):
    assert not survives(data)
    assert not survives(encode(STEP)[:52] + data)


def test_mutated_bytes_are_refused():
    rng = np.random.default_rng(0)
    originals = [encode(message, 1, 2, 3) for message in MESSAGES]
    for turn in range(4000):
        data = bytearray(originals[turn % len(originals)])
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] ^= 1 << int(rng.integers(8))
        changed = bytes(data) != originals[turn % len(originals)]
        assert survives(bytes(data)) is not changed


def test_mutations_under_a_right_checksum_never_raise_anything_else():
    rng = np.random.default_rng(1)
    originals = [encode(message, 1, 2, 3) for message in MESSAGES]
    refused = 0
    for turn in range(6000):
        data = bytearray(originals[turn % len(originals)])
        for place in rng.integers(4, len(data), rng.integers(1, 6)):
            data[place] = int(rng.integers(256))
        refused += not survives(sealed(bytes(data)))
    assert refused > 1000


def test_every_cut_of_a_message_is_refused():
    data = encode(STEP)
    assert not any(survives(data[:end]) for end in range(len(data)))
    assert not any(survives(sealed(data[:end])) for end in range(52, len(data)))
    assert not survives(data + b"\0")


def random_plain(rng: np.random.Generator, depth: int = 0) -> object:
    """Nested plain data of any kind that msgpack can carry."""
    kind = int(rng.integers(0, 9 if depth < 3 else 6))
    if kind >= 7:
        return [random_plain(rng, depth + 1) for _ in range(rng.integers(0, 8))]
    if kind == 6:
        return {str(i): random_plain(rng, depth + 1) for i in range(rng.integers(0, 4))}
    number = int(rng.integers(-(2**62), 2**62))
    return [number, number / 7, "text", b"bytes", None, bool(number % 2)][kind]


def test_any_small_part_is_survived():
    rng = np.random.default_rng(2)
    for turn in range(3000):
        small = msgpack.packb([random_plain(rng), random_plain(rng)])
        survives(with_small(encode(MESSAGES[turn % len(MESSAGES)]), small or b""))


@pytest.mark.parametrize(
    "row",
    [[10, 2**62], [10, 2**40, 2**40], [11, -1], [99, 1], [10, 1.0], [], [1, *[1] * 9], "x", [True]],
)
def test_an_array_that_claims_too_much_is_refused(row):
    data = encode(TwinState(9, {}))
    assert survives(with_small(data, msgpack.packb([[9, ["x"]], [[10, 0, 3]]]) or b""))
    assert not survives(with_small(data, msgpack.packb([[9, ["x"]], [row]]) or b""))


def test_hostile_lengths_reserve_no_memory():
    nested = b"\xdd\x00\x00\x20\x00" * 12_000  # lists in lists, each promising 8192 entries
    promised = b"\x92\xdd\xff\xff\xff\xff"
    text = b"\x92\xdb\xff\xff\xff\xff"
    tracemalloc.start()
    for small in (nested, promised, text, b"\x92\xc9\xff\xff\xff\xff\x01"):
        assert not survives(with_small(encode(STEP), small))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MIB


def test_a_truth_value_that_is_neither_is_refused():
    data = encode(TwinState(1, {"x": np.array([True])}))
    place = data.rindex(b"\x01")
    assert not survives(sealed(data[:place] + b"\x02" + data[place + 1 :]))


def test_refusals_name_what_is_wrong():
    with pytest.raises(CodecError, match="got Command where Sample is expected"):
        decode(encode(MESSAGES[1]), Sample)
    with pytest.raises(CodecError, match="complex128"):
        encode(Command(1, 2, 3, np.zeros(12, complex)))
    with pytest.raises(CodecError, match="no schema"):
        encode("text")
    with pytest.raises(CodecError, match="wire version 2; this build speaks 1"):
        unpack(encode(STEP)[:6] + b"\x02\x00" + encode(STEP)[8:])
    with pytest.raises(CodecError, match="allowed are stop, pause, resume"):
        unpack(encode(OperatorWord("jump", "console", 1)))


@pytest.mark.parametrize(
    "message",
    [
        Command(1, 2, 3, [0.0]),  # type: ignore[arg-type]
        Command(1, 2**70, 3, ramp(12)),
        Command(1, 2, 3, np.array(["x"], object)),
        Command(1, 2, 3, ramp(12).astype(">f8")),
        OperatorWord("stop", "x" * 5000, 1),
        Telemetry("robot", 1, {"x": {1, 2}}),
        TwinState(1, {str(i): np.zeros(1) for i in range(MAX_ENTRIES + 1)}),
        Frame("front", 1, np.zeros((4000, 4000, 3), np.uint8)),
        replace(STEP, index=-1, arrays={1: np.zeros(1), "a": np.zeros(1)}),  # type: ignore[dict-item]
    ],
    ids=lambda m: type(m).__name__,
)
def test_what_cannot_be_said_is_refused_by_the_sender(message):
    with pytest.raises(CodecError):
        encode(message)


def test_numpy_scalars_are_taken_as_numbers():
    status = Status("active", "", ramp(12), np.int64(3), {"clipped": np.int32(2)})  # type: ignore[arg-type]
    sample = Sample(replace(READING, voltage=np.float32(24.0)), status)  # type: ignore[arg-type]
    back = decode(encode(sample), Sample)
    assert (back.reading.voltage, back.status.counts) == (24.0, {"clipped": 2})


def test_encoding_is_fast():
    """The bounds are loose by three times what a slow core takes, so that only a blunder fails."""
    for message, limit_us in ((MESSAGES[0], 30), (STEP, 60)):
        best_us = min(repeat(lambda m=message: encode(m), number=500, repeat=5)) / 500 * 1e6
        assert best_us < limit_us
