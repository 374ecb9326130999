"""Whole runs of the model-free rivals: summarised, resumed, stopped, refused, drawn."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is missing: the extra baselines")

from launch import cli
from launch.baseline_env import UnbrokenLife
from launch.baseline_models import model_tensors
from launch.baseline_plan import rival_plan
from launch.baseline_run import BaselineRun
from launch.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
A1 = ROOT / "hardware_configs/a1.yaml"
SMALL = {
    "sac": ("units=8", "batch=4", "prefill=8", "capacity=100"),
    "ppo": ("units=8", "batch=4", "epochs=1", "rollout=8"),
}
QUICK = (
    "task.episode_steps=2",
    "control.inner_hz=500",
    "control.sensors_hz=100",
    "safety.rising_s=0.1",
)
STEPS_PER_MINUTE = 20 * 60
RIVALS = list(SMALL)
# What every run of `reverie train` in lock-step tells, and how often the twin was placed.
KEYS = {
    *("robot_minutes", "transitions", "updates", "weights", "episodes", "mean_reward_last10"),
    *("policy_loop", "inner_loop", "latency_ms", "peak_rss_mb", "versions", "seed", "config"),
    *("command", "computing_s", "placed"),
}


def changes(rival: str) -> list[str]:
    return [*QUICK, *(f"learner.{change}" for change in SMALL[rival])]


def arguments(rival: str, run: Path, steps: int, *more: str) -> list[str]:
    """Words of `reverie baseline` for a small run of so many steps in all."""
    sets = [word for change in changes(rival) for word in ("--set", change)]
    minutes = f"{steps / STEPS_PER_MINUTE:.6f}"
    return ["baseline", rival, str(A1), "--minutes", minutes, "--run", str(run), *sets, *more]


def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def tensors(run: Path) -> dict[str, torch.Tensor]:
    """Those of the newest checkpoint."""
    name = (run / "checkpoints" / "latest").read_text().strip()
    return safetensors.torch.load_file(run / "checkpoints" / name / "tensors.safetensors")


def open_run(rival: str, run: Path) -> BaselineRun:
    plan = rival_plan(rival, A1, "mujoco", "paper", 0, changes(rival))
    folder = RunFolder(run)
    folder.claim(plan)
    keys, gain = plan.settings.keys, plan.settings.gain
    return BaselineRun(plan, folder, UnbrokenLife(plan.robot, "mujoco", 0, keys, gain))


@pytest.fixture(scope="module", params=RIVALS)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A rival and its run of 24 steps; nobody may change it."""
    run = tmp_path_factory.mktemp(request.param) / "run"
    assert cli.main(arguments(request.param, run, 24)) == 0
    return request.param, run


def test_the_summary_has_the_keys_of_any_run(finished: tuple[str, Path]) -> None:
    rival, run = finished
    said = summary(run)
    assert said.keys() == KEYS
    assert said["robot_minutes"] == pytest.approx(24 / STEPS_PER_MINUTE, abs=1e-4)
    assert said["transitions"] == {"logged": 0, "ingested": 24, "duplicates": 0, "invalid": 0}
    assert [episode["steps"] for episode in said["episodes"]] == [2] * 12
    assert said["episodes"][-1]["robot_minutes"] == said["robot_minutes"]
    assert all(4 < episode["mean_reward"] < 14 for episode in said["episodes"])
    assert {"published", "walk_upright", "forward_m_s"} <= said["episodes"][0].keys()
    assert said["inner_loop"]["ticks"] == 24 * 25 and said["placed"] == 1
    assert said["config"]["system"] == rival and said["config"]["settings"]["units"] == 8
    assert said["versions"]["stable-baselines3"]


def test_as_many_updates_were_made_as_the_settings_say(finished: tuple[str, Path]) -> None:
    rival, run = finished
    # SAC: rounds of two steps and two updates behind the 8 random steps; it is stopped at its last
    # step, before that step's round is learnt from. PPO: one pass per rollout of 8, but the last.
    assert summary(run)["updates"] == {"sac": 24 - 8 - 2, "ppo": 2}[rival]


def test_the_curve_is_what_reverie_result_writes_and_reverie_curves_draws(
    finished: tuple[str, Path], tmp_path: Path
) -> None:
    rival, run = finished
    assert cli.main(["result", str(run), "--out", str(tmp_path / "kept.json")]) == 0
    curve = json.loads((run / "curve.json").read_text())
    assert curve == json.loads((tmp_path / "kept.json").read_text())
    assert (curve["system"], curve["seed"], curve["twin"]) == (rival, 0, "mujoco")
    real = str(ROOT / "docs/results/anchors/a1_real.json")
    out = tmp_path / "picture.png"
    ours = str(ROOT / "docs/results/a1_reverie_0.json")
    words = ["curves", str(run / "curve.json"), ours, "--out", str(out), "--real", real]
    assert cli.main(words) == 0
    assert out.stat().st_size > 10_000
    rows = json.loads((tmp_path / "milestones_picture.json").read_text())["rows"]
    assert {f"{rival}, seed 0", "reverie, seed 0", "real A1, SAC"} <= {row["label"] for row in rows}


