from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from robot.wire.weights import Weights, WeightsError, layout

RNG = np.random.default_rng(0)
WEIGHTS = Weights(
    {"actor.w": RNG.normal(size=(8, 4)).astype(np.float32), "actor.b": np.zeros(4, np.float32)},
    version=7,
    spec="0123456789abcdef",
    updates=700,
    stamp_ns=1_700_000_000_000_000_000,
)


def test_weights_come_back_as_they_were():
    back = Weights.from_bytes(WEIGHTS.to_bytes())
    assert replace(back, arrays={}) == replace(WEIGHTS, arrays={})
    assert layout(back.arrays) == layout(WEIGHTS.arrays)
    assert all(np.array_equal(back.arrays[n], WEIGHTS.arrays[n]) for n in WEIGHTS.arrays)
    assert back.sha256 == WEIGHTS.sha256


def test_equal_weights_give_equal_bytes_whatever_the_order_and_layout():
    turned = {
        name: np.asfortranarray(WEIGHTS.arrays[name]) for name in sorted(WEIGHTS.arrays)[::-1]
    }
    assert replace(WEIGHTS, arrays=turned).to_bytes() == WEIGHTS.to_bytes()


def test_any_tool_for_safetensors_reads_the_arrays():
    arrays = safetensors.numpy.load(WEIGHTS.to_bytes())
    assert np.array_equal(arrays["actor.w"], WEIGHTS.arrays["actor.w"])


@pytest.mark.parametrize(
    "other",
    [
        replace(WEIGHTS, version=8),
        replace(WEIGHTS, spec="f"),
        replace(WEIGHTS, updates=1),
        replace(WEIGHTS, stamp_ns=1),
        replace(WEIGHTS, rollback=True),
        replace(WEIGHTS, arrays={**WEIGHTS.arrays, "actor.b": np.ones(4, np.float32)}),
        replace(WEIGHTS, arrays={**WEIGHTS.arrays, "actor.b": np.zeros((2, 2), np.float32)}),
        replace(WEIGHTS, arrays={**WEIGHTS.arrays, "actor.b": np.zeros(4, np.int32)}),
    ],
)
def test_every_part_counts_for_the_hash(other):
    assert other.sha256 != WEIGHTS.sha256


def test_no_changed_or_missing_byte_goes_unnoticed():
    whole = WEIGHTS.to_bytes()
    rng = np.random.default_rng(1)
    for _ in range(1000):
        data = bytearray(whole)
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        try:
            back = Weights.from_bytes(bytes(data))
        except WeightsError:
            continue
        # A changed header may say the same in other words: then nothing that counts has changed.
        assert back.to_bytes() == whole
    for end in range(0, len(whole), 7):
        with pytest.raises(WeightsError):
            Weights.from_bytes(whole[:end])


@pytest.mark.parametrize("data", [b"", b"\0" * 8, b"\xff" * 100, b"\x02" + b"\0" * 7 + b"{}"])
def test_other_bytes_are_refused(data):
    with pytest.raises(WeightsError):
        Weights.from_bytes(data)


def test_safetensors_of_another_kind_are_refused():
    with pytest.raises(WeightsError):
        Weights.from_bytes(safetensors.numpy.save({"x": np.zeros(3)}))
    with pytest.raises(WeightsError):
        Weights.from_bytes(safetensors.numpy.save({"x": np.zeros(3)}, {"reverie": "{}"}))
