from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import zmq

from robot.policy.downlink import Downlink, Gate
from robot.wire.codec import encode
from robot.wire.messages import PackedWeights
from robot.wire.sockets import Port, open_sender
from robot.wire.weights import Weights, layout

INFINITE = np.full((3, 2), np.inf, np.float32)
ARRAYS = {"w": np.ones((3, 2), np.float32), "steps": np.array([4], np.int64)}
FIRST = Weights(ARRAYS, version=1, spec="spec-a", updates=10, stamp_ns=100)


def gate() -> Gate:
    return Gate("spec-a", layout(ARRAYS))


def packed(weights: Weights, data: bytes | None = None) -> bytes:
    raw = np.frombuffer(data or weights.to_bytes(), np.uint8)
    return encode(PackedWeights(weights.version, weights.stamp_ns, raw))


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    own = zmq.Context()
    yield own
    own.destroy(linger=0)


class Bench:
    """A downlink, and the learner's end of the stream to say things to it."""

    def __init__(self, endpoints, context: zmq.Context) -> None:
        self.now_ns = 1000
        self.learner: Port = open_sender(endpoints, "weights", context)
        self.downlink = Downlink(endpoints, gate(), None, lambda: self.now_ns, context)

    def until(self, data: bytes, done) -> None:
        """Publish again and again, as the learner does, until it has had its effect."""
        for _ in range(2000):
            self.learner.send(data)
            if done():
                return
            self.downlink._stop.wait(0.005)
        raise AssertionError("no effect")

    def taken(self, weights: Weights) -> Weights:
        got: list[Weights] = []

        def done() -> bool:
            newest = self.downlink.take()
            got.extend([newest] if newest else [])
            return bool(got)

        self.until(packed(weights), done)
        return got[0]

    def refused(self, data: bytes, reason: str) -> None:
        before = self.downlink.rejected[reason]
        self.until(data, lambda: self.downlink.rejected[reason] > before)
        assert self.downlink.take() is None


@pytest.fixture
def bench(endpoints, context) -> Iterator[Bench]:
    bench = Bench(endpoints, context)
    yield bench
    bench.downlink.close()


def test_there_is_nothing_to_take_before_anything_came(bench):
    assert bench.downlink.take() is None
    assert bench.downlink.age_ns == -1
    assert bench.downlink.report()["applied"] == 0


def test_sound_weights_are_handed_over_once_with_age_and_latency(bench):
    assert bench.taken(FIRST).sha256 == FIRST.sha256
    assert bench.downlink.take() is None
    bench.now_ns = 5000
    report = bench.downlink.report()
    assert bench.downlink.age_ns == 4900
    assert (report["applied"], report["rejected"], report["version"]) == (1, 0, 1)
    assert report["latency_ms"] == {"p50": 900 / 1e6, "p99": 900 / 1e6}


def test_damaged_weights_are_refused_and_the_old_ones_stay(bench):
    bench.taken(FIRST)
    data = bytearray(FIRST.to_bytes())
    data[-3] ^= 1
    later = replace(FIRST, version=2)
    bench.refused(packed(later, bytes(data)), "damaged")
    bench.refused(b"some other bytes", "damaged")
    assert bench.downlink.report()["version"] == 1
    assert bench.taken(later).version == 2


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (replace(FIRST, version=2, spec="spec-b"), "spec"),
        (replace(FIRST, version=2, arrays={**ARRAYS, "w": ARRAYS["w"] * np.nan}), "not finite"),
        (
            replace(FIRST, version=2, arrays={**ARRAYS, "w": INFINITE}),
            "not finite",
        ),
        (replace(FIRST, version=2, arrays={**ARRAYS, "w": np.ones((2, 3), np.float32)}), "layout"),
        (replace(FIRST, version=2, arrays={**ARRAYS, "w": np.ones((3, 2))}), "layout"),
        (replace(FIRST, version=2, arrays={"w": ARRAYS["w"]}), "layout"),
        (replace(FIRST, version=2, arrays={**ARRAYS, "extra": ARRAYS["w"]}), "layout"),
        (replace(FIRST, version=0, stamp_ns=101), "old"),
        (replace(FIRST, version=1, stamp_ns=101), "old"),
    ],
)
def test_weights_that_must_not_drive_the_robot_are_refused(bench, weights, reason):
    bench.taken(FIRST)
    bench.refused(packed(weights), reason)
    assert bench.downlink.report()["reasons"] == {reason: 1}, "a repetition is not counted again"


def test_a_deliberate_rollback_is_taken(bench):
    bench.taken(replace(FIRST, version=9))
    back = replace(FIRST, version=4, stamp_ns=200, rollback=True)
    assert bench.taken(back).version == 4
    bench.refused(packed(replace(FIRST, version=3, stamp_ns=300)), "old")
    assert bench.taken(replace(FIRST, version=5, stamp_ns=400)).version == 5


def test_only_the_newest_of_several_is_handed_over(bench):
    bench.taken(FIRST)
    for version in range(2, 30):
        bench.learner.send(packed(replace(FIRST, version=version)))
    last = replace(FIRST, version=30)
    bench.until(packed(last), lambda: bench.downlink._gate.version == 30)
    assert bench.downlink.take().version == 30
    assert bench.downlink.take() is None


def test_the_refusal_names_what_differs():
    odd = replace(FIRST, version=2, arrays={**ARRAYS, "w": np.ones((2, 3), np.float32)})
    assert gate().refusal(odd) == "layout: w is ((2, 3), '<f4'), expected ((3, 2), '<f4')"
    assert gate().refusal(replace(FIRST, spec="b")) == "spec: learnt for b, this robot is spec-a"
    assert gate().refusal(FIRST) == ""


def test_closing_twice_does_no_harm(bench):
    bench.downlink.close()
    bench.downlink.close()
