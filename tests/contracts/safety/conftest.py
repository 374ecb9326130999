"""One rig for every body: a core in lock-step on a twin that fails on request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest

from robot.body.core import BodyCore
from robot.body.drivers.fake import FakeBody
from robot.body.drivers.unitree_a1 import UnitreeA1
from robot.body.interface import Body, MotorCommand, Twin
from robot.clock import NS, Clock, SteppedClock
from robot.config import RobotConfig, load_config
from robot.wire.link import Sample
from robot.wire.messages import Command, OperatorWord, Reading
from sim.faults import FaultyBody
from sim.scene import make_twin
from sim.standin.unitree_a1 import A1StandIn

BODIES = ("fake", "mujoco", "pybullet", "a1_wire")
A1 = "hardware_configs/a1.yaml"


class Rig:
    """A body core, and what it takes to let time pass for its body.

    Attributes:
        twin: what moves; spoil its senses here.
        body: what the core is given: the twin itself, or a driver with the twin behind its wire.
    """

    def __init__(self, name: str, *changes: str) -> None:
        self.name = name
        self.config = load_config(A1, ["twin.start=folded", *changes])
        self.clock = SteppedClock(7 * NS)
        self.twin = FaultyBody(build_twin(name, self.config, self.clock), self.clock)
        self.body: Body = self.twin
        self.standin: A1StandIn | None = None
        if name == "a1_wire":
            self._put_behind_the_wire()
        self.core = BodyCore(self.config, self.body, self.clock)
        self.samples: list[Sample] = []
        self.fold = np.array([self.config.poses["fold"][j] for j in self.config.joints])
        self.sequence = 0

    def _put_behind_the_wire(self) -> None:
        self.standin = A1StandIn(self.config, self.twin)
        ports = [f"hardware.address=127.0.0.1:{self.standin.port}", "hardware.bind=127.0.0.1:0"]
        self.body = UnitreeA1(load_config(A1, ports), self.clock)

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

    def sensed(self) -> Reading:
        """What the core senses now."""
        return self.body.read()

    def start(self) -> None:
        with self.answering():
            self.core.start()

    @contextmanager
    def running(self) -> Iterator[None]:
        """The core's own context."""
        with ExitStack() as stack:
            with self.answering():
                stack.enter_context(self.core)
            yield

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While the core connects, somebody must answer on the wire."""
        done = threading.Event()
        thread = threading.Thread(target=self._answer, args=(done,))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _answer(self, done: threading.Event) -> None:
        while self.standin is not None and not done.wait(0.001):
            self.standin.hear()
            self.standin.answer()

    def advance(self) -> None:
        """One inner period of the body."""
        if self.standin is None:
            self.twin.advance()
        else:
            self.standin.step()

    def run(self, seconds: float, command: bool = False) -> None:
        """Let time pass; with `command`, a good one every control period."""
        control = self.config.control
        for tick in range(round(seconds * control.inner_hz)):
            if command and tick % (control.inner_hz // control.control_hz) == 0:
                self.command(self.fold)
            self.clock.advance(NS // control.inner_hz)
            self.advance()
            sample = self.core.tick()
            if sample is not None:
                self.samples.append(sample)
        if self.standin is not None:
            self.standin.hear()

    def command(self, position: np.ndarray) -> bool:
        self.sequence += 1
        return self.core.command(Command(self.sequence, self.clock.now_ns(), 0, position))

    def say(self, word: str) -> str:
        return self.core.word(OperatorWord(word, "the test", self.clock.now_ns())).state

    def activate(self) -> None:
        self.start()
        self.run(1.1)
        self.run(0.5, command=True)
        assert self.state == "active", self.reason

    def spoil(self, how: str) -> None:
        """Break the sensors in one way, or let one read NaN."""
        if how == "stale":
            self.twin.stall()
        elif how == "frozen":
            self.twin.freeze()
        elif how == "cut off":
            self.twin.disconnect()
        elif how == "no rotation":
            self.twin.sensed["quaternion"] = np.zeros(4)
        else:
            if self.standin is not None and how in ("torque", "foot_force", "temperature"):
                pytest.skip("a whole number on this wire")
            self.twin.sensed[how] = np.full_like(getattr(self.sensed(), how), np.nan)

    def was_told_to_stop(self) -> bool:
        """Whether the body got its stop, without any tick."""
        if self.standin is None:
            return self.twin.stops == 1
        self.standin.hear()
        return not self.last.kp.any() and bool(self.last.kd.all())

    def assert_limp(self) -> None:
        last = self.twin.last
        assert last is None or not (last.kp.any() or last.kd.any() or last.torque.any())

    def assert_damped(self) -> None:
        assert not self.last.kp.any() and not self.last.torque.any()
        kd = [joint.kd for joint in self.config.joints.values()]
        np.testing.assert_array_equal(self.last.kd, kd)

    def assert_stiff(self) -> None:
        kp = [joint.kp for joint in self.config.joints.values()]
        np.testing.assert_array_equal(self.last.kp, kp)

    def assert_filter_began_at(self, pose: np.ndarray) -> None:
        """The target is one step of the filter away from the pose that it was seeded with."""
        joints = self.config.joints.values()
        stepped = pose + 0.04125354 * (self.fold - pose)
        expected = np.clip(stepped, [j.lower for j in joints], [j.upper for j in joints])
        np.testing.assert_allclose(self.core.status().target, expected, atol=1e-6)

    def close(self) -> None:
        self.core.close()
        if self.standin is not None:
            self.standin.close()


def build_twin(name: str, config: RobotConfig, clock: Clock) -> Twin:
    if name in ("fake", "a1_wire"):
        return FakeBody(config, clock)
    pytest.importorskip(name)
    return make_twin(name, config, clock)


@pytest.fixture(params=BODIES)
def new_rig(request) -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def build(*changes: str) -> Rig:
        made.append(Rig(request.param, *changes))
        return made[-1]

    yield build
    for rig in made:
        rig.close()


@pytest.fixture
def rig(new_rig) -> Rig:
    made = new_rig()
    made.activate()
    return made
