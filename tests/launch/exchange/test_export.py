"""`reverie export`: which log is taken, what is refused, and that OUT is whole or not there."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from launch import cli
from launch.exchange import arrays_write
from launch.exchange.source import Source
from robot.config.extras import how_to_install
from robot.wire.log import LogWriter
from robot.wire.transition import Transition

RERUN = find_spec("rerun") is not None


def write(
    folder: Path, steps: list[Transition], about: dict[str, str], name: str = "robot"
) -> Path:
    writer = LogWriter(folder, name, about)
    for step in steps:
        writer.append_transition(step, 0, 0)
    writer.close()
    return writer.path


def test_a_run_its_folder_of_logs_and_a_single_file_are_logs(log, tmp_path, steps):
    file = next((log / "log").iterdir())
    for path in (log, log / "log", file):
        assert Source(path).outline().steps == len(steps)
    write(tmp_path / "log", steps[:4], {})
    write(tmp_path / "log", steps[4:6], {})
    assert Source(tmp_path).outline().steps == 6  # all files of it, and
    assert Source(tmp_path / "log/robot-0001.mcap").outline().steps == 2


def test_what_a_log_says_of_itself_counts_before_what_can_be_measured(log, tmp_path, steps):
    said = Source(log).outline()
    assert (said.hz, said.task, said.episodes) == (25.0, "walk", 5)
    assert said.streams == (("rig", "one"), ("rig", "longer"))
    assert [line["upright"] for _, line in said.lines] == [0.25] * 4
    write(tmp_path / "spec", steps, {"spec": json.dumps({"control_hz": 12.5})})
    assert Source(tmp_path / "spec").outline().hz == 12.5
    write(tmp_path / "bare", [s for s in steps if s.run == "one"], {})
    assert Source(tmp_path / "bare").outline().hz == 25.0  # ticks lie 40 ms apart
    assert Source(tmp_path / "bare").outline(5.0, "reach").hz == 5.0
    assert Source(tmp_path / "bare").outline(5.0, "reach").task == "reach"


def test_a_log_that_grows_meanwhile_is_exported_as_far_as_it_was_looked_at(tmp_path, steps):
    mine = [s for s in steps if s.run == "one"]
    write(tmp_path / "log", mine[:6], {})
    source = Source(tmp_path)
    outline = source.outline()
    shutil.rmtree(tmp_path / "log")
    write(tmp_path / "log", mine, {})
    found = [s.index for episode in source.episodes(outline.steps) for s in episode]
    assert found == list(range(6))


def test_a_cut_file_gives_what_is_whole_and_says_so(log, tmp_path, capsys):
    file = tmp_path / "robot-0000.mcap"
    whole = next((log / "log").iterdir()).read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    assert cli.main(["export", str(file), "--to", "arrays", str(tmp_path / "out")]) == 0
    assert "cut or damaged" in capsys.readouterr().out
    assert list((tmp_path / "out").glob("*.npz"))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nowhere", "--to", "arrays", "out"], ["nowhere", ".mcap"]),
        (["empty", "--to", "arrays", "out"], ["empty", "no step"]),
        (["two", "--to", "arrays", "out"], ["learner, robot"]),
        (["mixed", "--to", "arrays", "out"], ["step 2 of one", "'extra'", "missing"]),
        (["still", "--to", "arrays", "out"], ["--hz"]),
        (["good", "--to", "arrays", "good"], ["good", "exists already"]),
        (["good", "--to", "rerun", "out"], ["out", "rrd"] if RERUN else ['".[rerun]"']),
        (["good", "--to", "rosbag", "out"], ["rosbag", "lerobot"]),
        (["good", "--to", "arrays", "out", "--hz", "-1"], ["--hz", "-1", "above 0"]),
        (["good", "--to", "lerobot", "out", "--pictures", "gif"], ["gif", "'png'"]),
    ],
)
def test_bad_input_is_one_clear_line_and_writes_nothing(
    arguments, named, tmp_path, monkeypatch, capsys, steps
):
    monkeypatch.chdir(tmp_path)
    one = steps[:4]
    write(Path("empty"), [], {})
    write(Path("two"), one, {})
    write(Path("two"), one, {}, "learner")
    strange = replace(one[2], arrays={**one[2].arrays, "extra": one[2].arrays["mask"]})
    write(Path("mixed"), [*one[:2], strange], {})
    write(Path("still"), [replace(step, stamps_ns={}) for step in one], {})
    write(Path("good"), one, {})
    before = sorted(Path().rglob("*"))
    assert cli.main(["export", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("reverie export: ") and said.count("\n") == 1
    assert [word for word in named if word not in said] == []
    assert sorted(Path().rglob("*")) == before


def test_a_missing_extra_is_named(log, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["export", str(log), "--to", "rerun", str(tmp_path / "out.rrd")]) == 2
    assert how_to_install("rerun") in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_behind(log, tmp_path, monkeypatch, capsys):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arrays_write.ArraysWriter, "close", full)
    assert cli.main(["export", str(log), "--to", "arrays", str(tmp_path / "out")]) == 1
    assert "No space left" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
