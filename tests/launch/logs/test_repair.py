"""What can be read of a damaged log is kept, byte for byte, in a file that is whole again."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.stream_reader import StreamReader

from launch import cli
from launch.logs.repair import Repair, needs_repair, repair_file
from launch.logs.survey import survey
from robot.wire.bulk import Bulk
from robot.wire.codec import encode
from robot.wire.log import LogFile, LogWriter
from robot.wire.messages import Command
from robot.wire.transition import Transition

Build = Callable[..., Transition]
TICK_NS = 50_000_000
DIAGNOSIS = Path(__file__).with_name("diagnosis.py")
diagnose: Callable[[Path], list[str]] = runpy.run_path(str(DIAGNOSIS))["diagnose"]


def write(folder: Path, step: Build, count: int = 20) -> Path:
    """A robot of 20 Hz, its commands and a line for each episode."""
    log = LogWriter(folder, "robot", {"plan": '{"robot": {}}', "versions": "{}"})
    for i in range(count):
        command = Command(i, i * TICK_NS + 1, i * TICK_NS, np.full(12, i / 7, np.float64))
        log.append("/commands", encode(command, i, 0, i * TICK_NS + 1))
        log.append_transition(step(i), 0, i * TICK_NS + 2)
        if i % 10 == 9:
            log.note("/episodes", {"steps": 10, "return": i}, i * TICK_NS + 3)
    log.close()
    return log.path


def records(path: Path) -> list[tuple[str, bytes, int, int]]:
    return [(r.topic, r.data, r.stamp_ns, r.sequence) for r in LogFile(path).records()]


@pytest.fixture(autouse=True, params=[1 << 20, 1500], ids=["one chunk", "small chunks"])
def chunk_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("robot.wire.log.part.CHUNK_BYTES", request.param)
    return request.param


def repair(path: Path) -> Path:
    found = survey(path, Bulk())
    target = path.with_name("whole.mcap")
    repair_file(Repair(found, target, None))
    again = survey(target, Bulk())
    assert again.closed and not again.lost and not needs_repair(again)
    return target


def official(path: Path) -> list[tuple[str, bytes]]:
    with open(path, "rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        found = [(c.topic, m.data) for _, c, m in reader.iter_messages(log_time_order=False)]
    assert summary is not None and summary.statistics is not None
    assert summary.statistics.message_count == len(found)
    return found


def test_a_log_cut_at_any_byte_loses_at_most_a_tenth_of_a_second(
    tmp_path: Path, step: Build, chunk_bytes: int
):
    path = write(tmp_path, step)
    whole = path.read_bytes()
    ends = [r.end for r in LogFile(path).records()]
    before = records(path)
    for cut in np.random.default_rng(chunk_bytes).integers(0, len(whole), 100).tolist():
        path.write_bytes(whole[:cut])
        kept = records(repair(path))
        there = sum(end <= cut for end in ends)  # records that lie before the cut
        assert kept == before[:there]
        if there < len(before):
            newest = max((r[2] for r in kept), default=-TICK_NS)
            assert before[there][2] - newest <= 100_000_000


def test_behind_a_damaged_middle_reading_goes_on(tmp_path: Path, step: Build):
    path = write(tmp_path, step)
    whole, before = path.read_bytes(), records(path)
    ends = [0, *[r.end for r in LogFile(path).records()]]
    rng = np.random.default_rng(1)
    for _ in range(25):
        begin = int(rng.integers(ends[1], ends[-1] - 1500))
        length = int(rng.integers(1, 1500))
        damage = rng.integers(0, 256, length, np.uint8).tobytes()
        path.write_bytes(whole[:begin] + damage + whole[begin + length :])
        touched = [ends[i] < begin + length and begin < ends[i + 1] for i in range(len(before))]
        kept = records(repair(path))
        assert kept == [record for record in before if record in kept]
        # A record that was touched only in the channel's own one before it may be kept too.
        assert all(
            r in kept for r, is_touched in zip(before, touched, strict=True) if not is_touched
        )


def test_bytes_that_are_missing_or_too_many_cost_only_the_record_they_lie_in(
    tmp_path: Path, step: Build
):
    path = write(tmp_path, step)
    whole, before = path.read_bytes(), records(path)
    ends = [r.end for r in LogFile(path).records()]
    place = ends[20] + 100
    for data in (whole[:place] + whole[place + 3 :], whole[:place] + b"more" + whole[place:]):
        path.write_bytes(data)
        assert records(repair(path)) == before[:21] + before[22:]


def test_a_damaged_channel_record_loses_no_message_of_ours(tmp_path: Path, step: Build):
    path = write(tmp_path, step)
    whole, before = path.read_bytes(), records(path)
    place = whole.index(b"/transitions") - 30  # in the schema of transitions
    for cut in (len(whole), len(whole) - 3000):  # with the summary that repeats it, and without
        data = bytearray(whole[:cut])
        data[place : place + 60] = bytes(60)
        path.write_bytes(data)
        kept = records(repair(path))
        there = [r for r in before if r[0] == "/transitions"]
        mine = [r for r in kept if r[0] == "/transitions"]
        assert mine == there[: len(mine)] and len(mine) >= len(there) - 4


def test_a_repaired_file_is_one_for_the_official_reader_and_keeps_what_it_is_about(
    tmp_path: Path, step: Build
):
    path = write(tmp_path, step)
    before = records(path)
    path.write_bytes(path.read_bytes()[:-9])
    target = repair(path)
    assert official(target) == [(topic, data) for topic, data, *_ in before]
    assert diagnose(target) == []
    file = LogFile(target)
    assert list(file.records()) and file.fault == ""
    assert file.about == {"plan": '{"robot": {}}', "versions": "{}"}


def test_a_whole_file_copied_is_the_same_file(tmp_path: Path, step: Build):
    path = write(tmp_path, step)
    copied = records(repair(path))
    assert copied == records(path)
    with open(tmp_path / "whole.mcap", "rb") as file:
        kinds = [type(record).__name__ for record in StreamReader(file).records]
    assert kinds[-1] == "Footer" and "Statistics" in kinds


def test_what_is_written_is_healthy_and_what_is_not_is_found(tmp_path: Path, step: Build):
    path = write(tmp_path, step)
    whole = path.read_bytes()
    assert diagnose(path) == []
    with open(path, "rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    for index in summary.chunk_indexes:  # stamps in the head of a chunk
        data = bytearray(whole)
        data[index.chunk_start_offset + 9] ^= 1
        path.write_bytes(data)
        assert any("tells of" in said for said in diagnose(path))


def run(*arguments: object) -> int:
    return cli.main(["logs", "repair", *map(str, arguments)])


def test_in_place_keeps_the_original_beside_it(tmp_path: Path, step: Build):
    path = write(tmp_path / "log", step)
    cut = path.read_bytes()[:6000]
    path.write_bytes(cut)
    before = records(path)
    assert run(tmp_path / "log", "--in-place") == 0
    assert records(path) == before and survey(path, Bulk()).closed
    assert (tmp_path / "log/robot-0000.mcap.damaged").read_bytes() == cut
    assert sorted(p.name for p in (tmp_path / "log").iterdir()) == [
        *("robot-0000.mcap", "robot-0000.mcap.damaged")
    ]


def test_nothing_is_overwritten_unless_told_to(
    tmp_path: Path, step: Build, capsys: pytest.CaptureFixture[str]
):
    path = write(tmp_path, step)
    cut = path.read_bytes()[:6000]
    path.write_bytes(cut)
    assert run(path) == 0 and path.read_bytes() == cut
    target = tmp_path / "robot-0000.repaired.mcap"
    target.write_text("mine")
    assert run(path) == 2 and target.read_text() == "mine"
    assert "exists already; --force replaces it" in capsys.readouterr().err
    assert run(path, "--force") == 0 and survey(target, Bulk()).closed


def test_a_file_that_is_being_written_is_not_replaced(
    tmp_path: Path,
    step: Build,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr("launch.logs.targets.QUIET_S", 10.0)
    path = write(tmp_path, step)
    path.write_bytes(path.read_bytes()[:6000])
    assert run(path, "--in-place") == 2
    assert "was written to within the last 10 s" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["robot-0000.mcap"]
