"""Mirroring against physics: a mirrored command on a symmetric twin gives the mirrored robot."""

import numpy as np

from robot.clock import SteppedClock
from robot.config import load_config
from robot.policy.observe import mirrored, mirrors
from robot.policy.robot import Robot
from robot.tasks import make_task
from sim.lockstep import LockstepLink
from sim.mujoco_body import MujocoBody

SILENT = [
    f"twin.noise.{name}=0"
    for name in (
        "gyro_rad_s",
        "accelerometer_m_s2",
        "orientation_rad",
        "joint_pos_rad",
        "joint_vel_rad_s",
        "foot_force_n",
    )
]
# The A1's trunk is a little heavier on its left; here it is not.
EVEN = (
    "twin.links.trunk={mass_kg: 4.713, centre_m: [0.0127, 0, 0.0005], "
    "size_m: [0.267, 0.194, 0.114], inertia_kg_m2: [0.0168, 0.0566, 0.0647, 0, 0.0006, 0]}"
)
CONFIG = load_config("hardware_configs/a1.yaml", [*SILENT, EVEN, "twin.start=standing"])
TABLE = mirrors(CONFIG)


def restless() -> np.ndarray:
    stand = np.tile((0.0, -0.19, 0.67), 4)
    noise = np.random.default_rng(0).uniform(-0.4, 0.4, (16, 12))
    return (stand + noise).astype(np.float32)


def live(actions: np.ndarray) -> list[dict[str, np.ndarray]]:
    clock = SteppedClock()
    link = LockstepLink(CONFIG, MujocoBody(CONFIG, clock), clock)
    link.open()
    robot = Robot(CONFIG, link, make_task(CONFIG))
    seen = [robot.reset()]
    for action in actions:
        robot.act(action)
        seen.append(robot.observe())
    link.close()
    return seen


def test_a_mirrored_command_moves_the_robot_like_its_mirror_image():
    actions = restless()
    seen, reflected = live(actions), live(mirrored(actions, TABLE["action"]))
    moved = np.ptp([s["joint_pos"] for s in seen], axis=0)
    assert moved.min() > 0.03, "nothing happened that could differ"
    for one, other in zip(seen, reflected, strict=True):
        for key in set(TABLE) & set(one):
            np.testing.assert_allclose(
                mirrored(one[key], TABLE[key]), other[key], atol=0.02, rtol=0.02, err_msg=key
            )
        np.testing.assert_allclose(one["reward"], other["reward"], atol=0.02)


def test_without_mirroring_the_two_robots_differ():
    actions = restless()
    seen, reflected = live(actions)[-1], live(mirrored(actions, TABLE["action"]))[-1]
    assert np.abs(seen["joint_pos"] - reflected["joint_pos"]).max() > 0.05
    assert np.abs(seen["gravity"] - reflected["gravity"]).max() > 0.01
