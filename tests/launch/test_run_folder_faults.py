"""A run's folder in which something is not what it should be is refused, and stays as it is."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from launch import cli
from launch.run_folder import RunFolder
from robot.config import ConfigError

ROOT = Path(__file__).parents[2]
POINT_MASS = str(ROOT / "hardware_configs/point_mass.yaml")


@dataclass(frozen=True)
class Planned:
    """A plan of nothing."""

    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {"seed": self.seed}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


@pytest.mark.parametrize("name", ["log", "ingest", "checkpoints", "tensorboard", "output"])
def test_a_file_where_a_folder_belongs_is_refused_before_anything_is_done(
    tmp_path: Path, name: str
):
    folder = RunFolder(tmp_path / "run")
    folder.claim(Planned())
    (folder.path / name).write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(ConfigError, match=f"run: its {name} is a file; it must be a folder"):
        folder.claim(Planned())
    assert contents(tmp_path) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_to_is_refused(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
):
    def refuse(dir: Path) -> None:
        raise OSError(number, os.strerror(number), str(dir))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(ConfigError, match=f"cannot be written .*: {os.strerror(number)}"):
        RunFolder(tmp_path / "run").claim(Planned())
    assert contents(tmp_path / "run") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not the plan of a run: Expecting"),
        ("[]", "not the plan of a run: must be a JSON object"),
        ("3", "not the plan of a run: must be a JSON object"),
        ("{}", "of another kind of run: lacks seed"),
        (None, "not the plan of a run: .*Is a directory"),
    ],
)
def test_a_plan_that_cannot_be_read_is_refused(tmp_path: Path, text: str | None, said: str):
    folder = RunFolder(tmp_path)
    folder.plan_file.mkdir() if text is None else folder.plan_file.write_text(text)
    with pytest.raises(ConfigError, match=f"plan.json: {said}"):
        folder.claim(Planned())


@pytest.mark.parametrize("command", ["evaluate run", f"act {POINT_MASS} --run run", "adapt run"])
def test_a_plan_of_an_unknown_system_names_its_file(
    tmp_path: Path,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    keys = ("robot", "settings", "system", "preset", "twin", "clock", "seed")
    Path("run").mkdir()
    Path("run/plan.json").write_text(json.dumps({**dict.fromkeys(keys, {}), "system": "dreams"}))
    before = contents(tmp_path)
    assert cli.main(command.split()) == 2
    said = capsys.readouterr().err
    assert "run/plan.json: system: unknown 'dreams'" in said and said.count("\n") == 1
    assert contents(tmp_path) == before


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_summary_that_cannot_be_read_gives_no_result(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    Path("run/summary.json").write_text(text)
    before = contents(tmp_path)
    assert cli.main(["result", "run", "--out", "kept.json"]) == 2
    said = capsys.readouterr().err
    assert "run/summary.json: not the summary of a run" in said and said.count("\n") == 1
    assert contents(tmp_path) == before
