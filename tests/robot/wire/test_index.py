"""The quick way through a log gives what the slow one gives, whatever the bytes are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robot.wire.codec import encode
from robot.wire.index import LogIndex
from robot.wire.log import LogReader, LogWriter, log_files
from robot.wire.messages import Frame
from robot.wire.transition import Transition

Build = Callable[..., Transition]
COUNTERS = ("index", "episode", "step", "weights_version", "valid")
VALUES = ("reward", "is_first", "is_last", "is_terminal")


def write(folder: Path, steps: list[Transition], close: bool = True) -> Path:
    log = LogWriter(folder, "steps", {"plan": "{}"})
    for step in steps:
        log.append_transition(step, 0, step.stamps_ns["tick"])
    if close:
        log.close()
    return log.path


def open_index(folder: Path) -> LogIndex:
    return LogIndex(log_files(folder, "steps"))


def check_equal(index: LogIndex, steps: list[Transition]) -> None:
    assert len(index) == len(steps)
    for name in COUNTERS:
        assert index.rows[name].tolist() == [getattr(step, name) for step in steps]
    for name in VALUES:
        assert index.rows[name].tolist() == [step.arrays[name].item() for step in steps]
    assert index.rows["stamp_ns"].tolist() == [step.stamps_ns["tick"] for step in steps]
    for place, step in enumerate(steps):
        found = index.read(place, 1)
        assert found.keys() == step.arrays.keys()
        for name, value in step.arrays.items():
            assert found[name].dtype == value.dtype and np.array_equal(found[name][0], value)


def odd_steps(step: Build) -> list[Transition]:
    """Numbers of every length that msgpack has, invalid steps, a change of arrays, no ledger."""
    rng = np.random.default_rng(0)
    big = (127, 128, 255, 256, 65535, 65536, 2**31 - 1)
    steps = [
        replace(
            step(i, camera=rng.integers(0, 255, (4, 5, 3), np.uint8)),
            weights_version=big[i % 7],
            episode=big[-1 - i % 7],
            valid=i % 5 != 3,
            stamps_ns={"tick": big[i % 7] << (i % 32)},
            ledger_ns={} if i % 2 else {"inference": -i},
        )
        for i in range(40)
    ]
    steps += [step(i, mask=np.array([[True, False, bool(i % 2)]])) for i in range(300, 310)]
    return [replace(s, index=s.index + (1 << 33) * (s.index > 305)) for s in steps]


def test_an_index_reads_what_the_slow_reader_reads(tmp_path: Path, step: Build):
    write(tmp_path, odd_steps(step))
    write(tmp_path, [step(i, run="another run, of a longer name" * 3) for i in range(5)])
    with open_index(tmp_path) as index:
        slow = list(LogReader(tmp_path, "steps").transitions())
        check_equal(index, slow)
        quick = list(index.transitions(portion=7))
    bare = [replace(s, stamps_ns={"tick": s.stamps_ns["tick"]}, ledger_ns={}) for s in slow]
    assert [encode(s) for s in quick] == [encode(s) for s in bare]
    assert index.faults == [] and index.doubled == 0
    assert index.about == [{"plan": "{}"}] * 2
    assert index.streams == (("a1", "run"), ("a1", "another run, of a longer name" * 3))


def test_damage_gives_the_same_as_the_slow_reader_or_less_and_never_crashes(
    tmp_path: Path, step: Build
):
    path = write(tmp_path, [step(i) for i in range(12)])
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    for turn in range(60):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 1 + turn % 3):
            data[place] = int(rng.integers(256))
        path.write_bytes(data[: int(rng.integers(len(data)))] if turn % 2 else data)
        with open_index(tmp_path) as index:
            found = index.rows["index"].tolist()
            slow = [s.index for s in LogReader(tmp_path, "steps").transitions()]
            assert set(slow) <= set(found) <= set(range(12)) and found == sorted(found)
            assert len(found) == 12 or index.faults
            assert all(index.read(i, 1)["joint_pos"][0, 0] == at for i, at in enumerate(found))


def test_a_file_that_was_never_closed_says_so_and_gives_all(tmp_path: Path, step: Build):
    write(tmp_path, [step(i) for i in range(7)], close=False)
    index = open_index(tmp_path)
    assert len(index) == 7
    assert "not closed; whole to its end" in index.faults[0]


@pytest.mark.parametrize("portion", [64, 500, 4097, 1 << 20])
def test_other_topics_and_records_larger_than_a_portion_lie_between(
    tmp_path: Path, step: Build, monkeypatch: pytest.MonkeyPatch, portion: int
):
    monkeypatch.setattr("robot.wire.scan.PORTION", portion)
    log = LogWriter(tmp_path, "steps", {})
    picture = np.random.default_rng(2).integers(0, 255, (40, 40, 3), np.uint8)
    for i in range(6):
        log.append_transition(step(i, camera=picture + i), 0, 5)
        log.append("/frames/front", encode(Frame("front", 3, picture)))
        log.note("/events", {"i": i}, 6)
    log.close()
    index = open_index(tmp_path)
    assert index.rows["index"].tolist() == list(range(6)) and index.faults == []
    assert np.array_equal(index.read(4, 2)["camera"][1], picture + 5)


def test_streams_that_lie_interleaved_are_put_in_order_and_doubles_left_out(
    tmp_path: Path, step: Build
):
    both = [step(i, run=run) for i in range(8) for run in ("a", "b")]
    write(tmp_path, both[:10])
    write(tmp_path, both[6:])
    index = open_index(tmp_path)
    assert index.rows["index"].tolist() == [*range(8), *range(8)]
    assert index.doubled == 4
    assert index.streams == (("a1", "a"), ("a1", "b"))
    assert index.read(6, 4)["joint_pos"][:, 0].tolist() == [6, 7, 0, 1]


def slow_windows(steps: list[Transition], length: int) -> list[int]:
    """By looking at each window."""

    def joins(a: Transition, b: Transition) -> bool:
        goes_on = a.episode == b.episode and not a.arrays["is_last"]
        in_order = a.stream == b.stream and b.index == a.index + 1
        return bool(in_order and a.valid and b.valid and (b.arrays["is_first"] or goes_on))

    return [
        i
        for i in range(len(steps) - length + 1)
        if steps[i].valid and all(joins(steps[j], steps[j + 1]) for j in range(i, i + length - 1))
    ]


@pytest.mark.parametrize("length", [1, 2, 5, 12, 60])
def test_windows_are_those_without_a_gap(tmp_path: Path, step: Build, length: int):
    steps = [replace(step(i), valid=i != 17) for i in range(50) if i not in (30, 31)]
    steps += [step(i, run="other") for i in range(15)]
    steps[5] = replace(steps[5], episode=7)  # an episode that begins without is_first
    write(tmp_path, steps)
    index = open_index(tmp_path)
    assert index.windows(length).tolist() == slow_windows(steps, length)


def test_episodes_tell_their_rewards_and_whether_they_are_whole(tmp_path: Path, step: Build):
    write(tmp_path, [step(i) for i in range(24) if i != 15])
    found = open_index(tmp_path).episodes()
    assert [(e.number, e.first, e.count) for e in found] == [
        *((0, 0, 10), (1, 10, 5), (1, 15, 4), (2, 19, 4))
    ]
    assert [(e.begun, e.ended) for e in found] == [
        *((True, True), (True, False), (False, True), (True, False))
    ]
    assert found[0].reward == sum(i % 7 for i in range(10))


def test_a_stretch_of_transitions_holds_the_arrays_that_are_named(tmp_path: Path, step: Build):
    write(tmp_path, [step(i) for i in range(20)])
    with open_index(tmp_path) as index:
        some = list(index.transitions(3, 9, ["reward", "action"], portion=4))
    assert [s.index for s in some] == [3, 4, 5, 6, 7, 8]
    assert all(s.arrays.keys() == {"reward", "action"} for s in some)
    assert [float(s.arrays["reward"]) for s in some] == [i % 7 for i in range(3, 9)]


def test_what_is_not_there_is_refused_by_name(tmp_path: Path, step: Build):
    write(tmp_path, [step(i) for i in range(4)] + [step(4, extra=np.zeros(2))])
    index = open_index(tmp_path)
    assert index.read(1, 2, keys=["reward"]).keys() == {"reward"}
    with pytest.raises(IndexError, match="2 transitions from place 4 on; there are 5"):
        index.read(4, 2)
    with pytest.raises(ValueError, match="no array 'rewards'; there are action"):
        index.read(0, 1, keys=["rewards"])
    with pytest.raises(ValueError, match="differ in arrays"):
        index.read(3, 2)
    with pytest.raises(ValueError, match="length 0"):
        index.windows(0)


def test_no_files_and_empty_logs_are_an_empty_index(tmp_path: Path):
    assert len(open_index(tmp_path)) == 0
    write(tmp_path, [])
    index = open_index(tmp_path)
    assert len(index) == 0 and index.episodes() == [] and len(index.windows(3)) == 0
