"""Imported logs: what a reader finds in them, DayDreamer's episodes, and the real Go2."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from launch.importing import writing
from launch.importing.episode import described
from launch.importing.run import run_import
from launch.importing.writing import write_log
from learner.train.ingest import fits
from learner.train.replay import Replay
from learner.train.sampling import UniformChunks
from robot.config import ConfigError
from robot.policy.journal import EPISODES, LOG_NAME
from robot.wire.log import LogFile, LogReader, LogWriter, log_files
from robot.wire.transition import Transition

ROOT = Path(__file__).parents[3]
GO2_MAP = ROOT / "hardware_configs/maps/go2_sysid.yaml"
# Recordings are no part of the project: a folder beside the checkout, or where this says.
RECORDINGS = Path(os.environ.get("REVERIE_RECORDINGS", ROOT.parent / "recordings"))
GO2 = RECORDINGS / "go2_sysid/20250617_motor_response_real_200Hz.csv"


def steps_of(log: Path) -> list[Transition]:
    return list(LogReader(log, LOG_NAME).transitions())


def about(log: Path) -> dict[str, str]:
    file = LogFile(log_files(log, LOG_NAME)[0])
    list(file.records())
    assert not file.fault
    return file.about


def make_recording(folder: Path) -> tuple[Path, Path]:
    """Twelve rows at 10 Hz, in two episodes; one number is missing."""
    lines = [f"{i},{'' if i == 2 else i / 4},{-i / 20},{i // 6}" for i in range(12)]
    (folder / "data.csv").write_text("\n".join(["row,x,u,e", *lines]))
    plan = {
        "robot": "cart",
        "source": "made by hand",
        "clock": {"rate_hz": 10},
        "control_hz": 10,
        "observation": {"place": {"columns": "x", "unit": "m", "low": 0, "high": 4}},
        "action": {"columns": "u", "unit": "N", "low": -1, "high": 1},
        "episodes": {"column": "e"},
    }
    (folder / "map.yaml").write_text(yaml.safe_dump(plan))
    return folder / "data.csv", folder / "map.yaml"


def test_a_log_of_a_recording_is_one_like_our_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data, plan = make_recording(tmp_path)
    out = tmp_path / "log"
    assert run_import([data], out, plan) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "12 steps at 10 Hz" in said and "columns not used: row" in said and "NaN" in said
    steps = steps_of(out)
    assert [s.index for s in steps] == list(range(12))
    assert [(s.episode, s.step) for s in steps] == [(e, i) for e in (0, 1) for i in range(6)]
    assert [s.valid for s in steps] == [i != 2 for i in range(12)]
    assert [bool(s.arrays["is_first"]) for s in steps] == [i % 6 == 0 for i in range(12)]
    assert [bool(s.arrays["is_last"]) for s in steps] == [i % 6 == 5 for i in range(12)]
    assert steps[7].arrays["place"] == np.float32(7 / 4)
    assert steps[7].arrays["action"] == pytest.approx(-7 / 20)
    assert steps[7].stamps_ns == {"tick": 700_000_000, "sensors": 700_000_000}
    spec = described(about(out)["spec"])
    assert (spec.control_hz, spec.observation["place"].unit) == (10, "m")
    assert spec.observation["place"].centre == 2 and spec.observation["place"].scale == 2
    replay = Replay(spec, 100, UniformChunks(), 0)
    for step in steps:
        fits(spec)(step)
        replay.add(step)
    assert replay.sample(4, 4)["place"].shape == (4, 4, 1)
    assert [line["steps"] for line in LogReader(out, LOG_NAME).notes(EPISODES)] == [6, 6]


def test_the_log_tells_where_it_comes_from_and_what_it_lacks(tmp_path: Path):
    data, plan = make_recording(tmp_path)
    run_import([data], tmp_path / "log", plan, ["robot=other"])
    told = json.loads(about(tmp_path / "log")["import"])
    assert told["map"]["source"] == "made by hand" and told["map"]["robot"] == "other"
    (fault,) = told["faults"]
    assert (fault["kind"], fault["row"], fault["what"]) == ("NaN", 2, "x")
    assert len(told["files"]["data.csv"]) == 64


def test_nothing_is_written_over_and_nothing_is_left_of_half_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data, plan = make_recording(tmp_path)
    (tmp_path / "log").mkdir()
    with pytest.raises(ConfigError, match="--out .*log"):
        run_import([data], tmp_path / "log", plan)

    class Full(LogWriter):
        def append(self, topic: str, data: bytes) -> None:
            raise OSError("no space left")

    monkeypatch.setattr(writing, "LogWriter", Full)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(OSError, match="no space"):
        run_import([data], tmp_path / "other", plan)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    with pytest.raises(ConfigError):
        write_log(tmp_path / "log", "cart", 10, [], {})


def make_daydreamer(folder: Path, name: str, start: float, choices: bool = False) -> Path:
    """An episode of 4 records as its release writes them: a record's action led to it."""
    action = np.array([[0, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    if not choices:
        action = action * 0.5
    arrays = {
        "vector": np.arange(start, start + 8, dtype=np.float32).reshape(4, 2),
        "image": np.full((4, 64, 64, 3), 7, np.uint8),
        "speed": np.arange(4, dtype=np.float32),
        "reward": np.array([0, 1, 2, 3], np.float32),
        "is_first": np.array([True, False, False, False]),
        "is_last": np.array([False, False, False, True]),
        "is_terminal": np.array([False, False, False, start > 0]),
        "action": action,
        "reset": np.array([True, False, False, False]),
        "log_other": np.zeros(4, np.float32),
    }
    np.savez_compressed(folder / name, **arrays)
    return folder / name


def test_daydreamers_episodes_get_each_action_where_it_was_chosen(tmp_path: Path):
    episodes = tmp_path / "episodes"
    episodes.mkdir()
    make_daydreamer(episodes, "20220615T101000-b-len4-rew6.npz", 8)
    make_daydreamer(episodes, "20220615T100000-a-len4-rew6.npz", 0)
    run_import([episodes], tmp_path / "log", hz=20, robot="a1")
    steps = steps_of(tmp_path / "log")
    spec = described(about(tmp_path / "log")["spec"])
    assert list(spec.observation) == ["image", "speed", "vector"]
    assert spec.observation["image"].is_image and spec.observation["speed"].shape == (1,)
    assert not spec.action.is_discrete
    for step in steps:
        fits(spec)(step)
    assert [s.arrays["vector"][0] for s in steps] == [0, 2, 4, 6, 8, 10, 12, 14]
    assert [s.arrays["action"].tolist() for s in steps[:4]] == [
        [0.5, 0],
        [0, 0.5],
        [0.5, 0],
        [0, 0],
    ]
    assert [float(s.arrays["reward"]) for s in steps[:4]] == [0, 1, 2, 3]
    assert [bool(s.arrays["is_terminal"]) for s in steps] == [False] * 7 + [True]
    assert {s.stream for s in steps} == {("a1", "a1-daydreamer")}
    assert steps[5].stamps_ns["tick"] == 250_000_000


def test_daydreamers_choices_stay_choices(tmp_path: Path):
    file = make_daydreamer(tmp_path, "one.npz", 0, choices=True)
    run_import([file], tmp_path / "log", hz=2, robot="xarm")
    assert described(about(tmp_path / "log")["spec"]).action.is_discrete


def test_what_is_no_episode_of_daydreamer_is_told(tmp_path: Path):
    file = make_daydreamer(tmp_path, "one.npz", 0)
    with pytest.raises(ConfigError, match="--hz"):
        run_import([file], tmp_path / "log", robot="a1")
    with pytest.raises(ConfigError, match="no npz"):
        run_import([Path(__file__).parent], tmp_path / "log", hz=20, robot="a1")
    np.savez(tmp_path / "two.npz", x=np.zeros(3))
    with pytest.raises(ConfigError, match="--map"):
        run_import([tmp_path / "two.npz"], tmp_path / "log", hz=20, robot="a1")
    other = {**np.load(file), "vector": np.zeros((4, 3), np.float32)}
    np.savez(tmp_path / "three.npz", **other)
    with pytest.raises(ConfigError, match=r"three.npz: has .*vector \[3\].*vector \[2\]"):
        run_import([file, tmp_path / "three.npz"], tmp_path / "log", hz=20, robot="a1")
    other = {**np.load(file), "vector": np.full((4, 2), np.nan, np.float32)}
    np.savez(tmp_path / "four.npz", **other)
    with pytest.raises(ConfigError, match="four.npz: vector is not finite in row 0"):
        run_import([tmp_path / "four.npz"], tmp_path / "log", hz=20, robot="a1")
    assert not (tmp_path / "log").exists()


@pytest.mark.skipif(not GO2.is_file(), reason="the recording of the Go2 is not here")
def test_the_real_go2_comes_in_as_it_was_recorded(tmp_path: Path):
    run_import([GO2], tmp_path / "log", GO2_MAP)
    with open(GO2, newline="") as file:
        rows = list(csv.DictReader(file))
    steps = steps_of(tmp_path / "log")
    assert len(steps) == 1 + (len(rows) - 1 - 10) // 4  # every fourth row from row 10 on
    assert all(step.valid for step in steps)
    low, high = np.array([-0.6, -0.1, -1.8] * 4), np.array([0.6, 1.4, -0.2] * 4)
    for number in (0, 1, 1000, len(steps) - 1):
        row, arrays = rows[10 + 4 * number], steps[number].arrays
        for key, column in (("joint_pos", "jpos{}"), ("joint_vel", "jvel{}")):
            wanted = [float(row[column.format(j)]) for j in range(12)]
            assert np.allclose(arrays[key], wanted, atol=1e-6)
        wanted = [float(row[f"jpos{j}_des"]) for j in range(12)]
        assert np.allclose((arrays["action"] + 1) / 2 * (high - low) + low, wanted, atol=1e-6)
