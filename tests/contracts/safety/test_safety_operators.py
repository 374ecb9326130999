"""Rows of the safety table that are about operators and the way out, on every body there is."""

import numpy as np
import pytest


@pytest.mark.parametrize("before", ["limp", "rising", "ready", "active", "hold", "damping"])
def test_stop_stops_in_every_state_and_stays(new_rig, before):
    rig = new_rig()
    rig.start()
    if before != "limp":
        rig.run({"rising": 0.5}.get(before, 1.1))
    if before in ("active", "hold", "damping"):
        rig.run(0.1, command=True)
        rig.run({"active": 0.0, "hold": 0.5, "damping": 1.5}[before])
    assert rig.state == before
    assert rig.say("stop") == "stopped"
    assert rig.reason == "stopped by the test"
    assert rig.was_told_to_stop()
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
    measured = rig.sensed().joint_pos
    assert rig.say("resume") == "rising"
    rig.run(0.001)
    np.testing.assert_allclose(rig.core.status().target, measured, atol=0.02)
    assert rig.last.kp.max() < 1
    rig.run(1.1)
    assert rig.state == "ready"
    measured = rig.sensed().joint_pos
    assert rig.command(rig.fold)
    rig.assert_filter_began_at(measured)


def test_resume_is_refused_while_the_sensors_are_bad(rig):
    rig.say("stop")
    rig.spoil("joint_pos")
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
    rig.start()
    assert rig.say("pause") == "limp"
    rig.run(0.5)
    assert rig.state == "limp"
    rig.assert_limp()
    assert rig.say("resume") == "rising"


def test_a_paused_robot_that_goes_blind_is_damped(rig):
    rig.say("pause")
    rig.spoil("joint_vel")
    rig.run(1.1)
    assert rig.state == "damping"


def test_a_lost_heartbeat_of_a_declared_dead_man_switch_stops(new_rig):
    rig = new_rig("safety.deadman_s=0.2")
    rig.start()
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
    with pytest.raises(KeyboardInterrupt), rig.running():
        rig.run(1.5, command=True)
        raise KeyboardInterrupt
    assert rig.was_told_to_stop()
    assert rig.state == "disconnected"
    rig.core.close()
    assert rig.was_told_to_stop()


def test_an_unknown_word_changes_nothing(rig):
    assert rig.say("dance") == "active"
    assert rig.count("unknown_word") == 1
