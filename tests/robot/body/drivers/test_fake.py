import numpy as np
import pytest

from robot.body.drivers.fake import FakeBody
from robot.body.interface import MotorCommand
from robot.clock import SteppedClock
from robot.config import load_config

CONFIG = load_config("hardware_configs/a1.yaml")
ONES = np.ones(12)


def fake() -> FakeBody:
    return FakeBody(CONFIG, SteppedClock())


def test_stiff_joints_follow_and_limp_joints_stay():
    body = fake()
    start = body.read().joint_pos
    body.write(MotorCommand(start + 0.1, 80 * ONES, ONES, 0 * ONES))
    for _ in range(30):
        body.advance()
    moved = body.read().joint_pos - start
    np.testing.assert_allclose(moved, 0.1 * (1 - np.exp(-1)), rtol=1e-6)  # one lag of 30 ms
    body.write(MotorCommand(start, 0 * ONES, 0 * ONES, 0 * ONES))
    body.advance()
    np.testing.assert_array_equal(body.read().joint_pos - start, moved)


@pytest.mark.parametrize(("start", "up"), [("standing", 1), ("folded", 1), ("on_back", -1)])
def test_gravity_tells_how_it_lies(start, up):
    body = fake()
    body.reset(start, seed=0)
    np.testing.assert_allclose(body.read().accelerometer[2], up * 9.81, atol=0.01)


def test_a_random_fall_depends_on_its_seed_alone():
    body = fake()
    body.reset("random_fall", seed=3)
    first = body.read().joint_pos
    body.reset("random_fall", seed=4)
    assert not np.array_equal(body.read().joint_pos, first)
    body.reset("random_fall", seed=3)
    np.testing.assert_array_equal(body.read().joint_pos, first)


def test_an_unknown_start_lists_those_that_exist():
    with pytest.raises(ValueError, match="unknown start 'flying'; there are standing, folded"):
        fake().reset("flying", 0)


def test_another_fake_shows_the_same_picture():
    body, other = fake(), fake()
    body.reset("random_fall", seed=1)
    picture = body.render("front", 40, 60)
    assert picture.shape == (40, 60, 3) and picture.any()
    assert not np.array_equal(other.render("front", 40, 60), picture)
    other.show(body.truth().state)
    np.testing.assert_array_equal(other.render("front", 40, 60), picture)


def test_a_push_moves_the_trunk():
    body = fake()
    body.push(np.array([4.713, 0, 0]))
    for _ in range(1000):
        body.advance()
    assert body.truth().position[0] == pytest.approx(1.0)
    assert body.truth().velocity[0] == pytest.approx(1.0)
