"""Leg kinematics, against rotation matrices multiplied out and finite differences."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from robot.config import load_config
from robot.tasks.kinematics import Legs, height, rotation_matrix

CONFIG = load_config("hardware_configs/a1.yaml")
LEGS = Legs(CONFIG)
UP = np.array((0.0, 0.0, 1.0))


def angles(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([rng.uniform(j.lower, j.upper) for j in CONFIG.joints.values()])


def chain(joint_pos: np.ndarray, calves: float = 1.0) -> np.ndarray:
    """Feet by the chain of frames, one leg and one joint at a time; knees with no calves."""
    names, feet = list(CONFIG.joints), []
    for leg in CONFIG.legs.values():
        q = [joint_pos[names.index(j)] for j in leg.joints]
        hip, thigh, calf = (Rotation.from_euler(a, v) for a, v in zip("xyy", q, strict=True))
        knee = thigh.apply(
            np.array((0, 0, -leg.thigh_m)) + calf.apply((0, 0, -leg.calf_m * calves))
        )
        feet.append(np.array(leg.hip_m) + hip.apply(np.array((0, leg.abduction_m, 0)) + knee))
    return np.array(feet)


@pytest.mark.parametrize("seed", range(5))
def test_feet_agree_with_the_chain_of_frames(seed):
    np.testing.assert_allclose(LEGS.feet(angles(seed))[0], chain(angles(seed)), atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_jacobian_agrees_with_finite_differences(seed):
    q, step = angles(seed), 1e-6
    jacobian = LEGS.feet(q)[1]
    for foot, joints in enumerate(LEGS.index):
        for column, joint in enumerate(joints):
            moved = step * (np.arange(len(q)) == joint)
            slope = (LEGS.feet(q + moved)[0] - LEGS.feet(q - moved)[0])[foot] / (2 * step)
            np.testing.assert_allclose(jacobian[foot, :, column], slope, atol=1e-8)


def test_standing_is_as_high_as_worked_by_hand():
    points, _ = LEGS.contacts(np.tile((0.0, 0.9, -1.8), 4), np.zeros(12), UP)
    assert height(points, np.ones(4, bool), UP) == pytest.approx(0.4 * np.cos(0.9) + 0.02)


def test_a_rolling_foot_stands_still_where_it_touches():
    """Turn the thigh about a foot's contact: the trunk moves on an arc about the touching point."""
    q, rate = np.tile((0.0, 0.9, -1.8), 4), np.zeros(12)
    rate[1] = 2.0
    points, velocity = LEGS.contacts(q, rate, UP)
    pivot = np.array((0.183, -0.047 - 0.08505, 0.0))
    np.testing.assert_allclose(velocity[0], np.cross((0, 2.0, 0), points[0] - pivot), atol=1e-12)
    assert not velocity[1:].any()


def test_contact_velocity_of_any_motion_is_that_of_the_calf():
    q, step = angles(3), 1e-7
    rate = np.random.default_rng(1).normal(size=12)
    up = np.array((0.3, -0.2, 0.9)) / np.linalg.norm((0.3, -0.2, 0.9))
    velocity = LEGS.contacts(q, rate, up)[1]
    for foot, joints in enumerate(LEGS.index):
        a, b = calf_pose(q, joints, foot), calf_pose(q + step * rate, joints, foot)
        material = a[0].inv().apply(-0.02 * up)
        slope = (b[1] + b[0].apply(material) - a[1] - a[0].apply(material)) / step
        np.testing.assert_allclose(velocity[foot], slope, atol=1e-5)


def calf_pose(q: np.ndarray, joints: np.ndarray, foot: int) -> tuple[Rotation, np.ndarray]:
    turn = Rotation.from_euler("x", q[joints[0]]) * Rotation.from_euler("y", q[joints[1:]].sum())
    return turn, chain(q)[foot]


def test_a_robot_on_its_back_has_no_height():
    points, _ = LEGS.contacts(np.tile((0.0, 0.9, -1.8), 4), np.zeros(12), -UP)
    assert height(points, np.zeros(4, bool), -UP) == 0.0


def test_rotation_matrix_agrees_with_scipy_and_forgives_length():
    q = np.random.default_rng(0).normal(size=4)
    expected = Rotation.from_quat(np.roll(q, -1)).as_matrix()
    np.testing.assert_allclose(rotation_matrix(q), expected, atol=1e-12)
    assert np.isfinite(rotation_matrix(np.zeros(4))).all()


@pytest.mark.parametrize("seed", range(5))
def test_clearance_is_that_of_the_lowest_knee_over_its_own_foot(seed):
    q, up = angles(seed), Rotation.from_euler("xyz", (0.3, -0.2, 1.0)).inv().apply(UP)
    knees_over_feet = (chain(q, calves=0.0) - chain(q)) @ up
    assert LEGS.clearance(q, up) == pytest.approx(knees_over_feet.min())
