"""Distance as a fourth channel, against distances worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from robot.body.drivers.opencv_camera import OpenCVCamera
from robot.clock import SteppedClock
from robot.config import ConfigError, load_config
from robot.policy.observe import robot_spec
from robot.tasks import make_task
from sim.gym import TwinEnv
from sim.mujoco_body import MujocoBody
from sim.painters import GlPainter, gl_or_tiny_painter
from sim.pictures import take
from sim.scene import ENGINES, make_twin

YAML = "hardware_configs/point_mass.yaml"
CONFIG = load_config(YAML, ["twin.start=home", "cameras.front.depth_m=2.0"])
# The eye stands 1.1 m behind the rail and 0.7 m above it, and looks at its middle.
ALONG = np.array([1.1, 0.0, -0.7]) / np.hypot(1.1, 0.7)


@pytest.mark.parametrize("engine", ENGINES)
def test_distances_are_those_of_the_scene(engine: str) -> None:
    pytest.importorskip(engine)
    twin = make_twin(engine, CONFIG, SteppedClock())
    told = twin.depth("front", 65, 65)
    assert told.shape == (65, 65) and told.dtype == np.float32
    # Straight ahead is the edge between rail and cart, at the rail's height.
    assert told[32, 32] == pytest.approx(np.hypot(1.1, 0.7), abs=0.06)
    # Below the middle lies the floor: a ray that leaves the eye 22.5 degrees under the axis.
    ray = ALONG + np.tan(np.radians(22.5)) * np.array([-0.7, 0.0, -1.1]) / np.hypot(1.1, 0.7)
    height = 0.7 + CONFIG.twin.height_m  # type: ignore[union-attr]
    assert told[64, 5] == pytest.approx(-height / ray[2], rel=0.03)
    assert told[0, 5] > told[20, 5] > told[64, 5]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_byte_of_the_fourth_channel_is_a_share_of_the_configured_distance(engine: str) -> None:
    pytest.importorskip(engine)
    twin = make_twin(engine, CONFIG, SteppedClock())
    picture = take(twin, CONFIG.cameras["front"])
    assert picture.shape == (64, 64, 4) and picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[..., :3], twin.render("front", 64, 64))
    metres = twin.depth("front", 64, 64)
    np.testing.assert_allclose(picture[..., 3], np.minimum(metres / 2.0, 1) * 255, atol=0.51)
    assert picture[0, 0, 3] == 255  # the floor far away


def test_without_it_there_are_three_channels() -> None:
    plain = load_config(YAML).cameras["front"]
    assert take(make_twin("mujoco", load_config(YAML), SteppedClock()), plain).shape == (64, 64, 3)


def test_an_agent_that_sees_distance_is_told_so() -> None:
    config = load_config(YAML, ["cameras.front.depth_m=2", "cameras.front.observed=true"])
    spec = robot_spec(config, make_task(config)).observation["image_front"]
    assert spec.shape == (64, 64, 4) and spec.is_image
    env = TwinEnv(config)
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    env.close()


def test_a_camera_that_tells_no_distance_is_not_asked_for_it() -> None:
    with pytest.raises(ConfigError, match="depth_m 2: a camera of OpenCV tells no distance"):
        OpenCVCamera(CONFIG.cameras["front"], SteppedClock())


def test_both_painters_tell_the_same_distances() -> None:
    pytest.importorskip("pybullet")
    gl = gl_or_tiny_painter(CONFIG)
    if not isinstance(gl, GlPainter):
        pytest.skip("no OpenGL here")
    gl.close()
    ours = MujocoBody(CONFIG, SteppedClock()).depth("chase", 48, 64)
    theirs = make_twin("pybullet", CONFIG, SteppedClock()).depth("chase", 48, 64)
    near = (ours < 2.5) & (theirs < 2.5)
    assert near.mean() > 0.5
    assert np.median(np.abs(ours - theirs)[near]) < 0.02