def test_equal_seeds_give_equal_runs(finished: tuple[str, Path], tmp_path: Path) -> None:
    rival, run = finished
    assert cli.main(arguments(rival, tmp_path / "run", 24)) == 0
    assert summary(tmp_path / "run")["episodes"] == summary(run)["episodes"]
    mine, theirs = tensors(tmp_path / "run"), tensors(run)
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not torch.equal(mine[name], theirs[name])] == []


def test_a_run_goes_on_with_all_that_it_had(finished: tuple[str, Path], tmp_path: Path) -> None:
    rival, run = finished
    again = Path(shutil.copytree(run, tmp_path / "run"))
    held = model_tensors(open_run(rival, again).model)
    saved = tensors(again)
    assert held.keys() == saved.keys()
    assert [name for name in saved if not torch.equal(held[name], saved[name])] == []
    assert any("exp_avg" in name for name in saved)  # Adam's memory is kept, too
    assert cli.main(arguments(rival, again, 36)) == 0
    before, after = summary(run), summary(again)
    assert after["episodes"][:12] == before["episodes"] and len(after["episodes"]) == 18
    assert after["episodes"][-1]["robot_minutes"] == pytest.approx(36 / STEPS_PER_MINUTE, abs=1e-4)
    assert after["updates"] > before["updates"] and after["placed"] == 2
    assert after["computing_s"] >= before["computing_s"]  # told to a tenth of a second


def test_the_replay_survives_and_is_added_to(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cli.main(arguments("sac", run, 20)) == 0
    first = tensors(run)["replay/observations"]
    assert len(first) == 19  # the library drops the step at which it is told to stop
    assert cli.main(arguments("sac", run, 30)) == 0
    second = tensors(run)
    assert torch.equal(second["replay/observations"][:19], first)
    assert len(second["replay/observations"]) == 28
    assert int(second["replay/position"]) == 28


def test_a_finished_run_is_left_as_it_is(finished: tuple[str, Path], tmp_path: Path) -> None:
    rival, run = finished
    again = Path(shutil.copytree(run, tmp_path / "run"))
    assert cli.main(arguments(rival, again, 24)) == 0
    assert summary(again)["episodes"] == summary(run)["episodes"]
    assert summary(again)["updates"] == summary(run)["updates"]


@pytest.mark.parametrize("rival", RIVALS)
def test_whoever_stops_a_run_finds_it_whole(rival: str, tmp_path: Path) -> None:
    lesson = open_run(rival, tmp_path / "run")
    views = []
    lesson.run(1.0, lambda: lesson.steps >= 13, views.append)
    said = lesson.close()
    assert said["transitions"]["ingested"] == 13
    assert [episode["steps"] for episode in said["episodes"]] == [2] * 6
    assert open_run(rival, tmp_path / "run").steps == 13


def test_a_checkpoint_is_written_on_the_way(tmp_path: Path) -> None:
    lesson = open_run("sac", tmp_path / "run")
    hurried = lesson.plan.settings.model_copy(update={"checkpoint_s": 1e-9})
    object.__setattr__(lesson.plan, "settings", hurried)
    lesson.run(12 / STEPS_PER_MINUTE, lambda: False, lambda view: None)
    # Without being closed, as when it is killed: the newest is that before the last round.
    assert open_run_steps(lesson) == 10
    assert len(tensors(tmp_path / "run")["replay/rewards"]) == 10


def open_run_steps(lesson: BaselineRun) -> int:
    saved = lesson.checkpoints.load()
    assert saved is not None
    return saved[0]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--seed", "1"), "seed is 1 here and 0 there"),
        (("--set", "learner.lr=1e-2"), "settings.lr is 0.01 here"),
        (("--set", "task.reward=published"), "task.reward is 'published' here"),
    ],
)
def test_a_run_of_another_configuration_is_refused(
    finished: tuple[str, Path],
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    named: str,
) -> None:
    rival, run = finished
    capsys.readouterr()
    assert cli.main(arguments(rival, run, 60, *more)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and named in said and str(run) in said


@pytest.mark.slow
def test_ctrl_c_saves(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = arguments("sac", run, 10_000)
    command = [sys.executable, "-m", "launch.cli", *words]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(6):  # the run's name, then a line per episode of two steps
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
    steps = summary(run)["transitions"]["ingested"]
    assert 10 <= steps < 10_000
    assert open_run("sac", run).steps == steps
