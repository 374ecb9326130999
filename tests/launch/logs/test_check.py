"""Everything that makes a log unsound is found, and nothing is said of a sound one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from launch import cli
from launch.logs.official import second_opinion
from launch.logs.survey import survey
from robot.wire.bulk import Bulk
from robot.wire.codec import encode
from robot.wire.log import LogFile, LogWriter
from robot.wire.messages import Command
from robot.wire.transition import Transition

Write = Callable[..., Path]
Build = Callable[..., Transition]
PLAN = json.dumps({"robot": {"control": {"control_hz": 20}}})


def check(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, findings and remarks, a line each."""
    code = cli.main(["logs", "check", str(path), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["sound"] == (code == 0)
    lines = [
        "\n".join(f"{f['where']}: {f['what']}" for log in told["logs"] for f in log[kind])
        for kind in ("findings", "remarks")
    ]
    return code, lines[0], lines[1]


def test_a_sound_log_is_sound(tmp_path: Path, record: Write, capsys: pytest.CaptureFixture[str]):
    record(tmp_path, range(0, 40))
    record(tmp_path, range(40, 70))
    assert check(tmp_path, capsys) == (0, "", "")
    assert cli.main(["logs", "check", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "sound" in said and "unsound" not in said and "robot-0001.mcap" in said


def test_a_run_s_folder_is_checked_whole(
    tmp_path: Path, record: Write, capsys: pytest.CaptureFixture[str]
):
    record(tmp_path / "log", range(0, 20))
    path = record(tmp_path / "ingest", range(0, 20))
    path = path.rename(path.with_name("learner-0000.mcap"))
    path.write_bytes(path.read_bytes()[:-5])
    code, findings, _ = check(tmp_path, capsys)
    assert code == 1 and findings.startswith("learner-0000.mcap: not closed")


def test_files_that_are_cut_or_damaged_are_named(
    tmp_path: Path, record: Write, capsys: pytest.CaptureFixture[str]
):
    path = record(tmp_path, range(0, 20))
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    code, findings, _ = check(path, capsys)
    assert code == 1 and "robot-0000.mcap: not closed" in findings
    assert "bytes cannot be read" in findings
    data = bytearray(whole)
    place = [r.end for r in LogFile(path).records()][5] + 120
    data[place] ^= 1
    path.write_bytes(data)
    code, findings, _ = check(path, capsys)
    assert code == 1 and "bytes cannot be read, from byte" in findings
    data = bytearray(whole)
    data[-20] ^= 1  # in the footer
    path.write_bytes(data)
    code, findings, _ = check(path, capsys)
    assert code == 1 and "its summary is damaged" in findings


def test_what_is_no_log_has_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "robot-0000.mcap").write_bytes(b"some other file" * 100)
    for path in (tmp_path / "robot-0000.mcap", tmp_path, tmp_path / "nowhere"):
        assert cli.main(["logs", "check", str(path)]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and str(path) in said


def write(folder: Path, steps: list[Transition]) -> Path:
    log = LogWriter(folder, "robot", {"plan": PLAN})
    for step in steps:
        log.append_transition(step, 0, step.stamps_ns["tick"])
    log.close()
    return log.path


def changed(steps: list[Transition], at: int, **arrays: object) -> list[Transition]:
    content = {**steps[at].arrays, **{k: np.array(v) for k, v in arrays.items()}}
    return [*steps[:at], replace(steps[at], arrays=content), *steps[at + 1 :]]


def test_each_fault_of_the_steps_is_told(
    tmp_path: Path, step: Build, capsys: pytest.CaptureFixture[str]
):
    good = [step(i) for i in range(40)]
    nan = np.full(12, np.nan, np.float32)
    slow = [replace(s, stamps_ns={"tick": s.index * 80_000_000}) for s in good]
    still = [replace(s, stamps_ns={"tick": 10**9 + s.index * 10**7 * (s.index < 30)}) for s in good]
    faults = {
        "3 missing: indices 12 to 14": good[:12] + good[15:],
        "2 (index 8, 9) logged again": good[:10] + good[8:],
        "1 (index 6) out of order": [*good[:6], *good[7:12], good[6], *good[12:]],
        "is_first is not at step 0: 1 (index 5)": changed(good, 5, is_first=True),
        "is_first within an episode: 1 (index 5)": changed(good, 5, is_first=True),
        "episode begins without is_first: 1 (index 10)": changed(good, 10, is_first=False),
        "episode ends without is_last: 1 (index 10)": changed(good, 9, is_last=False),
        "episode goes on behind its is_last: 1 (index 6)": changed(good, 5, is_last=True),
        "is_terminal without is_last: 1 (index 3)": changed(good, 3, is_terminal=True),
        "step does not count up": [*good[:5], replace(good[5], step=7), *good[6:]],
        "episode's number goes back": [*good[:30], *[replace(s, episode=1) for s in good[30:]]],
        "NaN or infinity: 1 (index 7)": changed(good, 7, joint_pos=nan),
        "12.5 steps per second; declared are 20": slow,
        "ticks do not go forward": still,
    }
    for number, (fault, steps) in enumerate(faults.items()):
        write(tmp_path / str(number), steps)
        code, findings, _ = check(tmp_path / str(number), capsys)
        assert code == 1 and fault in findings, fault


def test_what_may_happen_is_a_remark(
    tmp_path: Path, step: Build, capsys: pytest.CaptureFixture[str]
):
    good = [step(i) for i in range(30)]
    bad = changed(good, 25, joint_pos=np.full(12, np.nan, np.float32))
    bad[25] = replace(bad[25], valid=False)
    again = [replace(s, episode=s.episode + 1, step=s.index - 15) for s in bad[15:20]]
    again = changed(again, 0, is_first=True)
    write(tmp_path, good[5:15])
    write(tmp_path, again + [replace(s, episode=s.episode + 1) for s in bad[20:27]])
    code, findings, remarks = check(tmp_path, capsys)
    assert (code, findings) == (0, "")
    for told in ("begins at index 5", "episode 1 was cut short where robot-0000.mcap ends"):
        assert told in remarks
    assert "marked as not valid: 1 (index 25)" in remarks and "is not finished" in remarks


def test_other_topics_are_held_to_their_rate_and_to_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    log = LogWriter(tmp_path, "robot", {"plan": PLAN})
    for i in [*range(30), 3]:
        command = Command(i, 0, 1 + i * 10**8, np.zeros(12))
        log.append("/commands", encode(command, i, 0, i * 10**8))
    log.close()
    code, findings, _ = check(tmp_path, capsys)
    assert code == 1 and "/commands: 10 per second; declared are 20" in findings
    assert "/commands: stamps go back 1 times" in findings


def test_weights_that_are_missing_or_damaged_are_named(
    tmp_path: Path, record: Write, capsys: pytest.CaptureFixture[str]
):
    record(tmp_path, range(0, 60))
    first, second, _ = sorted((tmp_path / "weights").iterdir())
    first.write_bytes(b"other bytes")
    second.unlink()
    code, findings, remarks = check(tmp_path, capsys)
    assert code == 1 and f"weights/{first.name}: damaged" in findings
    assert "1 of 3 versions are not in" in remarks


def test_the_official_reader_contradicts_where_it_counts_otherwise(tmp_path: Path, record: Write):
    found = survey(record(tmp_path, range(0, 20)), Bulk())
    assert second_opinion(found) == ""
    found.topics["/commands"].count += 1
    assert "20 messages on /commands; there are 21" in second_opinion(found)
    found.path.write_bytes(found.path.read_bytes()[:-40])
    assert "the official reader refuses it" in second_opinion(found)
