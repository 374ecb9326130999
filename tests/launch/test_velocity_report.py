"""The velocity estimate against the twins' truth, and the trot that it is measured on."""

import json
from dataclasses import replace

import numpy as np
import pytest

from launch.trot import Trot
from launch.velocity_report import measure, run_velocity_report, scenes
from robot.config import load_config
from robot.tasks.kinematics import Legs

CONFIG = load_config("hardware_configs/a1.yaml")


@pytest.mark.parametrize("time_s", np.linspace(0, 2, 7))
def test_a_trotting_robot_always_has_a_diagonal_on_the_floor(time_s):
    trot = Trot()
    feet = Legs(CONFIG).feet(trot.joint_pos(CONFIG, time_s))[0]
    down = feet[:, 2] < -trot.height_m + 1e-6
    assert (down[0] and down[3]) or (down[1] and down[2])
    assert np.abs(feet[:, 0] - np.sign(feet[:, 0]) * 0.183).max() <= trot.reach_m + 1e-9


def test_standing_is_told_within_a_centimetre_a_second():
    figures = measure(CONFIG, "mujoco", scenes(CONFIG, 0)["standing"], 0)
    assert figures["error_rms_m_s"] < 0.01
    assert figures["height_error_rms_m"] < 0.005


def test_trotting_is_told_within_three_centimetres_a_second():
    scene = replace(scenes(CONFIG, 0)["trotting"], length_s=6.0)
    figures = measure(CONFIG, "mujoco", scene, 0)
    assert figures["true_rms_m_s"] > 0.1
    assert figures["error_rms_m_s"] < 0.03
    assert figures["height_error_rms_m"] < 0.01


def test_a_robot_that_kicks_on_its_back_is_told_that_it_stays():
    scene = replace(scenes(CONFIG, 1)["on_back"], length_s=8.0)
    figures = measure(CONFIG, "mujoco", scene, 1)
    assert figures["true_rms_m_s"] > 0.1
    assert figures["estimated_rms_m_s"] < 0.05


def test_a_falling_robot_is_never_told_more_than_it_moves_on_average():
    scene = replace(scenes(CONFIG, 0)["falling"], tries=3)
    figures = measure(CONFIG, "mujoco", scene, 0)
    assert figures["estimated_rms_m_s"] < figures["true_rms_m_s"]


@pytest.mark.parametrize("start", ["standing", "folded", "on_back", "random_fall"])
def test_every_start_pose_gives_finite_estimates(start):
    scene = replace(scenes(CONFIG, 2)["on_back"], start=start, length_s=1.0)
    assert np.isfinite(list(measure(CONFIG, "mujoco", scene, 2).values())).all()


@pytest.mark.slow
def test_the_report_covers_both_twins_within_bounds(tmp_path):
    pytest.importorskip("pybullet")
    out = tmp_path / "velocity.json"
    assert run_velocity_report(out=out) == 0
    report = json.loads(out.read_text())
    assert set(report["twins"]) == {"mujoco", "pybullet"}
    for figures in report["twins"].values():
        assert figures["standing"]["error_rms_m_s"] < 0.01
        assert figures["trotting"]["error_rms_m_s"] < 0.03
        assert figures["on_back"]["estimated_rms_m_s"] < 0.05
