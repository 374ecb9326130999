"""Drawing: the choice of a painter, and that its pictures show the robot."""

from __future__ import annotations

import logging
import sys

import numpy as np
import pytest

import sim.painters
from robot.clock import SteppedClock
from robot.config import load_config
from sim.mujoco_body import MujocoBody
from sim.scene import ENGINES, make_twin
from sim.tiny_painter import TinyPainter

CONFIG = load_config("hardware_configs/a1.yaml")
BLUE, ORANGE = (2, 0), (0, 2)


def coloured(picture: np.ndarray, strong: int, weak: int) -> np.ndarray:
    """(N, 2) rows and columns of pixels where one channel clearly exceeds another."""
    channels = picture.astype(int)
    return np.argwhere(channels[..., strong] > channels[..., weak] + 60)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_chase_camera_sees_right_legs_nearer_than_left_ones(engine: str) -> None:
    pytest.importorskip(engine)
    twin = make_twin(engine, CONFIG, SteppedClock())
    twin.reset("standing", 0)
    picture = twin.render("chase", 120, 160)
    left, right = coloured(picture, *BLUE), coloured(picture, *ORANGE)
    assert len(left) > 50 and len(right) > 50
    assert right[:, 1].mean() > left[:, 1].mean()  # it stands behind and to the right
    twin.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_front_camera_turns_over_with_the_robot(engine: str) -> None:
    pytest.importorskip(engine)
    twin = make_twin(engine, CONFIG, SteppedClock())
    bright = {}
    for start in ("standing", "on_back"):
        twin.reset(start, 0)
        picture = twin.render("front", 64, 64).astype(float).mean(axis=(1, 2))
        bright[start] = picture[:10].mean() - picture[-10:].mean()
    assert bright["standing"] > 50 and bright["on_back"] < -50  # the sky is brighter than the floor
    twin.close()


def test_an_unknown_camera_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown camera 'top'; there are front, chase"):
        MujocoBody(CONFIG, SteppedClock()).render("top", 8, 8)


def test_a_state_of_another_robot_is_refused() -> None:
    with pytest.raises(ValueError, match=r"state: got shape \(3,\); allowed is \(19,\)"):
        MujocoBody(CONFIG, SteppedClock()).show(np.zeros(3))


def test_without_opengl_pybullet_draws_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("pybullet")
    monkeypatch.setattr(sim.painters, "find_library", lambda name: None)
    with caplog.at_level(logging.INFO):
        twin = MujocoBody(CONFIG, SteppedClock())
        twin.render("chase", 32, 32)
        twin.render("front", 32, 32)
    assert isinstance(twin._painter, TinyPainter)
    said = [record for record in caplog.records if record.name == "sim.painters"]
    assert len(said) == 1 and "PyBullet's software renderer" in said[0].getMessage()


def test_without_anything_to_draw_with_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sim.painters, "find_library", lambda name: None)
    monkeypatch.setitem(sys.modules, "pybullet", None)
    with pytest.raises(RuntimeError, match="install libegl1 or libosmesa6, or pybullet"):
        MujocoBody(CONFIG, SteppedClock()).render("chase", 8, 8)


def test_without_pybullet_its_twin_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pybullet", None)
    with pytest.raises(ImportError, match="Python 3.11.*--twin mujoco"):
        make_twin("pybullet", CONFIG, SteppedClock())


def test_drawing_leaves_physics_alone() -> None:
    pytest.importorskip("pybullet")
    clock = SteppedClock()
    watched, unwatched = (make_twin("pybullet", CONFIG, clock) for _ in range(2))
    for tick in range(200):
        if tick % 20 == 0:
            watched.render("chase", 16, 16)
        clock.advance(1_000_000)
        watched.advance()
        unwatched.advance()
    np.testing.assert_array_equal(watched.truth().state, unwatched.truth().state)
