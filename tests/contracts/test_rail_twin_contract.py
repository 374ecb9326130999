"""The contract of twins on a rail, which have mass and no weight: the point mass's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from robot.body.interface import MotorCommand

MakeRig = Any  # conftest.py: builds a rig from a start, a seed and changes
QUIET = "twin.noise={joint_pos_m: 0, joint_vel_m_s: 0}"
SMOOTH = ("twin.friction_n=0", "twin.damping_n_s_m=0", QUIET)
MASS_KG = 1.0


def push(rig: Any, force_n: float) -> MotorCommand:
    return MotorCommand(rig.still, rig.still, rig.still, np.array([force_n]))


def test_a_constant_force_gives_newtons_acceleration(rail_twin: MakeRig) -> None:
    rig = rail_twin("home", 0, *SMOOTH)
    rig.run(0.5, push(rig, 2.0))
    reading = rig.body.read()
    assert reading.joint_vel[0] == pytest.approx(2.0 / MASS_KG * 0.5, rel=0.02)
    assert reading.joint_pos[0] == pytest.approx(2.0 / MASS_KG * 0.5**2 / 2, rel=0.06)


def test_it_runs_on_where_nothing_rubs_and_stops_where_something_does(rail_twin: MakeRig) -> None:
    ends = []
    for changes in (SMOOTH, (QUIET, "twin.friction_n=1")):
        rig = rail_twin("home", 0, *changes)
        rig.run(0.2, push(rig, 3.0))
        rig.run(0.5)
        ends.append(rig.body.read().joint_vel[0])
    assert ends[0] == pytest.approx(0.6, rel=0.02) and ends[1] == pytest.approx(0.0, abs=0.02)


def test_a_push_moves_the_cart_by_its_impulse_along_the_rail_and_not_across(
    rail_twin: MakeRig,
) -> None:
    rig = rail_twin("home", 0, *SMOOTH)
    rig.body.push(np.array([5.0, 0.3, -5.0]))
    rig.run(0.3)
    assert rig.body.read().joint_vel[0] == pytest.approx(0.3 / MASS_KG, rel=0.03)


def test_its_base_is_level_and_nothing_moves_it(rail_twin: MakeRig) -> None:
    rig = rail_twin("home")
    rig.body.push(np.array([20.0, 0.0, 20.0]))
    rig.run(0.3)
    reading, truth = rig.body.read(), rig.body.truth()
    np.testing.assert_array_equal(reading.quaternion, (1, 0, 0, 0))
    np.testing.assert_allclose(reading.gyro, 0, atol=1e-12)
    np.testing.assert_allclose(reading.accelerometer, (0, 0, 9.81))
    np.testing.assert_allclose(truth.position, (0, 0, rig.config.twin.height_m), atol=1e-7)
    np.testing.assert_array_equal(truth.velocity, 0)
    assert truth.foot_height.size == 0 and not truth.body_contact


def test_it_starts_at_home_or_anywhere_on_the_rail(rail_twin: MakeRig) -> None:
    assert rail_twin("home", 5, QUIET).body.read().joint_pos[0] == 0.0
    places = [rail_twin("random", seed, QUIET).body.read().joint_pos[0] for seed in range(12)]
    assert -0.5 <= min(places) < -0.1 and 0.1 < max(places) <= 0.5


def test_stopping_brakes_the_cart(rail_twin: MakeRig) -> None:
    rig = rail_twin("home", 0, *SMOOTH)
    rig.run(0.2, push(rig, 3.0))
    rig.body.stop()
    for _ in range(30):
        rig.body.advance()
    assert abs(rig.body.read().joint_vel[0]) < 0.01


def test_the_front_camera_sees_where_the_cart_is(rail_twin: MakeRig) -> None:
    """The cart is orange: red without much blue. The camera looks ahead, so that y is left."""
    columns = []
    for place in (0.4, 0.0, -0.4):
        rig = rail_twin("home")
        state = rig.body.truth().state
        state[7] = place
        rig.body.show(state)
        picture = rig.body.render("front", 64, 64).astype(int)
        orange = picture[..., 0] - picture[..., 2] > 30
        assert 15 < orange.sum() < 300
        columns.append(np.flatnonzero(orange.any(axis=0)).mean())
    assert columns[1] == pytest.approx(31.5, abs=1.5)
    assert columns[0] < 20 and columns[2] > 43
    assert columns[0] + columns[2] == pytest.approx(63, abs=3)
