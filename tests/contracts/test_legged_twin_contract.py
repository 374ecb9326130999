"""The contract of twins on legs, which have weight: the A1's, on both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from robot.tasks.kinematics import rotation_matrix

MakeRig = Any  # conftest.py: builds a rig from a start, a seed and changes
Rig = Any
MASS_KG, GRAVITY = 12.453, 9.81


def up(rig: Rig) -> float:
    return float(rotation_matrix(rig.body.truth().quaternion)[2, 2])


@pytest.fixture
def standing(a1_twin: MakeRig) -> Rig:
    rig = a1_twin("folded")
    rig.stand_up()
    rig.run(0.5, rig.held(rig.machine.rest))
    return rig


def test_it_stands_up_from_folded_and_holds_its_height(standing: Rig) -> None:
    heights = []
    for _ in range(1000):
        standing.tick(standing.held(standing.machine.rest))
        heights.append(standing.body.truth().position[2])
    assert 0.22 < min(heights) and max(heights) < 0.28
    truth = standing.body.truth()
    assert truth.foot_contact.all() and not truth.body_contact
    np.testing.assert_allclose(truth.foot_height, 0.0, atol=2e-3)
    assert up(standing) > 0.99


def test_foot_forces_at_rest_carry_the_weight(standing: Rig) -> None:
    forces = np.array(
        [standing.tick(standing.held(standing.machine.rest)).foot_force for _ in range(200)]
    )
    assert forces.mean(axis=0).sum() == pytest.approx(MASS_KG * GRAVITY, rel=0.1)
    assert forces.mean(axis=0).min() > 20


def test_the_accelerometer_feels_the_floor_push_up(standing: Rig) -> None:
    felt = np.mean(
        [standing.tick(standing.held(standing.machine.rest)).accelerometer for _ in range(200)],
        axis=0,
    )
    np.testing.assert_allclose(felt, (0, 0, GRAVITY), atol=0.2)


def test_torques_at_rest_hold_the_knees(standing: Rig) -> None:
    torque = standing.tick(standing.held(standing.machine.rest)).torque.reshape(4, 3)
    assert (torque[:, 2] > 2).all() and (torque[:, 2] < 10).all()  # each carries 3 kg on 0.16 m


def test_on_its_back_it_stays_there(a1_twin: MakeRig) -> None:
    rig = a1_twin("on_back")
    assert up(rig) < -0.9
    rig.run(2.0)
    assert up(rig) < -0.9
    reading = rig.tick()
    assert reading.accelerometer[2] == pytest.approx(-GRAVITY, abs=0.5)
    truth = rig.body.truth()
    assert truth.body_contact
    np.testing.assert_allclose(truth.velocity, 0, atol=0.02)


def test_limp_legs_give_way(a1_twin: MakeRig) -> None:
    rig = a1_twin("standing")
    assert rig.body.truth().position[2] > 0.25
    rig.run(1.0)
    assert rig.body.truth().position[2] < 0.15
    assert rig.body.truth().body_contact


def test_stopping_damps_the_joints(a1_twin: MakeRig) -> None:
    limp, stopped = a1_twin("standing"), a1_twin("standing")
    for rig in (limp, stopped):
        rig.run(0.05, rig.held(rig.machine.rest))
    stopped.body.stop()
    for _ in range(150):
        limp.tick()
        stopped.body.advance()
    assert stopped.body.truth().position[2] > limp.body.truth().position[2] + 0.03


def test_a_push_moves_the_trunk_by_its_impulse(a1_twin: MakeRig) -> None:
    rig = a1_twin("on_back")
    rig.body.push(np.array([0.0, 0.0, 30.0]))  # less the weight's 12.2 N s in that time
    rig.run(0.1)
    lifted = rig.body.truth().velocity[2]
    assert lifted == pytest.approx(30 / MASS_KG - GRAVITY * 0.1, abs=0.6)
    rig.run(0.15)
    felt = rig.tick().accelerometer
    assert np.linalg.norm(felt) < 5  # it flies, and feels no weight


def test_a_push_from_the_right_tips_it_to_the_left(standing: Rig) -> None:
    standing.body.push(np.array([0.0, 20.0, 0.0]))
    rates = np.array([standing.tick(standing.held(standing.machine.rest)).gyro for _ in range(60)])
    assert standing.body.truth().velocity[1] > 0.2
    assert rates[:, 0].min() < -0.3  # its left side goes down: a turn about -x


def test_the_gyro_is_the_rate_of_the_orientation(a1_twin: MakeRig) -> None:
    rig = a1_twin("standing", 0, "twin.noise.gyro_rad_s=0", "twin.noise.orientation_rad=0")
    rig.run(0.1, rig.held(rig.machine.rest))
    rig.body.push(np.array([5.0, 25.0, 20.0]))
    rig.run(0.1)
    before = rotation_matrix(rig.body.read().quaternion)
    turned, fastest = np.eye(3), 0.0
    for _ in range(200):
        rate = rig.tick().gyro
        fastest = max(fastest, float(np.abs(rate).max()))
        turned = turned @ small_turn(rate * 1e-3)
    after = rotation_matrix(rig.body.read().quaternion)
    assert fastest > 1.0
    np.testing.assert_allclose(before @ turned, after, atol=0.01)


def small_turn(v: np.ndarray) -> np.ndarray:
    half = np.linalg.norm(v) / 2
    axis = v / max(2 * half, 1e-12)
    return rotation_matrix(np.array([np.cos(half), *(np.sin(half) * axis)]))


@pytest.mark.slow
@pytest.mark.parametrize("start", ["on_back", "random_fall"])
def test_even_unfiltered_random_targets_leave_it_numerically_sane(
    a1_twin: MakeRig, start: str
) -> None:
    rig, rng = a1_twin(start), np.random.default_rng(0)
    ranges, machine = rig.machine.joints("action_range"), rig.machine
    low, high = machine.joints("lower") - 0.1, machine.joints("upper") + 0.1
    for _ in range(20 * 15):
        target = rng.uniform(ranges[:, 0], ranges[:, 1])
        for _ in range(50):
            angle = rig.tick(rig.held(target)).joint_pos
            assert (angle > low).all() and (angle < high).all()
        truth = rig.body.truth()
        assert np.isfinite(truth.state).all() and 0.0 < truth.position[2] < 1.0
