"""Whole runs of the point mass: nothing in the chain knows legs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from launch import cli
from robot.policy.journal import LOG_NAME
from robot.wire.log import TRANSITIONS, LogReader

POINT_MASS = str(Path(__file__).parents[2] / "hardware_configs/point_mass.yaml")
SMALL = (
    *("learner.prefill=60", "learner.pretrain=2", "learner.batch=2", "learner.length=8"),
    *("learner.units=16", "learner.deter=16", "learner.layers=1", "learner.starts=4"),
    *("learner.stoch=2", "learner.classes=4", "learner.bins=15", "learner.sync_steps=10"),
    *("learner.depth=2", "learner.publish_s=0.3", "scheduling.realtime_priority=0"),
)


def words(run: Path, minutes: float, *more: str) -> list[str]:
    sets = [word for change in (*SMALL, *more) for word in ("--set", change)]
    return ["train", POINT_MASS, "--minutes", str(minutes), "--run", str(run), *sets]


def stream(run: Path) -> list[bytes]:
    return [record.data for record in LogReader(run / "log", LOG_NAME).records(TRANSITIONS)]


@pytest.mark.parametrize("twin", ["mujoco", "pybullet"])
def test_it_learns_in_lock_step_by_the_default_system_and_the_same_twice(
    tmp_path: Path, twin: str
) -> None:
    pytest.importorskip(twin)
    runs = [tmp_path / name for name in ("one", "two")]
    for run in runs:
        assert cli.main([*words(run, 0.1), "--twin", twin, "--clock", "lockstep"]) == 0
    one, two = map(stream, runs)
    assert one == two and len(one) == 120
    by_weights = Counter(
        step.weights_version for step in LogReader(runs[0] / "log", LOG_NAME).transitions()
    )
    assert len(by_weights) > 3 and max(n for v, n in by_weights.items() if v) <= 10  # sync_steps
    summary = json.loads((runs[0] / "summary.json").read_text())
    assert summary["updates"] > 5 and len(summary["episodes"]) == 2
    assert all(0 <= episode["reach"] <= 1 for episode in summary["episodes"])


def test_it_learns_from_pictures_too(tmp_path: Path) -> None:
    run = tmp_path / "run"
    seeing = ("cameras.front.observed=true", "learner.keys=[image_front, target]")
    assert cli.main([*words(run, 0.07, *seeing), "--twin", "mujoco", "--clock", "lockstep"]) == 0
    assert json.loads((run / "summary.json").read_text())["updates"] > 2


@pytest.mark.slow
def test_it_learns_in_real_time_with_every_process_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVERIE_SOCKETS", str(tmp_path))
    command = [sys.executable, "-m", "launch.cli", *words(tmp_path / "run", 0.15)]
    subprocess.run([*command, "--twin", "mujoco"], check=True, timeout=240)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["transitions"]["logged"] == summary["transitions"]["ingested"] >= 170
    assert summary["updates"] > 0 and summary["weights"]["applied"] > 0
    assert summary["policy_loop"]["hz"] == 20 and summary["inner_loop"]["hz"] == 60
