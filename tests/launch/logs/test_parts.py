"""Parts of logs, logs joined, and logs that lose a part: nothing else changes."""

from __future__ import annotations

import io
import json
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from launch import cli
from launch.logs.info import sparkline
from robot.wire.index import LogIndex
from robot.wire.log import LogFile, log_files

Write = Callable[..., Path]
DIAGNOSIS = Path(__file__).with_name("diagnosis.py")
diagnose: Callable[[Path], list[str]] = runpy.run_path(str(DIAGNOSIS))["diagnose"]


def indices(folder: Path) -> list[int]:
    return LogIndex(log_files(folder, "robot")).rows["index"].tolist()


def notes(folder: Path, topic: str) -> list[dict[str, object]]:
    files = log_files(folder, "robot")
    return [json.loads(r.data) for p in files for r in LogFile(p).records() if r.topic == topic]


def messages(folder: Path, topic: str) -> list[bytes]:
    files = log_files(folder, "robot")
    return [r.data for p in files for r in LogFile(p).records() if r.topic == topic]


def run(*arguments: object) -> int:
    return cli.main(["logs", *map(str, arguments)])


def sound(folder: Path) -> bool:
    ill = [said for path in log_files(folder, "robot") for said in diagnose(path)]
    return run("check", folder) == 0 and not ill


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        (("--indices", "13:57"), range(13, 57)),
        (("--episodes", "2:4"), range(20, 40)),
        (("--episodes", "5:"), range(50, 80)),
        (("--minutes", ":0.0125"), range(0, 15)),
    ],
)
def test_a_cut_holds_the_chosen_steps_and_what_belongs_to_them(
    tmp_path: Path, record: Write, chosen: tuple[str, str], kept: range
):
    for first in (0, 30, 45):
        record(tmp_path / "log", range(first, {0: 30, 30: 45, 45: 80}[first]))
    before = dict(
        zip(indices(tmp_path / "log"), messages(tmp_path / "log", "/transitions"), strict=True)
    )
    out = tmp_path / "out"
    assert run("cut", tmp_path / "log", *chosen, "--out", out) == 0
    assert indices(out) == list(kept)
    assert messages(out, "/transitions") == [before[i] for i in kept]
    assert len(messages(out, "/commands")) == len(kept)
    ended = [i // 10 for i in kept if i % 10 == 9]
    assert [note["episode"] for note in notes(out, "/episodes")] == ended
    versions = {i // 20 for i in kept}
    assert versions <= {note["version"] for note in notes(out, "/weights")}
    assert len(list((out / "weights").iterdir())) == len(versions)
    file = LogFile(log_files(out, "robot")[0])
    assert list(file.records()) and json.loads(file.about["plan"])["system"] == "reverie"
    assert sound(out)


def test_a_range_that_is_none_or_holds_nothing_is_refused(
    tmp_path: Path, record: Write, capsys: pytest.CaptureFixture[str]
):
    record(tmp_path / "log", range(0, 20))
    for words, told in {
        ("--indices", "20:30"): "no transition",
        ("--indices", "7"): "allowed is FIRST:END",
        ("--indices", "9:3"): "9 is not below 3",
        ("--indices", ":"): "allowed is FIRST:END",
        ("--indices", "1:2", "--episodes", "1:2"): "got 2",
        (): "got 0",
    }.items():
        assert run("cut", tmp_path / "log", *words, "--out", tmp_path / "out") == 2
        assert told in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_folder_is_not_overwritten_unless_told_to_and_never_with_other_files(
    tmp_path: Path, record: Write, capsys: pytest.CaptureFixture[str]
):
    record(tmp_path / "log", range(0, 20))
    words = ("cut", tmp_path / "log", "--indices", "3:5", "--out")
    assert run(*words, tmp_path / "out") == 0
    assert run(*words, tmp_path / "out") == 2
    assert "exists already; --force replaces it" in capsys.readouterr().err
    assert run(*words, tmp_path / "out", "--force") == 0 and indices(tmp_path / "out") == [3, 4]
    assert run(*words, tmp_path / "log", "--force") == 2
    assert "which is read" in capsys.readouterr().err
    (tmp_path / "out/mine.txt").write_text("mine")
    assert run(*words, tmp_path / "out", "--force") == 2
    assert "holds more than logs" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "out"]


def test_logs_of_one_run_are_joined_in_order_without_doubles(tmp_path: Path, record: Write):
    record(tmp_path / "all", range(0, 80))
    for name, part in {"b": range(20, 50), "a": range(0, 30), "c": range(45, 80)}.items():
        record(tmp_path / name, part)
    parts = (tmp_path / "b", tmp_path / "a", tmp_path / "c")
    assert run("merge", *parts, "--out", tmp_path / "out") == 0
    assert indices(tmp_path / "out") == list(range(80))
    for topic in ("/transitions", "/commands"):
        assert messages(tmp_path / "out", topic) == messages(tmp_path / "all", topic)
    assert len(list((tmp_path / "out/weights").iterdir())) == 4
    assert sound(tmp_path / "out")


def test_logs_of_several_runs_come_into_one_folder_a_file_each(tmp_path: Path, record: Write):
    record(tmp_path / "a", range(0, 20))
    record(tmp_path / "b", range(0, 30), run="other")
    assert run("merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out") == 0
    index = LogIndex(log_files(tmp_path / "out", "robot"))
    assert index.streams == (("a1", "run"), ("a1", "other")) and len(index) == 50
    assert len(index.paths) == 2 and sound(tmp_path / "out")


def test_logs_that_contradict_each_other_are_not_joined(
    tmp_path: Path, record: Write, capsys: pytest.CaptureFixture[str]
):
    record(tmp_path / "a", range(0, 20))
    record(tmp_path / "b", range(10, 30), valid=False)
    assert run("merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out") == 2
    assert "differ at index 10 of a1 run" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_pruning_asks_and_drops_only_what_it_told(
    tmp_path: Path,
    record: Write,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    record(tmp_path, range(0, 40))
    record(tmp_path, range(40, 80))
    before = [path.read_bytes() for path in log_files(tmp_path, "robot")]
    words = ("prune", tmp_path, "--topics", "/comm*", "--keep-episodes", 6, "--unused-weights")
    for answer in ("no\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert run(*words) == 0
        said = capsys.readouterr().out
        assert "/commands: 80 records" in said and "2 episodes before 2, 20 transitions" in said
        assert "1 of 4 weights" in said and "nothing was dropped" in said
        assert [path.read_bytes() for path in log_files(tmp_path, "robot")] == before
    kept = messages(tmp_path, "/transitions")[20:]
    assert run(*words, "--yes") == 0
    assert indices(tmp_path) == list(range(20, 80))
    assert messages(tmp_path, "/transitions") == kept and not messages(tmp_path, "/commands")
    assert [note["episode"] for note in notes(tmp_path, "/episodes")] == list(range(2, 8))
    assert len(list((tmp_path / "weights").iterdir())) == 3
    assert sound(tmp_path)


def test_pruning_a_whole_file_removes_it(tmp_path: Path, record: Write):
    record(tmp_path, range(0, 40))
    newest = record(tmp_path, range(40, 80))
    whole = newest.read_bytes()
    assert run("prune", tmp_path, "--keep-episodes", 4, "--yes") == 0
    assert log_files(tmp_path, "robot") == [newest] and newest.read_bytes() == whole


def test_pruning_refuses_what_it_must_not_drop(
    tmp_path: Path, record: Write, capsys: pytest.CaptureFixture[str]
):
    path = record(tmp_path, range(0, 20))
    for words, told in {
        (): "name --topics",
        ("--topics", "/none"): "no such topic; there are /weights",
        ("--topics", "/*"): "transitions go by --keep-episodes only",
        ("--keep-episodes", -1): "allowed is 0 or more",
    }.items():
        assert run("prune", tmp_path, *words, "--yes") == 2
        assert told in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:-9])
    assert run("prune", tmp_path, "--topics", "/commands", "--yes") == 2
    assert "reverie logs repair it first" in capsys.readouterr().err


def test_info_tells_what_is_in_a_log(
    tmp_path: Path, record: Write, capsys: pytest.CaptureFixture[str]
):
    record(tmp_path, range(0, 60))
    assert run("info", tmp_path, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["robot"], told["task"], told["system"]) == ("a1", "walk", "reverie")
    assert told["topics"]["/transitions"]["count"] == 60
    assert told["topics"]["/commands"]["rate_hz"] == 20
    (stream,) = told["streams"]
    assert stream["minutes"] == 0.05 and stream["indices"] == [0, 59]
    assert stream["weights_versions"] == {"0": 20, "1": 20, "2": 20}
    assert [e["return"] for e in stream["episodes"]] == [
        sum(i % 7 for i in range(10 * e, 10 * e + 10)) for e in range(6)
    ]
    assert sorted(told["weights"]) == ["0", "1", "2"] and told["faults"] == []
    assert run("info", tmp_path) == 0
    said = capsys.readouterr().out
    assert "6 episodes" in said and "0 to 59, 0.05 minutes" in said and "/commands" in said


def test_a_sparkline_shows_the_lowest_and_the_highest():
    assert sparkline([0, 1, 2]) == "▁▅█" and sparkline([]) == "" and sparkline([3]) == "▁"
    assert len(sparkline(range(1000))) == 60
