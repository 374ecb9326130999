"""Recorded actions, sent again: to the twin that made them, to another, to a body that runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from launch import cli
from launch.replay.acting import Recorded, compare
from launch.replay.lives import read_lives


def test_on_the_twin_that_made_them_every_joint_goes_where_it_went(run: Path, tmp_path: Path):
    words = ["replay", str(run), "--mode", "act", "--life", "0", "--twin", "mujoco"]
    assert cli.main([*words, "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "act.json").read_text())
    assert (found["steps"], found["same"], found["joint_rms"]) == (100, 100, 0.0)
    assert found["reward_now"] == found["reward_then"]
    assert (tmp_path / "act.png").stat().st_size > 2000
    assert any(path.suffix in (".mp4", ".gif") for path in tmp_path.iterdir())


def test_another_engine_goes_elsewhere_and_not_far(run: Path, tmp_path: Path):
    pytest.importorskip("pybullet")
    words = ["replay", str(run), "--mode", "act", "--life", "0", "--twin", "pybullet"]
    assert cli.main([*words, "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "act.json").read_text())
    assert found["same"] < 100 and 0 < found["joint_rms"] < 0.1


def test_a_body_moves_only_when_a_person_says_so(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("rich.console.Console.input", lambda *_: "no")
    assert cli.main(["replay", str(run), "--mode", "act"]) == 2
    assert "nothing moved" in capsys.readouterr().err


def test_the_last_step_of_an_episode_has_no_action(run: Path):
    steps = list(read_lives(run)[0].steps())
    policy = Recorded(steps)
    done = []
    while not policy.over:
        done.append(policy.act(None, {})[1])
    assert len(done) == sum(not bool(step.arrays["is_last"]) for step in steps) < len(steps)
    assert np.array_equal(done[0], steps[0].arrays["action"])


def test_distance_is_of_joints_and_rewards_are_means(run: Path):
    then = list(read_lives(run)[0].steps())[:4]
    moved = {"joint_pos": then[1].arrays["joint_pos"] + np.float32(0.5)}
    now = [then[0], replace(then[1], arrays={**then[1].arrays, **moved}), then[2]]
    found = compare(then, now)
    assert (found.steps, found.same) == (3, 2)
    assert found.apart == pytest.approx([0, 0.5, 0], abs=1e-6)
    assert found.joint_rms == pytest.approx(0.5 / 3**0.5, abs=1e-6)
    expected = np.mean([step.arrays["reward"] for step in then[:3]])
    assert found.reward_then == pytest.approx(expected)
