"""The body process in real time: the inner loop on its schedule, between its streams."""

from __future__ import annotations

import logging
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np

from robot.body.core import BodyCore
from robot.body.interface import Twin
from robot.body.ledger import Figures, Latencies, LedgerWriter, peak_rss_mb
from robot.body.scheduling import Obtained, obtain
from robot.clock import Clock, Pace
from robot.wire.codec import decode, encode
from robot.wire.keys import Keys
from robot.wire.link import Sample
from robot.wire.messages import Command, OperatorAck, OperatorWord, TwinState
from robot.wire.schemas import CodecError
from robot.wire.sockets import Port, RobotLock, open_receiver, open_sender
from robot.wire.streams import Endpoints, HealthMeter

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class BodyProcess:
    """Runs a core at the inner rate: hears commands and words, tells sensors and twin state.

    Nothing in a tick waits: sockets drop what does not fit, files belong to another thread.

    Args:
        core: of the robot; its body is connected by `run`.
        clock: real time.
        ports: open ends of the body's streams.
        twin: the core's body when it is simulated: it is advanced with each tick.
    """

    def __init__(self, core: BodyCore, clock: Clock, ports: BodyPorts, twin: Twin | None) -> None:
        control = core.config.control
        self.leaving = ""
        self.pace = Pace(control.inner_hz, clock)
        self._core = core
        self._clock = clock
        self._ports = ports
        self._twin = twin
        self._ticks_per_state = control.inner_hz // control.control_hz
        self._commands = HealthMeter(control.control_hz)
        self._latency = Latencies()
        self._sent = {"sensors": 0, "twin_state": 0}
        self._scheduling: Obtained | None = None

    def run(self) -> None:
        """Work until `leave`; the motors are stopped on the way out, whatever the reason.

        Raises:
            OSError, ValueError: as `BodyCore.start` does.
        """
        with self._core:
            self._scheduling = obtain(self._core.config.scheduling)
            log.info("scheduling: %s", self._scheduling)
            while not self.leaving:
                self.step()

    def leave(self, reason: str) -> None:
        """End the loop after this tick."""
        self.leaving = self.leaving or reason

    def step(self) -> None:
        """One inner period."""
        self.pace.wait()
        if self._twin is not None:
            self._twin.advance()
        self._hear()
        sample = self._core.tick()
        if sample is not None:
            self._tell("sensors", self._ports.sensors, sample)
        # One tick after a sample, so that one tick never packs both.
        phase = self.pace.ticks % self._ticks_per_state
        if self._twin is not None and phase == 1 % self._ticks_per_state:
            self._tell("twin_state", self._ports.twin_state, self._state(self._twin))

    def figures(self) -> Figures:
        """The ledger: plain data, safe to collect from another thread."""
        guard = self._core.guard
        now_ns = self._clock.now_ns()
        heard = self._commands.state(now_ns)
        return {
            "process": "body",
            "pid": os.getpid(),
            "robot": self._core.config.robot,
            "state": guard.state,
            "reason": guard.reason,
            "left": self.leaving,
            "counts": dict(guard.counts),
            "inner_loop": self.pace.report(),
            "latency_ms": {"sensor_to_command": self._latency.report()},
            "sent": dict(self._sent),
            "dropped": {port.stream.name: port.dropped for port in self._ports.all()},
            "command_hz": heard.hz,
            "scheduling": str(self._scheduling),
            "peak_rss_mb": peak_rss_mb(),
        }

    def _hear(self) -> None:
        data = self._ports.command.latest()
        if data is not None:
            self._take_command(data)
        for peer, word in self._ports.operator.take_from():
            self._answer(peer, word)

    def _take_command(self, data: bytes) -> None:
        now_ns = self._clock.now_ns()
        try:
            command = decode(data, Command)
        except CodecError as error:
            self._commands.seen(now_ns, valid=False)
            self._core.refuse(str(error))
            return
        self._commands.seen(now_ns)
        if self._core.command(command):
            self._latency.note(now_ns - command.sensor_stamp_ns)

    def _answer(self, peer: bytes, data: bytes) -> None:
        try:
            word = decode(data, OperatorWord)
        except CodecError:
            self._core.guard.count("operator_unreadable")
            return
        status = self._core.word(word)
        refusal = self._core.guard.refusal
        answer = OperatorAck(word.word, word.stamp_ns, status.state, refusal)
        self._ports.operator.send_to(peer, encode(answer, 0, time.time_ns(), self._clock.now_ns()))

    def _tell(self, name: str, port: Port | None, message: Sample | TwinState) -> None:
        assert port is not None
        port.send(encode(message, self._sent[name], time.time_ns(), self._clock.now_ns()))
        self._sent[name] += 1

    def _state(self, twin: Twin) -> TwinState:
        truth = twin.truth()
        arrays = {
            "position": truth.position,
            "quaternion": truth.quaternion,
            "velocity": truth.velocity,
            "foot_height": truth.foot_height,
            "foot_contact": truth.foot_contact,
            "body_contact": np.array(truth.body_contact),
            "state": truth.state,
        }
        return TwinState(self._clock.now_ns(), arrays)


@dataclass(frozen=True)
class BodyPorts:
    """The body's ends of its streams; `twin_state` only where a twin tells it."""

    sensors: Port
    command: Port
    operator: Port
    twin_state: Port | None

    @classmethod
    def open(cls, endpoints: Endpoints, is_twin: bool, keys: Keys | None) -> BodyPorts:
        """Open all of them, or none.

        Raises:
            EndpointInUse, EndpointError: as `robot.wire.sockets.open_sender` does.
        """
        opened: list[Port] = []
        try:
            opened.append(open_sender(endpoints, "sensors", keys=keys))
            opened.append(open_receiver(endpoints, "command", keys=keys))
            opened.append(open_receiver(endpoints, "operator", keys=keys))
            if is_twin:
                opened.append(open_sender(endpoints, "twin_state", keys=keys))
        except BaseException:
            for port in opened:
                port.close()
            raise
        return cls(*opened[:3], twin_state=opened[3] if is_twin else None)

    def all(self) -> list[Port]:
        """Those that are open."""
        ports = [self.sensors, self.command, self.operator]
        return ports if self.twin_state is None else [*ports, self.twin_state]

    def close(self) -> None:
        """Close them; safe to call twice."""
        for port in self.all():
            port.close()


@dataclass(frozen=True)
class Surroundings:
    """Where a process lives: its endpoints, its keys, and the file of its ledger (None: none)."""

    endpoints: Endpoints
    keys: Keys | None = None
    ledger: Path | None = None


def serve(core: BodyCore, clock: Clock, twin: Twin | None, around: Surroundings) -> None:
    """Be the body process of one robot until a signal comes.

    Raises:
        EndpointInUse: when this robot already has one; nothing was touched then.
        OSError, ValueError: when the device does not answer, or is another machine.
    """
    with RobotLock(around.endpoints, "body"):
        ports = BodyPorts.open(around.endpoints, twin is not None, around.keys)
        try:
            process = BodyProcess(core, clock, ports, twin)
            leave_on_signals(process)
            with LedgerWriter(around.ledger, process.figures):
                process.run()
        finally:
            ports.close()
    log.info("left on %s; motors are stopped", process.leaving)


def leave_on_signals(process: BodyProcess) -> None:
    """End the loop on Ctrl-C, on `kill`, and when the terminal closes."""

    def leave(number: int, frame: FrameType | None) -> None:
        process.leave(signal.Signals(number).name)

    for number in SIGNALS:
        signal.signal(number, leave)
