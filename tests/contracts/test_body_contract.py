"""One contract for every body of every machine: the fake, and both twins, which obey physics."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot.body.interface import MotorCommand
from robot.wire.messages import Reading

MakeRig = Any  # conftest.py: builds a rig from a start and a seed


def arrays(reading: Reading) -> dict[str, np.ndarray]:
    named = {name: getattr(reading, name) for name in Reading.__slots__}
    return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}


# Every body.


def test_a_reading_has_the_declared_shapes_and_is_finite(any_body: MakeRig) -> None:
    rig = any_body()
    reading = rig.tick(rig.held(rig.machine.rest))
    shapes = {name: array.shape for name, array in arrays(reading).items()}
    joints, feet = (len(rig.config.joints),), (len(rig.config.legs),)
    assert shapes == {
        "quaternion": (4,),
        "gyro": (3,),
        "accelerometer": (3,),
        "joint_pos": joints,
        "joint_vel": joints,
        "torque": joints,
        "foot_force": feet,
        "temperature": joints,
    }
    assert all(np.isfinite(array).all() for array in arrays(reading).values())
    assert np.linalg.norm(reading.quaternion) == pytest.approx(1.0, abs=1e-6)
    assert 20 < reading.voltage < 30


def test_a_reading_is_stamped_with_the_time_of_the_last_advance(any_body: MakeRig) -> None:
    rig = any_body()
    reading = rig.tick()
    assert reading.stamp_ns == rig.clock.now_ns()
    rig.clock.advance(5_000_000)
    assert rig.body.read().stamp_ns == reading.stamp_ns


def test_a_reading_never_changes_after_it_was_given(any_body: MakeRig) -> None:
    rig = any_body()
    reading = rig.tick()
    before = {name: array.copy() for name, array in arrays(reading).items()}
    rig.run(0.2, rig.held(rig.machine.rest + rig.machine.move / 3))
    for name, array in arrays(reading).items():
        np.testing.assert_array_equal(array, before[name])
    assert not np.array_equal(rig.body.read().joint_pos, before["joint_pos"])


def test_reading_twice_gives_the_same_and_changes_nothing(any_body: MakeRig) -> None:
    once, twice = any_body(), any_body()
    for _ in range(100):
        a, b = (rig.tick(rig.held(rig.machine.rest + 0.05)) for rig in (once, twice))
        again = twice.body.read()
        for name, array in arrays(b).items():
            np.testing.assert_array_equal(array, arrays(again)[name])
            np.testing.assert_array_equal(array, arrays(a)[name])


def test_an_unknown_start_is_refused_with_the_known_ones_named(any_body: MakeRig) -> None:
    rig = any_body()
    known = f"{rig.machine.start}|{rig.machine.anywhere}"
    with pytest.raises(ValueError, match=f"unknown start 'sitting'.*({known}).*({known})"):
        rig.body.reset("sitting", 0)


def test_joints_follow_their_commands(any_body: MakeRig) -> None:
    rig = any_body("free")
    wanted = rig.machine.rest.copy()
    share = np.array([1.0, -0.7, 0.8])[: len(wanted)]
    wanted[: len(share)] += share * rig.machine.move
    rig.run(1.0, rig.held(wanted))
    reached = rig.body.read().joint_pos
    np.testing.assert_allclose(reached, wanted, atol=rig.machine.move / 5)


def test_equal_seeds_give_bit_identical_readings(any_body: MakeRig) -> None:
    rig = any_body("anywhere", 3)
    first = rig.fingerprint()
    assert any_body("anywhere", 3).fingerprint() == first
    rig.body.reset(rig.machine.anywhere, 3)  # after another history
    rig.body.connect()
    assert rig.fingerprint() == first
    assert any_body("anywhere", 4).fingerprint() != first


def test_another_process_gives_bit_identical_readings(any_twin: MakeRig) -> None:
    rig = any_twin("free", 1)
    here = rig.fingerprint()
    code = (
        "import importlib.util as u, sys;"
        f"s = u.spec_from_file_location('rigs', {str(Path(__file__).with_name('conftest.py'))!r});"
        "m = sys.modules['rigs'] = u.module_from_spec(s);"
        "s.loader.exec_module(m);"
        f"[machine] = [x for x in m.MACHINES if x.name == {rig.machine.name!r}];"
        f"print(m.Rig(machine, {rig.name!r}, machine.free, 1).fingerprint())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert there.stdout.split()[-1] == here


def test_a_state_that_is_shown_elsewhere_gives_the_same_picture(any_body: MakeRig) -> None:
    rig, other = any_body(), any_body("anywhere", 2)
    other.body.show(rig.body.truth().state)
    ours, theirs = rig.body.render("chase", 48, 64), other.body.render("chase", 48, 64)
    assert ours.shape == (48, 64, 3) and ours.dtype == np.uint8
    np.testing.assert_array_equal(ours, theirs)


def test_closing_twice_is_safe(any_body: MakeRig) -> None:
    rig = any_body()
    rig.body.close()
    rig.body.close()


# Twins of every machine.


def test_delayed_readings_come_with_the_stamp_of_their_capture(any_twin: MakeRig) -> None:
    late, prompt = any_twin("", 0, "twin.latency_ms=50"), any_twin()
    history = {prompt.body.read().stamp_ns: prompt.body.read()}
    for _ in range(80):
        reading = prompt.tick(prompt.held(prompt.machine.rest))
        history[reading.stamp_ns] = reading
        delayed = late.tick(late.held(late.machine.rest))
    ticks = round(0.05 * late.config.control.inner_hz)
    assert delayed.stamp_ns == late.clock.now_ns() - ticks * late.period_ns
    np.testing.assert_array_equal(delayed.joint_pos, history[delayed.stamp_ns].joint_pos)


def test_torques_never_pass_the_motor_limit(any_twin: MakeRig) -> None:
    rig = any_twin("free")
    strong = rig.held(rig.machine.rest + 2.0, stiffer=10.0)
    torques = [np.abs(rig.tick(strong).torque).max() for _ in range(100)]
    assert max(torques) == pytest.approx(rig.machine.joints("effort").max())


def test_feed_forward_torque_is_added_as_it_is(any_twin: MakeRig) -> None:
    rig = any_twin("free")
    push = np.full(len(rig.still), 1.5)
    reading = rig.tick(MotorCommand(rig.still, rig.still, rig.still, push))
    np.testing.assert_allclose(reading.torque, 1.5, atol=1e-6)


def test_joint_stops_hold_against_full_torque(any_twin: MakeRig) -> None:
    rig = any_twin("free")
    machine, kd = rig.machine, rig.machine.joints("kd")
    for side in (-1.0, 1.0):
        rig.run(0.5, MotorCommand(rig.still, rig.still, kd, side * np.full(len(rig.still), 20.0)))
        position = rig.body.read().joint_pos
        assert (position > machine.joints("lower") - machine.move / 3).all()
        assert (position < machine.joints("upper") + machine.move / 3).all()


def test_random_starts_differ_by_seed_and_end_still(any_twin: MakeRig) -> None:
    ends = []
    for seed in range(4):
        rig = any_twin("anywhere", seed)
        before = rig.body.truth().state
        rig.run(0.2)
        assert np.abs(rig.body.truth().position - before[:3]).max() < 0.05
        ends.append(before)
    assert np.std(ends, axis=0).max() > 0.1
