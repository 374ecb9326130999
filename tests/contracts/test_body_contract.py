"""One contract for every body: the fake, and both twins, which also obey physics."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from robot.body.drivers.fake import FakeBody
from robot.body.interface import MotorCommand, Twin
from robot.clock import SteppedClock
from robot.config import RobotConfig, load_config
from robot.tasks.kinematics import rotation_matrix
from robot.wire.messages import Reading
from sim.scene import ENGINES, make_twin

CONFIG = load_config("hardware_configs/a1.yaml")
JOINTS = len(CONFIG.joints)
STAND = np.array([CONFIG.poses["stand"][name] for name in CONFIG.joints])
KP = np.array([joint.kp for joint in CONFIG.joints.values()])
KD = np.array([joint.kd for joint in CONFIG.joints.values()])
STILL = np.zeros(JOINTS)
LIMP = MotorCommand(STILL, STILL, STILL, STILL)
MASS_KG, GRAVITY = 12.453, 9.81


class Rig:
    """A body with its clock, moved on by hand."""

    def __init__(self, name: str, start: str, seed: int = 0, config: RobotConfig = CONFIG) -> None:
        self.clock = SteppedClock(10**9)
        if name == "fake":
            self.body: Twin = FakeBody(config, self.clock)
        else:
            pytest.importorskip(name)
            self.body = make_twin(name, config, self.clock, seed)
        self.body.reset(start, seed)
        self.body.connect()

    def run(self, seconds: float, command: MotorCommand = LIMP) -> None:
        for _ in range(round(seconds * 1000)):
            self.tick(command)

    def tick(self, command: MotorCommand) -> Reading:
        self.body.write(command)
        self.clock.advance(1_000_000)
        self.body.advance()
        return self.body.read()

    def stand_up(self, seconds: float = 1.5) -> None:
        first = self.body.read().joint_pos.copy()
        for share in np.linspace(0, 1, round(seconds * 1000)):
            self.tick(held(first + share * (STAND - first)))

    def fingerprint(self, ticks: int = 400) -> str:
        rng, total = np.random.default_rng(5), hashlib.sha256()
        target = STAND
        for tick in range(ticks):
            if tick % 50 == 0:
                target = STAND + rng.uniform(-0.3, 0.3, JOINTS)
            reading = self.tick(held(target))
            for array in arrays(reading).values():
                total.update(array.tobytes())
        return total.hexdigest()


def held(pose: np.ndarray) -> MotorCommand:
    return MotorCommand(pose, KP, KD, STILL)


def arrays(reading: Reading) -> dict[str, np.ndarray]:
    named = {name: getattr(reading, name) for name in Reading.__slots__}
    return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}


def up(rig: Rig) -> float:
    return float(rotation_matrix(rig.body.truth().quaternion)[2, 2])


@pytest.fixture(params=["fake", *ENGINES])
def body(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param)
    return request.param


@pytest.fixture
def standing(engine: str) -> Iterator[Rig]:
    rig = Rig(engine, "folded")
    rig.stand_up()
    rig.run(0.5, held(STAND))
    yield rig
    rig.body.close()


# Every body.


def test_a_reading_has_the_declared_shapes_and_is_finite(body: str) -> None:
    reading = Rig(body, "standing").tick(held(STAND))
    shapes = {name: array.shape for name, array in arrays(reading).items()}
    joints, feet = (JOINTS,), (len(CONFIG.legs),)
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


def test_a_reading_is_stamped_with_the_time_of_the_last_advance(body: str) -> None:
    rig = Rig(body, "standing")
    reading = rig.tick(LIMP)
    assert reading.stamp_ns == rig.clock.now_ns()
    rig.clock.advance(5_000_000)
    assert rig.body.read().stamp_ns == reading.stamp_ns


def test_a_reading_never_changes_after_it_was_given(body: str) -> None:
    rig = Rig(body, "standing")
    reading = rig.tick(LIMP)
    before = {name: array.copy() for name, array in arrays(reading).items()}
    rig.run(0.2, held(STAND + 0.1))
    for name, array in arrays(reading).items():
        np.testing.assert_array_equal(array, before[name])
    assert not np.array_equal(rig.body.read().joint_pos, before["joint_pos"])


def test_reading_twice_gives_the_same_and_changes_nothing(body: str) -> None:
    once, twice = Rig(body, "folded"), Rig(body, "folded")
    for _ in range(100):
        a, b = once.tick(held(STAND)), twice.tick(held(STAND))
        again = twice.body.read()
        for name, array in arrays(b).items():
            np.testing.assert_array_equal(array, arrays(again)[name])
            np.testing.assert_array_equal(array, arrays(a)[name])


def test_an_unknown_start_is_refused_with_the_known_ones_named(body: str) -> None:
    rig = Rig(body, "standing")
    with pytest.raises(ValueError, match="unknown start 'sitting'.*standing.*random_fall"):
        rig.body.reset("sitting", 0)


def test_joints_follow_their_commands(body: str) -> None:
    rig = Rig(body, "on_back")  # the legs are free there
    wanted = STAND.copy()
    wanted[:3] += (0.3, -0.2, 0.25)
    rig.run(1.0, held(wanted))
    reached = rig.body.read().joint_pos
    np.testing.assert_allclose(reached, wanted, atol=0.06)


def test_equal_seeds_give_bit_identical_readings(body: str) -> None:
    rig = Rig(body, "random_fall", seed=3)
    first = rig.fingerprint()
    assert Rig(body, "random_fall", seed=3).fingerprint() == first
    rig.body.reset("random_fall", 3)  # after another history
    rig.body.connect()
    assert rig.fingerprint() == first
    assert Rig(body, "random_fall", seed=4).fingerprint() != first


def test_another_process_gives_bit_identical_readings(engine: str) -> None:
    here = Rig(engine, "on_back", seed=1).fingerprint()
    code = (
        "import importlib.util as u;"
        f"s = u.spec_from_file_location('contract', {__file__!r});"
        "m = u.module_from_spec(s);"
        "s.loader.exec_module(m);"
        f"print(m.Rig({engine!r}, 'on_back', seed=1).fingerprint())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert there.stdout.split()[-1] == here


def test_a_state_that_is_shown_elsewhere_gives_the_same_picture(body: str) -> None:
    rig, other = Rig(body, "standing"), Rig(body, "folded")
    other.body.show(rig.body.truth().state)
    ours, theirs = rig.body.render("chase", 48, 64), other.body.render("chase", 48, 64)
    assert ours.shape == (48, 64, 3) and ours.dtype == np.uint8
    np.testing.assert_array_equal(ours, theirs)


def test_closing_twice_is_safe(body: str) -> None:
    rig = Rig(body, "standing")
    rig.body.close()
    rig.body.close()


# Twins, which have weight.


def test_it_stands_up_from_folded_and_holds_its_height(standing: Rig) -> None:
    heights = []
    for _ in range(1000):
        standing.tick(held(STAND))
        heights.append(standing.body.truth().position[2])
    assert 0.22 < min(heights) and max(heights) < 0.28
    truth = standing.body.truth()
    assert truth.foot_contact.all() and not truth.body_contact
    np.testing.assert_allclose(truth.foot_height, 0.0, atol=2e-3)
    assert up(standing) > 0.99


def test_foot_forces_at_rest_carry_the_weight(standing: Rig) -> None:
    forces = np.array([standing.tick(held(STAND)).foot_force for _ in range(200)])
    assert forces.mean(axis=0).sum() == pytest.approx(MASS_KG * GRAVITY, rel=0.1)
    assert forces.mean(axis=0).min() > 20


def test_the_accelerometer_feels_the_floor_push_up(standing: Rig) -> None:
    felt = np.mean([standing.tick(held(STAND)).accelerometer for _ in range(200)], axis=0)
    np.testing.assert_allclose(felt, (0, 0, GRAVITY), atol=0.2)


def test_torques_at_rest_hold_the_knees(standing: Rig) -> None:
    torque = standing.tick(held(STAND)).torque.reshape(4, 3)
    assert (torque[:, 2] > 2).all() and (torque[:, 2] < 10).all()  # each carries 3 kg on 0.16 m


def test_on_its_back_it_stays_there(engine: str) -> None:
    rig = Rig(engine, "on_back")
    assert up(rig) < -0.9
    rig.run(2.0)
    assert up(rig) < -0.9
    reading = rig.tick(LIMP)
    assert reading.accelerometer[2] == pytest.approx(-GRAVITY, abs=0.5)
    truth = rig.body.truth()
    assert truth.body_contact
    np.testing.assert_allclose(truth.velocity, 0, atol=0.02)


def test_limp_legs_give_way(engine: str) -> None:
    rig = Rig(engine, "standing")
    assert rig.body.truth().position[2] > 0.25
    rig.run(1.0)
    assert rig.body.truth().position[2] < 0.15
    assert rig.body.truth().body_contact


def test_stopping_damps_the_joints(engine: str) -> None:
    limp, stopped = Rig(engine, "standing"), Rig(engine, "standing")
    for rig in (limp, stopped):
        rig.run(0.05, held(STAND))
    stopped.body.stop()
    for _ in range(150):
        limp.tick(LIMP)
        stopped.body.advance()
    assert stopped.body.truth().position[2] > limp.body.truth().position[2] + 0.03


def test_a_push_moves_the_trunk_by_its_impulse(engine: str) -> None:
    rig = Rig(engine, "on_back")
    rig.body.push(np.array([0.0, 0.0, 30.0]))  # less the weight's 12.2 N s in that time
    rig.run(0.1)
    lifted = rig.body.truth().velocity[2]
    assert lifted == pytest.approx(30 / MASS_KG - GRAVITY * 0.1, abs=0.6)
    rig.run(0.15)
    felt = rig.tick(LIMP).accelerometer
    assert np.linalg.norm(felt) < 5  # it flies, and feels no weight


def test_a_push_from_the_right_tips_it_to_the_left(standing: Rig) -> None:
    standing.body.push(np.array([0.0, 20.0, 0.0]))
    rates = np.array([standing.tick(held(STAND)).gyro for _ in range(60)])
    assert standing.body.truth().velocity[1] > 0.2
    assert rates[:, 0].min() < -0.3  # its left side goes down: a turn about -x


def test_the_gyro_is_the_rate_of_the_orientation(engine: str) -> None:
    quiet = ["gyro_rad_s", "orientation_rad"]
    config = load_config("hardware_configs/a1.yaml", [f"twin.noise.{key}=0" for key in quiet])
    rig = Rig(engine, "standing", config=config)
    rig.run(0.1, held(STAND))
    rig.body.push(np.array([5.0, 25.0, 20.0]))
    rig.run(0.1)
    before = rotation_matrix(rig.body.read().quaternion)
    turned, fastest = np.eye(3), 0.0
    for _ in range(200):
        rate = rig.tick(LIMP).gyro
        fastest = max(fastest, float(np.abs(rate).max()))
        turned = turned @ small_turn(rate * 1e-3)
    after = rotation_matrix(rig.body.read().quaternion)
    assert fastest > 1.0
    np.testing.assert_allclose(before @ turned, after, atol=0.01)


def small_turn(v: np.ndarray) -> np.ndarray:
    half = np.linalg.norm(v) / 2
    axis = v / max(2 * half, 1e-12)
    return rotation_matrix(np.array([np.cos(half), *(np.sin(half) * axis)]))


def test_delayed_readings_come_with_the_stamp_of_their_capture(engine: str) -> None:
    config = load_config("hardware_configs/a1.yaml", ["twin.latency_ms=12"])
    late, prompt = Rig(engine, "folded", config=config), Rig(engine, "folded")
    history = {prompt.body.read().stamp_ns: prompt.body.read()}
    for _ in range(60):
        reading = prompt.tick(held(STAND))
        history[reading.stamp_ns] = reading
        delayed = late.tick(held(STAND))
    assert delayed.stamp_ns == late.clock.now_ns() - 12_000_000
    np.testing.assert_array_equal(delayed.joint_pos, history[delayed.stamp_ns].joint_pos)


def test_random_falls_differ_by_seed_and_end_still(engine: str) -> None:
    ends = []
    for seed in range(4):
        rig = Rig(engine, "random_fall", seed=seed)
        truth = rig.body.truth()
        assert 0.03 < truth.position[2] < 0.35
        rig.run(0.2)
        moved = np.abs(rig.body.truth().position - truth.position).max()
        assert moved < 0.05
        ends.append(truth.quaternion)
    assert np.std(ends, axis=0).max() > 0.1


def test_torques_never_pass_the_motor_limit(engine: str) -> None:
    rig = Rig(engine, "on_back")
    strong = MotorCommand(STAND + 2.0, KP * 10, KD, STILL)
    torques = [np.abs(rig.tick(strong).torque).max() for _ in range(100)]
    assert max(torques) == pytest.approx(33.5)


def test_feed_forward_torque_is_added_as_it_is(engine: str) -> None:
    rig = Rig(engine, "on_back")
    push = np.full(JOINTS, 1.5)
    reading = rig.tick(MotorCommand(STILL, STILL, STILL, push))
    np.testing.assert_allclose(reading.torque, 1.5, atol=1e-6)


def test_joint_stops_hold_against_full_torque(engine: str) -> None:
    rig = Rig(engine, "on_back")
    limits = np.array([(j.lower, j.upper) for j in CONFIG.joints.values()])
    for side in (-1.0, 1.0):
        rig.run(0.5, MotorCommand(STILL, STILL, KD, side * np.full(JOINTS, 20.0)))
        angle = rig.body.read().joint_pos
        assert (angle > limits[:, 0] - 0.1).all() and (angle < limits[:, 1] + 0.1).all()


@pytest.mark.slow
@pytest.mark.parametrize("start", ["on_back", "random_fall"])
def test_even_unfiltered_random_targets_leave_it_numerically_sane(engine: str, start: str) -> None:
    rig, rng = Rig(engine, start), np.random.default_rng(0)
    ranges = np.array([joint.action_range for joint in CONFIG.joints.values()])
    limits = np.array([(j.lower, j.upper) for j in CONFIG.joints.values()])
    for _ in range(20 * 15):
        target = rng.uniform(ranges[:, 0], ranges[:, 1])
        for _ in range(50):
            angle = rig.tick(held(target)).joint_pos
            assert (angle > limits[:, 0] - 0.1).all() and (angle < limits[:, 1] + 0.1).all()
        truth = rig.body.truth()
        assert np.isfinite(truth.state).all() and 0.0 < truth.position[2] < 1.0
