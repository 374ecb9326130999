"""Both engines hold the same robot: mass, kinematics, joint order and sign."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from robot.body.interface import MotorCommand, Twin
from robot.clock import SteppedClock
from robot.config import load_config
from robot.tasks.kinematics import Legs, rotation_matrix
from sim.bullet_physics import BulletPhysics
from sim.description import describe
from sim.mujoco_body import MujocoBody
from sim.mujoco_model import build_model
from sim.pybullet_body import PybulletBody
from sim.scene import make_twin

pytest.importorskip("pybullet")
CONFIG = load_config("hardware_configs/a1.yaml")
STAND = np.array([CONFIG.poses["stand"][name] for name in CONFIG.joints])
KP = np.array([joint.kp for joint in CONFIG.joints.values()])
KD = np.array([joint.kd for joint in CONFIG.joints.values()])
LIMITS = np.array([(j.lower, j.upper) for j in CONFIG.joints.values()])


@pytest.fixture(scope="module")
def bullet() -> BulletPhysics:
    return BulletPhysics(CONFIG)


def random_pose(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    quaternion = rng.standard_normal(4)
    position = rng.uniform(-1, 1, 3)
    return (
        position,
        quaternion / np.linalg.norm(quaternion),
        rng.uniform(LIMITS[:, 0], LIMITS[:, 1]),
    )


def mujoco_feet(position: np.ndarray, quaternion: np.ndarray, joint_pos: np.ndarray) -> np.ndarray:
    model = build_model(CONFIG, describe(CONFIG))
    data = mujoco.MjData(model)  # pyright: ignore[reportAttributeAccessIssue]
    data.qpos[:3], data.qpos[3:7] = position, quaternion
    for name, angle in zip(CONFIG.joints, joint_pos, strict=True):
        data.joint(name).qpos[0] = angle
    mujoco.mj_kinematics(model, data)  # pyright: ignore[reportAttributeAccessIssue]
    return np.array([data.site(f"{leg}_calf_foot").xpos for leg in CONFIG.legs])


@pytest.mark.parametrize("seed", range(5))
def test_feet_are_where_the_kinematics_say(bullet: BulletPhysics, seed: int) -> None:
    position, quaternion, joint_pos = random_pose(seed)
    expected = position + Legs(CONFIG).feet(joint_pos)[0] @ rotation_matrix(quaternion).T
    bullet.world.pose(position, quaternion, joint_pos)
    np.testing.assert_allclose(bullet.foot_centres(), expected, atol=1e-6)
    np.testing.assert_allclose(mujoco_feet(position, quaternion, joint_pos), expected, atol=1e-6)


def test_pybullet_gives_back_the_trunk_frame_that_it_was_given(bullet: BulletPhysics) -> None:
    position, quaternion, joint_pos = random_pose(7)
    bullet.world.pose(position, quaternion, joint_pos)
    seen_position, seen = bullet.world.base()
    np.testing.assert_allclose(seen_position, position, atol=1e-6)
    assert abs(float(np.dot(seen, quaternion))) == pytest.approx(1.0, abs=1e-7)


def test_both_weigh_the_same(bullet: BulletPhysics) -> None:
    api, world = bullet.world.api, bullet.world
    links = range(-1, len(CONFIG.joints))
    weighed = sum(
        api.getDynamicsInfo(world.robot, link, physicsClientId=world.client)[0] for link in links
    )
    assert weighed == pytest.approx(12.453, abs=1e-9)
    assert build_model(CONFIG, describe(CONFIG)).body_mass.sum() == pytest.approx(weighed)


def run(twin: Twin, clock: SteppedClock, command: MotorCommand, ticks: int) -> np.ndarray:
    twin.write(command)
    for _ in range(ticks):
        clock.advance(1_000_000)
        twin.advance()
    return twin.read().joint_pos


@pytest.mark.parametrize("joint", range(12))
def test_a_torque_at_one_joint_moves_that_joint_forwards_in_both(joint: int) -> None:
    others = np.arange(12) != joint
    for engine in ("mujoco", "pybullet"):
        clock = SteppedClock()
        twin = make_twin(engine, CONFIG, clock)
        twin.reset("on_back", 0)
        # On its back a robot in its standing pose has its legs in the air.
        before = run(twin, clock, MotorCommand(STAND, KP, KD, np.zeros(12)), 800)
        torque = np.where(others, 0.0, 4.0)
        after = run(twin, clock, MotorCommand(STAND, KP * others, KD * others, torque), 60)
        moved = after - before
        assert moved.argmax() == joint and moved[joint] > 0.05, engine
        assert np.abs(moved[others]).max() < 0.05, engine


def test_both_stand_alike() -> None:
    ends = []
    for engine in ("mujoco", "pybullet"):
        clock = SteppedClock()
        twin = make_twin(engine, CONFIG, clock)
        twin.reset("standing", 0)
        run(twin, clock, MotorCommand(STAND, KP, KD, np.zeros(12)), 1500)
        ends.append(twin)
    ours, theirs = ends
    assert isinstance(ours, MujocoBody) and isinstance(theirs, PybulletBody)
    a, b = ours.read(), theirs.read()
    np.testing.assert_allclose(a.joint_pos, b.joint_pos, atol=0.03)
    np.testing.assert_allclose(a.torque, b.torque, atol=1.5)
    assert ours.truth().position[2] == pytest.approx(theirs.truth().position[2], abs=0.005)


def test_legs_pass_through_each_other_only_without_self_collision() -> None:
    crossed = dict(CONFIG.poses["stand"], FR_hip=0.75, FL_hip=-0.75)
    pose = np.array([crossed[name] for name in CONFIG.joints])
    for allowed in (True, False):
        config = load_config("hardware_configs/a1.yaml", [f"twin.self_collision={allowed}"])
        physics = BulletPhysics(config)
        physics.world.pose(np.array([0, 0, 2.0]), np.array([1.0, 0, 0, 0]), pose)
        assert physics.cuts_itself() is allowed
        model = build_model(config, describe(config))
        data = mujoco.MjData(model)  # pyright: ignore[reportAttributeAccessIssue]
        data.qpos[2] = 2.0
        for name, angle in crossed.items():
            data.joint(name).qpos[0] = angle
        mujoco.mj_forward(model, data)  # pyright: ignore[reportAttributeAccessIssue]
        assert (data.ncon > 0) is allowed
