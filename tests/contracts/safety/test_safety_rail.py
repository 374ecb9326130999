"""The safety table on a machine that slides, in metres, without IMU: on the fake and both twins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from robot.body.core import BodyCore
from robot.body.drivers.fake import FakeBody
from robot.clock import NS, SteppedClock
from robot.config import load_config
from robot.wire.messages import Command
from sim.faults import FaultyBody
from sim.scene import make_twin

CONFIG = load_config("hardware_configs/point_mass.yaml", ["twin.start=home"])
PERIOD_NS = round(NS / CONFIG.control.inner_hz)


class Cart:
    """The point mass's body core on a twin that fails on request."""

    def __init__(self, name: str) -> None:
        self.clock = SteppedClock(NS)
        if name == "fake":
            twin = FakeBody(CONFIG, self.clock)
        else:
            pytest.importorskip(name)
            twin = make_twin(name, CONFIG, self.clock)
        self.twin = FaultyBody(twin, self.clock)
        self.core = BodyCore(CONFIG, self.twin, self.clock)
        self.core.start()
        self.run(0.6)
        assert self.command(0.0) and self.state == "active"

    @property
    def state(self) -> str:
        return self.core.guard.state

    def run(self, seconds: float, target: float | None = None) -> None:
        for tick in range(round(seconds * NS / PERIOD_NS)):
            if target is not None and tick % 3 == 0:
                self.command(target)
            self.clock.advance(PERIOD_NS)
            self.twin.advance()
            self.core.tick()

    def command(self, target: float) -> bool:
        return self.core.command(Command(0, self.clock.now_ns(), 0, np.array([target])))


@pytest.fixture(params=["fake", "mujoco", "pybullet"])
def cart(request: pytest.FixtureRequest) -> Iterator[Cart]:
    made = Cart(request.param)
    yield made
    made.core.close()


def test_a_command_beyond_the_stops_is_refused(cart: Cart) -> None:
    assert cart.command(0.5) and not cart.command(0.51)
    fault = cart.core._limits.command_fault(np.array([1.0]))
    assert fault == "command for slider lies outside its limits"
    assert cart.state == "active"


def test_the_motor_never_pulls_further_than_the_configured_distance(cart: Cart) -> None:
    for _ in range(30):
        cart.run(0.05, 0.5)
        assert cart.twin.last is not None
        ahead = cart.twin.last.position[0] - cart.core._measured[0]
        assert abs(ahead) <= 0.2 + 1e-9


def test_a_cart_that_runs_away_leads_to_damping(cart: Cart) -> None:
    cart.twin.sensed["joint_vel"] = np.array([3.5])
    cart.run(0.2, 0.0)
    assert cart.state == "damping"
    assert cart.core.guard.reason == "slider is faster than 3.0 m/s"


def test_a_motor_that_stays_at_its_limit_leads_to_damping(cart: Cart) -> None:
    cart.twin.sensed["torque"] = np.array([60.0])
    cart.run(1.2, 0.0)
    assert cart.state == "damping"
    assert cart.core.guard.reason == "slider stays at its torque limit 60.0 N"


@pytest.mark.parametrize(
    ("reads", "reason"), [(0.6, "beyond its stops"), (0.2, "too far from where it was")]
)
def test_a_position_that_cannot_be_is_a_sensor_fault(cart: Cart, reads: float, reason: str) -> None:
    cart.twin.sensed["joint_pos"] = np.array([reads])
    cart.run(0.05)
    assert cart.state == "hold"
    assert cart.core.guard.reason == f"slider reads {reads:.2f} m, {reason}"


def test_a_machine_without_imu_may_feel_nothing_and_is_never_tilted(cart: Cart) -> None:
    """Its inertial sensors always tell the same, and nobody minds what they tell."""
    cart.twin.sensed["quaternion"] = np.array([0.0, 1.0, 0.0, 0.0])
    cart.twin.sensed["gyro"] = np.zeros(3)
    cart.twin.sensed["accelerometer"] = np.zeros(3)
    cart.run(8.0, 0.1)
    assert cart.state == "active"


def test_joints_that_tell_the_same_for_long_are_frozen(cart: Cart) -> None:
    cart.twin.freeze()
    cart.run(200 / 60 - 0.2, 0.0)
    assert cart.state == "active"
    cart.run(0.4, 0.0)
    assert cart.state == "hold" and "joint sensors are frozen" in cart.core.guard.reason
