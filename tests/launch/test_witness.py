"""A watched twin: the truth at the sensors' rate, and a scripted trot that passes the gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from launch.gait import Gait, measure, walking_gate
from launch.trot import Trot
from launch.witness import WitnessedTwin
from robot.clock import SteppedClock
from robot.config import load_config
from robot.wire.messages import Command
from sim.lockstep import LockstepLink
from sim.scene import make_twin

CONFIG = load_config(
    Path(__file__).parents[2] / "hardware_configs/a1.yaml", ["twin.start=standing"]
)
STAND = np.array([CONFIG.poses["stand"][joint] for joint in CONFIG.joints])


def gait_of(engine: str, targets: Callable[[float], np.ndarray], seconds: float) -> Gait:
    """Follow joint targets for a while, from standing."""
    clock = SteppedClock()
    twin = WitnessedTwin(make_twin(engine, CONFIG, clock), CONFIG)
    link = LockstepLink(CONFIG, twin, clock)
    link.open()
    twin.forget()
    for step in range(round(seconds * 20)):
        link.send(Command(step, clock.now_ns(), clock.now_ns(), targets(step / 20)))
        link.next_tick()
    link.close()
    return measure(twin.motion())


def test_the_truth_is_noted_at_the_rate_of_the_sensors_since_it_was_told_to_forget():
    clock = SteppedClock()
    twin = WitnessedTwin(make_twin("mujoco", CONFIG, clock), CONFIG)
    for _ in range(123):
        twin.advance()
    twin.forget()
    for _ in range(100):
        twin.advance()
    motion = twin.motion()
    assert motion.hz == 200.0
    assert motion.position.shape == (20, 3) and motion.foot_contact.shape == (20, 4)
    np.testing.assert_array_equal(motion.position[-1], twin.truth().position)


def test_the_witness_changes_nothing_that_the_twin_does():
    watched, alone = (make_twin("mujoco", CONFIG, SteppedClock()) for _ in range(2))
    witness = WitnessedTwin(watched, CONFIG)
    for _ in range(200):
        witness.advance()
        alone.advance()
    np.testing.assert_array_equal(witness.truth().state, alone.truth().state)
    np.testing.assert_array_equal(witness.read().gyro, alone.read().gyro)


@pytest.mark.parametrize("engine", ["mujoco", "pybullet"])
def test_a_scripted_trot_with_a_long_high_stride_passes_the_gate(engine: str):
    if engine == "pybullet":
        pytest.importorskip("pybullet")
    trot = Trot(rate_hz=1.5, reach_m=0.12, lift_m=0.1)
    gait = gait_of(engine, lambda time_s: trot.joint_pos(CONFIG, time_s), 6.0)
    assert [check for check in walking_gate(gait) if not check.passes] == []
    assert all(3 <= foot.swings <= 10 for foot in gait.feet)  # nine strides; some only graze
    assert 0.25 < gait.forward_m_s < 0.45
    assert gait.displacement_m == pytest.approx(6 * gait.forward_m_s, rel=0.2)


def test_standing_and_shuffling_do_not_pass():
    still = gait_of("mujoco", lambda _: STAND, 2.0)
    assert [foot.swings for foot in still.feet] == [0] * 4
    assert abs(still.forward_m_s) < 0.02 and still.up > 0.99
    assert 0.22 < still.height_m < 0.30 and still.high_share == 1.0
    flat = Trot(lift_m=0.0)
    shuffle = gait_of("mujoco", lambda time_s: flat.joint_pos(CONFIG, time_s), 4.0)
    failed = [check.name for check in walking_gate(shuffle) if not check.passes]
    assert "swings per second, laziest foot" in failed and "forward speed, m/s" in failed
