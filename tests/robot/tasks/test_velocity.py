"""The velocity estimate, on readings made up by hand: motion, rest, falls, gaps."""

from dataclasses import replace

import numpy as np
import pytest

from robot.config import load_config
from robot.tasks.kinematics import Legs
from robot.tasks.velocity import Covariances, VelocityEstimator
from robot.wire.messages import Reading

CONFIG = load_config("hardware_configs/a1.yaml")
STAND = np.array([CONFIG.poses["stand"][name] for name in CONFIG.joints])
STEP_NS = 5_000_000
GRAVITY = 9.81


def still(index: int) -> Reading:
    return Reading(
        index * STEP_NS,
        np.array((1.0, 0, 0, 0)),
        np.zeros(3),
        np.array((0, 0, GRAVITY)),
        STAND,
        np.zeros(12),
        np.zeros(12),
        np.full(4, 30.5),
        np.full(12, 30.0),
        24.0,
    )


def striding(index: int, velocity: np.ndarray) -> Reading:
    """A trunk that glides at `velocity` over feet that stand still."""
    jacobians = Legs(CONFIG).feet(STAND)[1]
    rates = np.concatenate([np.linalg.solve(j, -velocity) for j in jacobians])
    # The feet roll: their material moves with the calf, so feed back what rolling adds.
    for _ in range(20):
        _, told = Legs(CONFIG).contacts(STAND, rates, np.array((0.0, 0, 1)))
        wrong = told + velocity
        rates -= np.concatenate(
            [np.linalg.solve(j, w) for j, w in zip(jacobians, wrong, strict=True)]
        )
    return replace(still(index), joint_vel=rates)


def feed(estimator: VelocityEstimator, readings: list[Reading]) -> np.ndarray:
    for reading in readings:
        estimator.sense(reading)
    return estimator.average()[0]


@pytest.mark.parametrize("velocity", [(0.3, 0, 0), (0, -0.2, 0), (0.2, 0.2, 0.05)])
def test_a_gliding_trunk_over_standing_feet_is_measured(velocity):
    velocity = np.array(velocity)
    told = feed(VelocityEstimator(CONFIG), [striding(i, velocity) for i in range(1, 101)])
    np.testing.assert_allclose(told, velocity, atol=1e-3)


def test_turning_on_the_spot_is_no_motion():
    spin = np.array((0.0, 0.0, 1.0))
    legs = Legs(CONFIG)
    points, _ = legs.contacts(STAND, np.zeros(12), spin)
    jacobians = legs.feet(STAND)[1]
    rates = np.concatenate(
        [np.linalg.solve(j, -np.cross(spin, p)) for j, p in zip(jacobians, points, strict=True)]
    )
    readings = []
    for i in range(1, 101):
        turned = np.array((np.cos(i * 0.0025), 0, 0, np.sin(i * 0.0025)))
        readings.append(replace(still(i), gyro=spin, quaternion=turned, joint_vel=rates))
    estimator = VelocityEstimator(CONFIG)
    told = feed(estimator, readings)
    assert np.linalg.norm(told) < 0.03  # rolling of the feet, which these rates leave out
    assert estimator.average()[2] == pytest.approx(1.0)


def test_in_free_fall_the_accelerometer_is_believed():
    falling = dict(accelerometer=np.zeros(3), foot_force=np.zeros(4))
    estimator = VelocityEstimator(CONFIG)
    feed(estimator, [still(i) for i in range(1, 41)])
    feed(estimator, [replace(still(i), **falling) for i in range(41, 81)])
    np.testing.assert_allclose(estimator.velocity, (0, 0, -GRAVITY * 0.2), atol=0.02)


def test_on_its_back_a_drifting_accelerometer_is_no_motion():
    lying = dict(
        quaternion=np.array((0.0, 1, 0, 0)),
        accelerometer=np.array((0.5, 0, -GRAVITY)),
        foot_force=np.zeros(4),
    )
    told = feed(VelocityEstimator(CONFIG), [replace(still(i), **lying) for i in range(1, 401)])
    assert np.linalg.norm(told) < 0.01


def test_on_its_back_a_foot_that_scrapes_over_the_floor_is_no_motion():
    readings = []
    for i in range(1, 401):
        scraping = striding(i, np.array((0.5, 0, 0)))
        readings.append(
            replace(
                scraping,
                quaternion=np.array((0.0, 1, 0, 0)),
                accelerometer=np.array((0, 0, -GRAVITY)),
                foot_force=np.array((60.0, 0, 60, 0)),
            )
        )
    assert np.linalg.norm(feed(VelocityEstimator(CONFIG), readings)) < 0.01


def test_a_trunk_on_the_floor_moves_less_than_its_scraping_feet_say():
    """A robot on its belly: 30 of 122 N are carried by feet that sweep at half a metre a second."""
    sweep = [striding(i, np.array((0.5, 0, 0))) for i in range(1, 401)]
    light = [replace(r, foot_force=np.array((30.0, 0, 0, 0))) for r in sweep]
    assert np.linalg.norm(feed(VelocityEstimator(CONFIG), light)) < 0.1


def test_one_skidding_foot_among_four_counts_by_its_load():
    readings = []
    for i in range(1, 201):
        rates = np.zeros(12)
        rates[1] = 3.0
        readings.append(replace(still(i), joint_vel=rates, foot_force=np.array((21.0, 34, 34, 34))))
    told = feed(VelocityEstimator(CONFIG), readings)
    foot = Legs(CONFIG).contacts(STAND, readings[0].joint_vel, np.array((0.0, 0, 1)))[1][0]
    assert np.linalg.norm(told) < 0.25 * np.linalg.norm(foot)


def test_readings_that_are_not_newer_change_nothing():
    estimator = VelocityEstimator(CONFIG)
    feed(estimator, [striding(i, np.array((0.3, 0, 0))) for i in range(1, 51)])
    before = estimator.velocity.copy()
    feed(estimator, [striding(50, np.array((9.0, 0, 0))), still(49)])
    np.testing.assert_array_equal(estimator.velocity, before)


@pytest.mark.parametrize("stamp", [50 + 200, -200])
def test_a_gap_or_a_jump_back_in_time_starts_anew(stamp):
    estimator = VelocityEstimator(CONFIG)
    feed(estimator, [striding(i, np.array((0.3, 0, 0))) for i in range(1, 51)])
    told = feed(estimator, [still(stamp)])
    assert np.linalg.norm(told) < 1e-9


def test_reset_forgets_everything():
    fresh, used = VelocityEstimator(CONFIG), VelocityEstimator(CONFIG)
    feed(used, [striding(i, np.array((0.3, 0, 0))) for i in range(1, 51)])
    used.reset()
    assert not used.average()[0].any()
    some = [striding(i, np.array((0.1, 0, 0))) for i in range(60, 70)]
    np.testing.assert_array_equal(feed(used, some), feed(fresh, some))


def test_the_average_covers_the_declared_window():
    estimator = VelocityEstimator(CONFIG, Covariances(foot_m_s=1e-4))
    feed(estimator, [striding(i, np.array((0.3, 0, 0))) for i in range(1, 101)])
    told = feed(estimator, [still(i) for i in range(101, 116)])
    np.testing.assert_allclose(told, (0.15, 0, 0), atol=0.01)  # half of 30 samples
    assert estimator.average()[1] == pytest.approx(0.4 * np.cos(0.9) + 0.02, abs=1e-6)
