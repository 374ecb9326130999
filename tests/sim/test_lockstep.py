"""The lock-step link: periods, rates, determinism, safety and ten minutes of random play."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from robot.clock import SteppedClock
from robot.config import RobotConfig, load_config
from robot.wire.messages import Command, OperatorWord
from sim.faults import FaultyBody
from sim.lockstep import LockstepLink
from sim.scene import ENGINES, make_twin

A1 = "hardware_configs/a1.yaml"


def opened(*changes: str, engine: str = "mujoco", seed: int = 0) -> LockstepLink:
    pytest.importorskip(engine)
    config, clock = load_config(A1, changes), SteppedClock()
    link = LockstepLink(config, make_twin(engine, config, clock, seed), clock)
    link.open()
    return link


def command(link: LockstepLink, sequence: int, position: np.ndarray) -> Command:
    return Command(sequence, link.now_ns(), link.now_ns(), position)


def ranges(config: RobotConfig) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.array([joint.action_range for joint in config.joints.values()]).T
    return low, high


def played(link: LockstepLink, steps: int) -> str:
    rng, total = np.random.default_rng(1), hashlib.sha256()
    low, high = ranges(link.config)
    for step in range(steps):
        link.send(command(link, step, rng.uniform(low, high)))
        for sample in link.next_tick():
            reading = sample.reading
            total.update(reading.joint_pos.tobytes() + reading.accelerometer.tobytes())
            total.update(reading.foot_force.tobytes() + sample.status.target.tobytes())
    return total.hexdigest()


def test_open_returns_with_a_ready_robot() -> None:
    assert opened().next_tick()[-1].status.state == "ready"


def test_a_control_period_brings_the_declared_samples_up_to_now() -> None:
    link = opened()
    for _ in range(3):
        before = link.now_ns()
        samples = link.next_tick()
        assert link.now_ns() - before == 50_000_000
        stamps = [sample.reading.stamp_ns - before for sample in samples]
        assert stamps == [5_000_000 * n for n in range(1, 11)]


def test_a_command_is_followed() -> None:
    link = opened("twin.start=on_back")
    stand = np.array([link.config.poses["stand"][name] for name in link.config.joints])
    for sequence in range(40):
        link.send(command(link, sequence, stand))
        sample = link.next_tick()[-1]
        assert sample.status.command_sequence == sequence
    assert sample.status.state == "active"
    np.testing.assert_allclose(sample.reading.joint_pos, stand, atol=0.1)


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_seeds_play_bit_identically(engine: str) -> None:
    first = played(opened(engine=engine), 30)
    assert played(opened(engine=engine), 30) == first
    assert played(opened(engine=engine, seed=1), 30) != first


@pytest.mark.parametrize("engine", ENGINES)
def test_a_restart_forgets_what_was_before(engine: str) -> None:
    link, fresh = opened(engine=engine), opened("twin.start=random_fall", engine=engine, seed=9)
    played(link, 20)
    link.restart("random_fall", 9)
    assert played(link, 20) == played(fresh, 20)


def test_an_operator_stops_the_twin() -> None:
    link = opened()
    link.say(OperatorWord("stop", "test", link.now_ns()))
    assert link.next_tick()[-1].status.state == "stopped"


def test_a_body_that_never_gets_ready_is_a_timeout_that_says_why() -> None:
    config, clock = load_config(A1), SteppedClock()
    twin = FaultyBody(make_twin("mujoco", config, clock), clock)
    twin.sensed["voltage"] = 1.0
    with pytest.raises(TimeoutError, match="not ready after 6 s.*damping.*V"):
        LockstepLink(config, twin, clock).open()


def test_only_observed_cameras_are_drawn_and_at_their_own_rate() -> None:
    blind, seeing = opened(), opened("cameras.front.observed=true", "cameras.front.hz=8")
    blind.next_tick()
    assert blind.frames() == {}
    stamps = []
    for _ in range(40):  # two seconds
        seeing.next_tick()
        stamp, picture = seeing.frames()["front"]
        stamps.append(stamp)
        assert picture.shape == (64, 64, 3) and stamp <= seeing.now_ns()
    assert len(set(stamps)) == 16
    seeing.close()


def test_closing_twice_is_safe() -> None:
    link = opened()
    link.close()
    link.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ENGINES)
def test_ten_minutes_of_random_play_on_the_back_stay_sane(engine: str) -> None:
    link = opened(engine=engine)
    limits = np.array([(j.lower, j.upper) for j in link.config.joints.values()])
    rng = np.random.default_rng(1)
    low, high = ranges(link.config)
    for step in range(10 * 60 * 20):
        link.send(command(link, step, rng.uniform(low, high)))
        for sample in link.next_tick():
            angle = sample.reading.joint_pos
            assert (angle > limits[:, 0] - 0.1).all() and (angle < limits[:, 1] + 0.1).all()
            assert np.abs(sample.reading.joint_vel).max() < 40
        assert sample.status.state == "active", sample.status.reason
        truth = link.twin.truth()
        assert np.isfinite(truth.state).all() and 0.02 < truth.position[2] < 0.5
