"""Rows of the safety table that are about commands, on every body there is."""

import numpy as np
import pytest

from robot.clock import NS


def test_motors_are_limp_until_started_and_stiffen_slowly_at_the_measured_pose(new_rig):
    rig = new_rig()
    assert rig.state == "disconnected"
    rig.start()
    assert rig.state == "limp"
    rig.assert_limp()
    measured = rig.sensed().joint_pos
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
    rig.start()
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
    limits = [(j.lower, j.upper) for j in rig.config.joints.values()]
    lower, upper = np.array(limits).T
    for _ in range(30):
        rig.command(upper)
        rig.run(0.05)
        assert (rig.core.status().target <= upper).all()


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
    measured = rig.sensed().joint_pos
    assert rig.command(rig.fold)
    assert rig.state == "active"
    rig.assert_filter_began_at(measured)


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
        rig.start()
        rig.run(1.1)
        for _ in range(20):
            rig.command(rig.fold + rng.uniform(0, 0.02, 12))
            rig.run(0.05)
        last = rig.samples[-1]
        return last.reading.joint_pos.tobytes() + last.status.target.tobytes()

    assert play() == play()
