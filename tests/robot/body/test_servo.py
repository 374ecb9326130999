import numpy as np
import pytest

from robot.body.limits import Limits
from robot.body.servo import Servo
from robot.config import RobotConfig, load_config

A1 = "hardware_configs/a1.yaml"


def servo(*changes: str) -> Servo:
    config = load_config(A1, changes)
    return Servo(config, Limits.of(config))


def stand(config: RobotConfig) -> np.ndarray:
    return np.array([config.poses["stand"][name] for name in config.joints])


STAND = stand(load_config(A1))


def test_interpolation_is_a_straight_line_over_one_control_period():
    made = servo()
    made.seed(STAND)
    made.accept(STAND + 0.1)
    rise = made.target - STAND
    positions = np.array([made.step(STAND, 1.0).position for _ in range(60)])
    expected = STAND + rise * np.minimum(np.arange(1, 61) / 50, 1)[:, None]
    np.testing.assert_allclose(positions, expected, atol=1e-12)
    np.testing.assert_array_equal(positions[49], made.target)


def test_a_new_command_continues_from_where_the_interpolation_is():
    made = servo()
    made.seed(STAND)
    made.accept(STAND + 0.2)
    for _ in range(20):
        before = made.step(STAND, 1.0).position
    made.accept(STAND - 0.2)
    after = made.step(STAND, 1.0).position
    assert np.abs(after - before).max() < 0.001


def test_target_stays_within_reach_of_the_measured_angle():
    made = servo()
    made.seed(STAND)
    for _ in range(40):
        made.accept(STAND + 0.5)
        for _ in range(50):
            command = made.step(STAND, 1.0)
    np.testing.assert_allclose(command.position, STAND + 0.2, atol=1e-12)
    pulled_away = made.step(STAND + 1.5, 1.0).position
    np.testing.assert_allclose(pulled_away, STAND + 1.3, atol=1e-12)


def test_reach_shrinks_where_the_gain_would_pass_the_torque_limit():
    made = servo("joints.FR_hip.torque_nm=4.0")
    made.seed(STAND)
    far = made.step(STAND - 1.0, 1.0)
    assert far.kp[0] * (far.position[0] - (STAND[0] - 1.0)) == pytest.approx(4.0)


def test_overshoot_of_the_filter_never_passes_the_limits():
    made = servo()
    limits = made.limits
    made.seed(limits.lower)
    clipped = sum(made.accept(limits.upper) for _ in range(40))
    assert clipped > 0
    assert (made.target <= limits.upper).all()


def test_speed_of_the_target_is_limited():
    made = servo("safety.command_rate_rad_s=1.0", "control.filter.cutoff_hz=9.0")
    made.seed(STAND)
    assert made.accept(STAND + 0.5) == 12
    np.testing.assert_allclose(made.target - STAND, 1.0 / 20, atol=1e-12)


def test_soft_start_scales_stiffness_and_leaves_damping_whole():
    made = servo()
    made.seed(STAND)
    half = made.step(STAND, 0.5)
    np.testing.assert_allclose(half.kp, made.limits.kp / 2)
    np.testing.assert_array_equal(half.kd, made.limits.kd)


def test_damped_joints_hold_nothing_and_limp_joints_do_nothing():
    made = servo()
    damped, limp = made.damped(STAND), made.limp(STAND)
    assert not damped.kp.any() and not damped.torque.any()
    np.testing.assert_array_equal(damped.kd, made.limits.kd)
    assert not (limp.kp.any() or limp.kd.any() or limp.torque.any())


def test_freezing_stops_the_interpolation_where_it_is():
    made = servo()
    made.seed(STAND)
    made.accept(STAND + 0.2)
    for _ in range(25):
        there = made.step(STAND, 1.0).position
    made.freeze()
    np.testing.assert_array_equal(made.step(STAND, 1.0).position, there)
    np.testing.assert_array_equal(made.target, there)
