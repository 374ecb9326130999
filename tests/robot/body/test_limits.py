import numpy as np
import pytest

from robot.body.drivers.fake import FakeBody
from robot.body.limits import Limits, Overload
from robot.clock import SteppedClock
from robot.config import load_config
from robot.wire.messages import Reading

CONFIG = load_config("hardware_configs/a1.yaml")
LIMITS = Limits.of(CONFIG)
MIDDLE = (LIMITS.lower + LIMITS.upper) / 2


def reading(stamp_ms: int, **values: np.ndarray) -> Reading:
    quiet = FakeBody(CONFIG, SteppedClock(stamp_ms * 1_000_000)).read()
    fields = {name: getattr(quiet, name) for name in Reading.__slots__}
    return Reading(**{**fields, **values})


def at(joint: int, value: float) -> np.ndarray:
    vector = np.zeros(12)
    vector[joint] = value
    return vector


def test_a_command_within_the_limits_is_good():
    assert LIMITS.command_fault(MIDDLE) == ""
    assert LIMITS.command_fault(LIMITS.upper.astype(np.float32)) == ""


@pytest.mark.parametrize(
    ("position", "said"),
    [
        (MIDDLE[:11], "shape (11,); allowed is (12,)"),
        (MIDDLE[None], "shape (1, 12); allowed is (12,)"),
        (np.where(np.arange(12) == 4, np.nan, MIDDLE), "not finite at FL_thigh"),
        (np.where(np.arange(12) == 0, np.inf, MIDDLE), "not finite at FR_hip"),
        (np.where(np.arange(12) == 11, 3.0, MIDDLE), "RL_calf lies outside its limits"),
        (np.zeros(12, int), "not an array of floats"),
        ([0.0] * 12, "not an array of floats"),
    ],
)
def test_a_bad_command_is_named(position, said):
    assert said in LIMITS.command_fault(position)


def test_a_joint_may_be_too_fast_for_an_instant_only():
    watch = Overload(CONFIG)
    fast = at(5, -32.0)
    assert watch.fault(reading(0, joint_vel=fast)) == ""
    assert watch.fault(reading(15, joint_vel=fast)) == ""
    assert "FL_calf is faster than 31.5 rad/s" in watch.fault(reading(20, joint_vel=fast))


def test_a_slow_moment_starts_the_patience_anew():
    watch = Overload(CONFIG)
    for stamp_ms in range(0, 200, 5):
        speed = at(5, 32.0 if stamp_ms % 20 else 0.0)
        assert watch.fault(reading(stamp_ms, joint_vel=speed)) == ""


def test_two_joints_in_turn_do_not_add_up():
    watch = Overload(CONFIG)
    for stamp_ms in range(0, 200, 5):
        speed = at(5 if stamp_ms % 10 else 6, 32.0)
        assert watch.fault(reading(stamp_ms, joint_vel=speed)) == ""


def test_a_joint_pushed_at_its_torque_limit_is_noticed_after_a_second():
    watch = Overload(CONFIG)
    torque = at(2, 33.5)
    for stamp_ms in range(0, 1000, 5):
        assert watch.fault(reading(stamp_ms, torque=torque)) == ""
    assert "FR_calf stays at its torque limit" in watch.fault(reading(1000, torque=torque))
    watch.reset()
    assert watch.fault(reading(1005, torque=torque)) == ""
