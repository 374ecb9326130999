"""Runs that were recorded once and are kept: today's code must act as it did then.

Where an intended change makes them differ, record them anew: `train` in conftest.py with 90 steps
of the point mass and 70 of the A1 (see `legs`), and copy their `log` folders here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from launch.bench import cpu_model
from launch.replay.lives import read_lives
from launch.replay.verify import verify
from launch.run_folder import versions

CONFIGS = Path(__file__).parents[3] / "hardware_configs"
RECORDED = Path(__file__).parent / "recorded"
MADE_ON = json.loads((RECORDED / "made_on.json").read_text())


@pytest.mark.parametrize(("robot", "steps"), [("point_mass", 90), ("a1", 70)])
def test_a_kept_run_acts_as_it_did(robot: str, steps: int):
    here = {name: versions()[name] for name in MADE_ON["versions"]}
    if (cpu_model(Path("/proc/cpuinfo")), here) != (MADE_ON["cpu"], MADE_ON["versions"]):
        pytest.skip(f"bit for bit holds on one kind of computer; these were made on {MADE_ON}")
    (life,) = read_lives(RECORDED / robot)
    verdict = verify(life)
    assert verdict.fault == "" and (verdict.same, verdict.steps) == (steps, steps)
    assert {step.weights_version for step in life.steps()} > {0}


@pytest.mark.slow
def test_a_run_of_real_processes_acts_as_it_did(tmp_path: Path, small: tuple[str, ...]):
    changes = (*small, "learner.publish_s=0.3", "scheduling.realtime_priority=0")
    sets = [word for change in changes for word in ("--set", change)]
    run, reverie = tmp_path / "run", [sys.executable, "-m", "launch.cli"]
    robot = ["train", str(CONFIGS / "point_mass.yaml"), "--twin", "mujoco", "--minutes", "0.15"]
    environment = {**os.environ, "REVERIE_SOCKETS": str(tmp_path)}
    subprocess.run(
        [*reverie, *robot, "--run", str(run), *sets], env=environment, check=True, timeout=240
    )
    (life,) = read_lives(run)
    assert life.process == "act"
    verdict = verify(life)
    assert verdict.holds and verdict.steps >= 170
