"""Rows of the safety table that are about what the body senses, on every body there is."""

import numpy as np
import pytest


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
    wrong = rig.sensed().joint_pos.copy()
    wrong[0] = 2.0
    rig.twin.sensed["joint_pos"] = wrong
    rig.run(0.001, command=True)
    assert rig.state == "hold"
    assert abs(rig.last.position[0]) < 0.21
    assert "FR_hip reads 2.00 rad" in rig.reason
    rig.run(0.5, command=True)
    assert rig.state == "hold"
    rig.run(0.6, command=True)
    assert rig.state == "damping"


def test_a_glitch_of_one_joint_never_reaches_the_motors(rig):
    wrong = rig.sensed().joint_pos.copy()
    wrong[1] += 0.5  # within its range, but not within a millisecond's reach
    rig.twin.sensed["joint_pos"] = wrong
    rig.run(0.001)
    assert rig.state == "hold"
    assert "FR_thigh reads" in rig.reason and "too far from where it was" in rig.reason
    assert abs(rig.last.position[1] - (wrong[1] - 0.5)) < 0.21
    rig.twin.heal()
    rig.run(0.002)
    assert rig.command(rig.fold)
    assert rig.state == "active"


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


NOTICED_S = {"stale": 0.022, "frozen": 0.202, "cut off": 0.022}
SPOILT = ["stale", "frozen", "cut off", "no rotation", "quaternion", "gyro", "accelerometer"]
SPOILT += ["joint_pos", "joint_vel", "torque", "foot_force"]


@pytest.mark.parametrize("how", SPOILT)
def test_bad_sensors_lead_to_hold_and_then_to_damping(rig, how):
    rig.spoil(how)
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
    reading = rig.sensed()
    for name in ("joint_pos", "joint_vel", "torque", "foot_force"):
        rig.twin.sensed[name] = getattr(reading, name).copy()
    rig.run(0.19, command=True)
    assert rig.state == "active"
    rig.run(0.02, command=True)
    assert (rig.state, rig.reason) == ("hold", "joint sensors are frozen")


def test_sensors_that_return_in_time_let_the_next_command_lead_on(rig):
    rig.spoil("gyro")
    rig.run(0.3, command=True)
    assert rig.state == "hold"
    rig.twin.heal()
    rig.run(0.02)
    assert rig.state == "hold"
    assert rig.command(rig.fold)
    assert rig.state == "active"


def test_a_glitch_during_the_soft_start_begins_it_anew(new_rig):
    rig = new_rig()
    rig.start()
    rig.run(0.5)
    rig.spoil("joint_pos")
    rig.run(0.1)
    assert rig.state == "hold"
    assert rig.last.kp[0] == pytest.approx(40, abs=1)
    rig.twin.heal()
    rig.run(0.002)
    assert rig.state == "rising"
    assert rig.last.kp[0] < 1
    rig.run(1.1)
    assert rig.state == "ready"


@pytest.mark.parametrize(
    ("sensed", "warned", "damped"),
    [
        ("temperature", np.array([55.0] + 11 * [30.0]), np.array(11 * [30.0] + [60.0])),
        ("voltage", 20.5, 19.0),
    ],
)
def test_heat_and_low_battery_warn_first_and_damp_second(rig, sensed, warned, damped):
    if rig.name == "a1_wire" and sensed == "voltage":
        pytest.skip("this wire tells no voltage")
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
    rig.spoil("temperature")
    rig.run(0.01)
    assert rig.state == "damping"
