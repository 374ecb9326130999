"""One rig for every machine and body: a body with its clock, moved on by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pytest

from robot.body.drivers.fake import FakeBody
from robot.body.interface import MotorCommand, Twin
from robot.clock import NS, SteppedClock
from robot.config import RobotConfig, load_config
from robot.wire.messages import Reading
from sim.scene import ENGINES, make_twin


@dataclass(frozen=True)
class Machine:
    """A machine, and words for what all machines have.

    Args:
        name: of its configuration.
        pose: in which it rests; `start` puts it there.
        free: start in which its joints can move freely.
        anywhere: start that differs by seed.
        move: how far a joint may be asked to go, rad or m.
    """

    name: str
    pose: Literal["stand", "home"]
    start: str
    free: str
    anywhere: str
    move: float

    @cached_property
    def config(self) -> RobotConfig:
        return self.changed()

    def changed(self, *changes: str) -> RobotConfig:
        return load_config(f"hardware_configs/{self.name}.yaml", changes)

    @cached_property
    def rest(self) -> np.ndarray:
        return np.array([self.config.poses[self.pose][joint] for joint in self.config.joints])

    def joints(self, what: str) -> np.ndarray:
        return np.array([getattr(joint, what) for joint in self.config.joints.values()])


MACHINES = (
    Machine("a1", "stand", "standing", "on_back", "random_fall", 0.3),
    Machine("point_mass", "home", "home", "home", "random", 0.1),
)


class Rig:
    """A body of a machine with its clock.

    Args:
        machine: see `Machine`.
        name: "fake", or an engine.
        start: its own pose unless given; also "free" and "anywhere", which machines call otherwise.
        seed: of start and noise.
        changes: of the configuration.
    """

    def __init__(
        self, machine: Machine, name: str, start: str = "", seed: int = 0, changes: tuple = ()
    ) -> None:
        self.machine, self.name, self.clock = machine, name, SteppedClock(NS)
        self.config = machine.changed(*changes)
        self.period_ns = round(NS / self.config.control.inner_hz)
        self.still = np.zeros(len(self.config.joints))
        self.limp = MotorCommand(self.still, self.still, self.still, self.still)
        self.body = self._make(name, seed)
        known = {"": machine.start, "free": machine.free, "anywhere": machine.anywhere}
        self.body.reset(known.get(start, start), seed)
        self.body.connect()

    def _make(self, name: str, seed: int) -> Twin:
        if name == "fake":
            return FakeBody(self.config, self.clock)
        pytest.importorskip(name)
        return make_twin(name, self.config, self.clock, seed)

    def held(self, pose: np.ndarray, stiffer: float = 1.0) -> MotorCommand:
        machine = self.machine
        return MotorCommand(pose, machine.joints("kp") * stiffer, machine.joints("kd"), self.still)

    def run(self, seconds: float, command: MotorCommand | None = None) -> None:
        for _ in range(round(seconds * NS / self.period_ns)):
            self.tick(command)

    def tick(self, command: MotorCommand | None = None) -> Reading:
        self.body.write(command or self.limp)
        self.clock.advance(self.period_ns)
        self.body.advance()
        return self.body.read()

    def stand_up(self, seconds: float = 1.5) -> None:
        first, rest = self.body.read().joint_pos.copy(), self.machine.rest
        for share in np.linspace(0, 1, round(seconds * NS / self.period_ns)):
            self.tick(self.held(first + share * (rest - first)))

    def fingerprint(self, ticks: int = 400) -> str:
        """Hash of all that it senses while its joints are asked to go here and there."""
        rng, total = np.random.default_rng(5), hashlib.sha256()
        target, move = self.machine.rest, self.machine.move
        for tick in range(ticks):
            if tick % 50 == 0:
                target = self.machine.rest + rng.uniform(-move, move, len(target))
            for array in arrays(self.tick(self.held(target))).values():
                total.update(array.tobytes())
        return total.hexdigest()


def arrays(reading: Reading) -> dict[str, np.ndarray]:
    named = {name: getattr(reading, name) for name in Reading.__slots__}
    return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}


MakeRig = Callable[..., Rig]


def _makers(names: tuple[str, ...], *machines: str) -> list:
    chosen = [machine for machine in MACHINES if not machines or machine.name in machines]
    pairs = [(machine, name) for machine in chosen for name in names]
    return [pytest.param(pair, id=f"{pair[0].name}-{pair[1]}") for pair in pairs]


def _maker(request: pytest.FixtureRequest) -> Iterator[MakeRig]:
    machine, name = request.param
    made: list[Rig] = []

    def make(start: str = "", seed: int = 0, *changes: str) -> Rig:
        made.append(Rig(machine, name, start, seed, changes))
        return made[-1]

    yield make
    for rig in made:
        rig.body.close()


@pytest.fixture(params=_makers(("fake", *ENGINES)))
def any_body(request: pytest.FixtureRequest) -> Iterator[MakeRig]:
    """Builds rigs of one machine in one body."""
    yield from _maker(request)


@pytest.fixture(params=_makers(ENGINES))
def any_twin(request: pytest.FixtureRequest) -> Iterator[MakeRig]:
    """Builds rigs of one machine on one engine."""
    yield from _maker(request)


@pytest.fixture(params=_makers(ENGINES, "a1"))
def a1_twin(request: pytest.FixtureRequest) -> Iterator[MakeRig]:
    """Builds rigs of the A1 on one engine."""
    yield from _maker(request)


@pytest.fixture(params=_makers(ENGINES, "point_mass"))
def rail_twin(request: pytest.FixtureRequest) -> Iterator[MakeRig]:
    """Builds rigs of the point mass on one engine."""
    yield from _maker(request)
