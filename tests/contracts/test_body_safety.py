"""The safety table, one test per row, on every body there is."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
import pytest

from robot.body.core import BodyCore
from robot.body.drivers.fake import FakeBody
from robot.body.interface import MotorCommand, Twin
from robot.clock import NS, Clock, SteppedClock
from robot.config import RobotConfig, load_config
from robot.wire.link import Sample
from robot.wire.messages import Command, OperatorWord
from sim.faults import FaultyBody

TWINS = {
    "mujoco": ("sim.mujoco_body", "MujocoBody"),
    "pybullet": ("sim.pybullet_body", "PybulletBody"),
}
BODIES = ["fake", *TWINS]


def make_twin(name: str, config: RobotConfig, clock: Clock) -> Twin:
    if name == "fake":
        return FakeBody(config, clock)
    module, kind = TWINS[name]
    pytest.importorskip(name)
    return getattr(importlib.import_module(module), kind)(config, clock)


class Rig:
    """A body core in lock-step, on a twin that fails on request."""

    def __init__(self, name: str, *changes: str) -> None:
        self.config = load_config("hardware_configs/a1.yaml", ["twin.start=folded", *changes])
        self.clock = SteppedClock(7 * NS)
        self.twin = FaultyBody(make_twin(name, self.config, self.clock), self.clock)
        self.core = BodyCore(self.config, self.twin, self.clock)
        self.samples: list[Sample] = []
        self.fold = np.array([self.config.poses["fold"][j] for j in self.config.joints])
        self.sequence = 0

    @property
    def state(self) -> str:
        return self.core.guard.state

    @property
    def reason(self) -> str:
        return self.core.guard.reason

    @property
    def last(self) -> MotorCommand:
        assert self.twin.last is not None
        return self.twin.last

    def count(self, what: str) -> int:
        return self.core.guard.counts.get(what, 0)

    def run(self, seconds: float, command: bool = False) -> None:
        """Let time pass; with `command`, a good one every control period."""
        control = self.config.control
        for tick in range(round(seconds * control.inner_hz)):
            if command and tick % (control.inner_hz // control.control_hz) == 0:
                self.command(self.fold)
            self.clock.advance(NS // control.inner_hz)
            self.twin.advance()
            sample = self.core.tick()
            if sample is not None:
                self.samples.append(sample)

    def command(self, position: np.ndarray) -> bool:
        self.sequence += 1
        return self.core.command(Command(self.sequence, self.clock.now_ns(), 0, position))

    def say(self, word: str) -> str:
        return self.core.word(OperatorWord(word, "the test", self.clock.now_ns())).state

    def activate(self) -> None:
        self.core.start()
        self.run(1.1)
        self.run(0.5, command=True)
        assert self.state == "active", self.reason

    def assert_damped(self) -> None:
        """The motors were given damping, in every tick and last of all."""
        last = self.last
        assert not last.kp.any() and not last.torque.any()
        np.testing.assert_array_equal(last.kd, [j.kd for j in self.config.joints.values()])

    def assert_filter_began_at(self, pose: np.ndarray) -> None:
        """The target is one step of the filter away from the pose that it was seeded with."""
        joints = self.config.joints.values()
        stepped = pose + 0.04125354 * (self.fold - pose)
        expected = np.clip(stepped, [j.lower_rad for j in joints], [j.upper_rad for j in joints])
        np.testing.assert_allclose(self.core.status().target, expected, atol=1e-6)

    def assert_stiff(self) -> None:
        last = self.last
        np.testing.assert_array_equal(last.kp, [j.kp for j in self.config.joints.values()])


@pytest.fixture(params=BODIES)
def rig(request) -> Rig:
    made = Rig(request.param)
    made.activate()
    return made


@pytest.fixture(params=BODIES)
def new_rig(request) -> Callable[..., Rig]:
    return lambda *changes: Rig(request.param, *changes)


def test_motors_are_limp_until_started_and_stiffen_slowly_at_the_measured_pose(new_rig):
    rig = new_rig()
    assert rig.state == "disconnected"
    rig.core.start()
    assert rig.state == "limp"
    assert rig.twin.last is None
    measured = rig.twin.read().joint_pos
    rig.run(0.002)
    assert rig.state == "rising"
    shares = []
    for _ in range(9):
        rig.run(0.1)
        shares.append(rig.last.kp[0] / 80)
        assert np.abs(rig.core.status().target - measured).max() < 0.01
    np.testing.assert_allclose(shares, np.arange(1, 10) / 10, atol=0.01)
    rig.run(0.2)
    assert rig.state == "ready"
    rig.assert_stiff()


def test_commands_are_ignored_until_the_robot_is_ready(new_rig):
    rig = new_rig()
    rig.core.start()
    rig.run(0.5, command=True)
    assert rig.state == "rising"
    assert rig.count("command_ignored") == 10
    rig.run(0.6)
    assert rig.command(rig.fold)
    assert rig.state == "active"


BAD = {
    "not finite": lambda fold: np.where(np.arange(12) == 3, np.nan, fold),
    "wrong shape": lambda fold: fold[:3],
    "outside spec": lambda fold: fold + 10.0,
}


@pytest.mark.parametrize("kind", BAD)
def test_one_bad_command_is_refused_and_the_last_good_one_held(rig, kind):
    before = rig.core.status()
    assert not rig.command(BAD[kind](rig.fold))
    after = rig.core.status()
    assert (after.state, after.command_sequence) == ("active", before.command_sequence)
    np.testing.assert_array_equal(after.target, before.target)
    assert after.counts["command_refused"] == 1


def test_three_bad_commands_in_a_row_lead_to_damping(rig):
    bad = BAD["not finite"](rig.fold)
    for _ in range(4):
        for position in (bad, bad, rig.fold):
            rig.command(position)
    assert rig.state == "active"
    rig.command(bad)
    rig.command(BAD["wrong shape"](rig.fold))
    rig.core.refuse("not readable")
    assert rig.state == "damping"
    assert "3 bad commands in a row" in rig.reason
    rig.run(0.2, command=True)
    assert rig.state == "damping"
    rig.assert_damped()


def test_targets_are_clipped_to_the_joints_limits(rig):
    limits = [(j.lower_rad, j.upper_rad) for j in rig.config.joints.values()]
    lower, upper = np.array(limits).T
    for _ in range(30):
        rig.command(upper)
        rig.run(0.05)
        assert (rig.core.status().target <= upper).all()


def test_a_joint_that_runs_away_leads_to_damping(rig):
    rig.twin.sensed["joint_vel"] = np.where(np.arange(12) == 7, 40.0, 0.001 * np.arange(12))
    rig.run(0.015, command=True)
    assert rig.state == "active"
    rig.run(0.015)
    assert rig.state == "damping"
    assert "RR_thigh is faster" in rig.reason
    rig.assert_damped()


def test_a_joint_stuck_at_its_torque_limit_leads_to_damping(rig):
    rig.twin.sensed["torque"] = np.full(12, -33.5)
    rig.run(0.9, command=True)
    assert rig.state == "active"
    rig.run(0.2, command=True)
    assert rig.state == "damping"
    assert "torque limit" in rig.reason


def test_a_joint_that_lost_its_zero_is_a_sensor_fault(rig):
    wrong = rig.twin.read().joint_pos.copy()
    wrong[0] = 2.0
    rig.twin.sensed["joint_pos"] = wrong
    rig.run(0.01, command=True)
    assert rig.state == "hold"
    assert "FR_hip reads 2.00 rad" in rig.reason
    rig.run(0.5, command=True)
    assert rig.state == "hold"
    rig.run(0.6, command=True)
    assert rig.state == "damping"


def test_lying_on_the_back_is_allowed_when_getting_up_is_the_task(rig):
    rig.twin.sensed["quaternion"] = np.array([0.0, 1.0, 0.0, 0.0])
    rig.run(0.5, command=True)
    assert rig.state == "active"


def test_a_fall_leads_to_damping_when_the_task_does_not_allow_it(new_rig):
    rig = new_rig("safety.tilt_allowed=false")
    rig.activate()
    half = np.deg2rad(30)
    rig.twin.sensed["quaternion"] = np.array([np.cos(half - 0.01), 0, np.sin(half - 0.01), 0])
    rig.run(0.1, command=True)
    assert rig.state == "active"
    rig.twin.sensed["quaternion"] = np.array([np.cos(half + 0.01), 0, np.sin(half + 0.01), 0])
    rig.run(0.01)
    assert rig.state == "damping"
    assert "fell" in rig.reason


def spoil(rig: Rig, how: str) -> None:
    if how == "stale":
        rig.twin.stall()
    elif how == "frozen":
        rig.twin.freeze()
    elif how == "cut off":
        rig.twin.disconnect()
    elif how == "no rotation":
        rig.twin.sensed["quaternion"] = np.zeros(4)
    else:
        rig.twin.sensed[how] = np.full_like(getattr(rig.twin.read(), how), np.nan)


NOTICED_S = {"stale": 0.022, "frozen": 0.202, "cut off": 0.022}
SPOILT = ["stale", "frozen", "cut off", "no rotation", "quaternion", "gyro", "accelerometer"]
SPOILT += ["joint_pos", "joint_vel", "torque", "foot_force"]


@pytest.mark.parametrize("how", SPOILT)
def test_bad_sensors_lead_to_hold_and_then_to_damping(rig, how):
    spoil(rig, how)
    rig.run(NOTICED_S.get(how, 0.001), command=True)
    assert rig.state == "hold", rig.reason
    assert rig.reason
    rig.assert_stiff()
    assert np.isfinite(rig.last.position).all()
    rig.run(0.9, command=True)
    assert rig.state == "hold"
    rig.run(0.2, command=True)
    assert rig.state == "damping"
    rig.twin.heal()
    rig.run(0.2, command=True)
    assert rig.state == "damping"
    rig.assert_damped()


def test_frozen_joints_are_noticed_though_the_trunk_still_moves(rig):
    reading = rig.twin.read()
    for name in ("joint_pos", "joint_vel", "torque", "foot_force"):
        rig.twin.sensed[name] = getattr(reading, name).copy()
    rig.run(0.19, command=True)
    assert rig.state == "active"
    rig.run(0.02, command=True)
    assert (rig.state, rig.reason) == ("hold", "joint sensors are frozen")


def test_sensors_that_return_in_time_let_the_next_command_lead_on(rig):
    spoil(rig, "gyro")
    rig.run(0.3, command=True)
    assert rig.state == "hold"
    rig.twin.heal()
    rig.run(0.02)
    assert rig.state == "hold"
    assert rig.command(rig.fold)
    assert rig.state == "active"


def test_a_glitch_during_the_soft_start_begins_it_anew(new_rig):
    rig = new_rig()
    rig.core.start()
    rig.run(0.5)
    spoil(rig, "joint_pos")
    rig.run(0.1)
    assert rig.state == "hold"
    assert rig.last.kp[0] == pytest.approx(40, abs=1)
    rig.twin.heal()
    rig.run(0.002)
    assert rig.state == "rising"
    assert rig.last.kp[0] < 1
    rig.run(1.1)
    assert rig.state == "ready"


def test_stale_commands_lead_to_hold_and_then_to_damping(rig):
    rig.command(rig.fold)
    rig.run(0.2)
    assert rig.state == "active"
    rig.run(0.002)
    assert rig.state == "hold"
    assert "commands are stale" in rig.reason
    target = rig.core.status().target
    rig.run(0.9)
    assert rig.state == "hold"
    np.testing.assert_array_equal(rig.core.status().target, target)
    rig.assert_stiff()
    rig.run(0.2)
    assert rig.state == "damping"
    rig.run(0.1, command=True)
    assert rig.state == "damping"
    rig.assert_damped()


def test_a_fresh_command_leaves_hold_from_the_measured_pose(rig):
    rig.run(0.5)
    assert rig.state == "hold"
    measured = rig.twin.read().joint_pos
    assert rig.command(rig.fold)
    assert rig.state == "active"
    rig.assert_filter_began_at(measured)


@pytest.mark.parametrize(
    ("sensed", "warned", "damped"),
    [
        ("temperature", np.array([55.0] + 11 * [30.0]), np.array(11 * [30.0] + [60.0])),
        ("voltage", 20.5, 19.0),
    ],
)
def test_heat_and_low_battery_warn_first_and_damp_second(rig, sensed, warned, damped):
    rig.twin.sensed[sensed] = warned
    rig.run(0.1, command=True)
    assert rig.state == "active"
    assert rig.reason.startswith("warning")
    assert rig.count("warning") == 1
    rig.twin.heal()
    rig.run(0.01)
    assert rig.reason == ""
    rig.twin.sensed[sensed] = damped
    rig.run(0.01)
    assert rig.state == "damping"
    rig.assert_damped()


def test_a_motor_without_a_temperature_leads_to_damping_but_an_unmeasured_battery_does_not(rig):
    rig.twin.sensed["voltage"] = float("nan")
    rig.run(0.1, command=True)
    assert rig.state == "active"
    rig.twin.sensed["temperature"] = np.full(12, np.nan)
    rig.run(0.01)
    assert rig.state == "damping"


@pytest.mark.parametrize("before", ["limp", "rising", "ready", "active", "hold", "damping"])
def test_stop_stops_in_every_state_and_stays(new_rig, before):
    rig = new_rig()
    rig.core.start()
    if before != "limp":
        rig.run({"rising": 0.5}.get(before, 1.1))
    if before in ("active", "hold", "damping"):
        rig.run(0.1, command=True)
        rig.run({"active": 0.0, "hold": 0.5, "damping": 1.5}[before])
    assert rig.state == before
    assert rig.say("stop") == "stopped"
    assert rig.reason == "stopped by the test"
    assert rig.twin.stops == 1
    rig.run(0.3, command=True)
    rig.assert_damped()
    assert rig.state == "stopped"


@pytest.mark.parametrize("latch", ["stop", "damping"])
def test_resume_starts_softly_from_the_measured_pose(rig, latch):
    if latch == "stop":
        rig.say("stop")
    else:
        rig.core.guard.danger(rig.clock.now_ns(), "on request")
    rig.run(0.5)
    measured = rig.twin.read().joint_pos
    assert rig.say("resume") == "rising"
    rig.run(0.001)
    np.testing.assert_allclose(rig.core.status().target, measured, atol=0.02)
    assert rig.last.kp.max() < 1
    rig.run(1.1)
    assert rig.state == "ready"
    measured = rig.twin.read().joint_pos
    assert rig.command(rig.fold)
    rig.assert_filter_began_at(measured)


def test_resume_is_refused_while_the_sensors_are_bad(rig):
    rig.say("stop")
    spoil(rig, "joint_pos")
    rig.run(0.01)
    assert rig.say("resume") == "stopped"
    assert "not resumed: joint_pos is not finite" in rig.reason
    rig.run(0.01)
    rig.assert_damped()
    rig.twin.heal()
    rig.run(0.01)
    assert rig.say("resume") == "rising"


def test_pause_holds_until_resume_whatever_is_commanded(rig):
    assert rig.say("pause") == "hold"
    rig.run(3.0, command=True)
    assert (rig.state, rig.reason) == ("hold", "paused by the test")
    rig.assert_stiff()
    assert rig.say("resume") == "rising"
    rig.run(1.1)
    rig.run(0.1, command=True)
    assert rig.state == "active"


def test_pause_before_the_start_keeps_the_robot_limp(new_rig):
    rig = new_rig()
    rig.core.start()
    assert rig.say("pause") == "limp"
    rig.run(0.5)
    assert rig.state == "limp"
    assert not rig.last.kp.any() and not rig.last.kd.any()
    assert rig.say("resume") == "rising"


def test_a_paused_robot_that_goes_blind_is_damped(rig):
    rig.say("pause")
    spoil(rig, "joint_vel")
    rig.run(1.1)
    assert rig.state == "damping"


def test_a_lost_heartbeat_of_a_declared_dead_man_switch_stops(new_rig):
    rig = new_rig("safety.deadman_s=0.2")
    rig.core.start()
    rig.run(0.5)
    assert rig.state == "limp"
    for _ in range(15):
        rig.say("alive")
        rig.run(0.1, command=True)
    assert rig.state == "active"
    rig.run(0.25, command=True)
    assert (rig.state, rig.reason) == ("stopped", "dead-man switch was let go")
    rig.assert_damped()
    assert rig.say("resume") == "stopped"
    assert "dead-man switch is not held" in rig.reason
    rig.say("alive")
    assert rig.say("resume") == "rising"


def test_leaving_the_context_stops_the_motors_also_after_an_error(new_rig):
    rig = new_rig()
    with pytest.raises(KeyboardInterrupt), rig.core:
        rig.run(1.5, command=True)
        raise KeyboardInterrupt
    assert rig.twin.stops == 1
    assert rig.state == "disconnected"
    rig.core.close()
    assert rig.twin.stops == 1


def test_an_unknown_word_changes_nothing(rig):
    assert rig.say("dance") == "active"
    assert rig.count("unknown_word") == 1


def test_samples_come_at_the_declared_rate_and_carry_the_state(rig):
    rig.samples.clear()
    rig.run(0.5, command=True)
    assert len(rig.samples) == 100
    stamps = np.array([s.reading.stamp_ns for s in rig.samples])
    assert (np.diff(stamps) == NS // 200).all()
    assert stamps[-1] == rig.clock.now_ns()
    assert rig.samples[-1].status.state == "active"
    assert rig.samples[-1].status.command_sequence == rig.sequence


def test_the_same_commands_give_the_same_bits(new_rig):
    def play() -> bytes:
        rig = new_rig()
        rng = np.random.default_rng(3)
        rig.core.start()
        rig.run(1.1)
        for _ in range(20):
            rig.command(rig.fold + rng.uniform(0, 0.02, 12))
            rig.run(0.05)
        last = rig.samples[-1]
        return last.reading.joint_pos.tobytes() + last.status.target.tobytes()

    assert play() == play()
