"""The link to a body process in real time: sensors and pictures in, commands and words out."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import zmq

from robot.clock import NS, Clock, Pace
from robot.config import RobotConfig
from robot.wire.codec import decode, encode
from robot.wire.keys import Keys
from robot.wire.link import Sample
from robot.wire.messages import Command, Frame, OperatorAck, OperatorWord
from robot.wire.schemas import CodecError
from robot.wire.sockets import Port, open_receiver, open_sender
from robot.wire.streams import Endpoints, Health, HealthMeter

log = logging.getLogger(__name__)

M = TypeVar("M")

ANSWER_S = 0.5
AGAIN_S = 0.02


class ZmqLink:
    """A `BodyLink` over the streams. Between `open` and `close` only the tick is waited for.

    Stamps of the body and of this process are compared: both run on one computer, or their
    monotonic clocks are kept equal from outside. The estimates do not depend on it, the latency
    ledger does.

    Args:
        config: the robot.
        endpoints: where its streams are.
        clock: real time.
        keys: needed where the body is on another computer.
        patience_s: how long `open` waits for the first sample.
        context: for sockets; the process's own by default.

    Attributes:
        pace: of the control ticks.
        damaged: messages that could not be read.
    """

    def __init__(
        self,
        config: RobotConfig,
        endpoints: Endpoints,
        clock: Clock,
        keys: Keys | None = None,
        patience_s: float = 10.0,
        context: zmq.Context | None = None,
    ) -> None:
        self.pace = Pace(config.control.control_hz, clock)
        self.damaged = 0
        self._clock, self._endpoints, self._patience_s = clock, endpoints, patience_s
        self._keys, self._context = keys, context
        cameras = {name: camera for name, camera in config.cameras.items() if camera.heard}
        self._meters = {"sensors": HealthMeter(config.control.sensors_hz)}
        self._meters |= {f"frames-{name}": HealthMeter(c.hz) for name, c in cameras.items()}
        self._ports: _Ports | None = None
        self._waiting: list[Sample] = []
        self._pictures: dict[str, tuple[int, np.ndarray]] = {}
        self._unanswered: dict[int, bytes] = {}
        self._answers: list[OperatorAck] = []

    def open(self) -> None:
        """Connect and wait for the first sample.

        Raises:
            TimeoutError: when no body answers, naming the endpoint.
            EndpointError: when an endpoint cannot be used.
        """
        ports = self._ports = _Ports.open(self._endpoints, self._meters, self._keys, self._context)
        end_ns = self._clock.now_ns() + round(self._patience_s * NS)
        while not self._waiting:
            if self._clock.now_ns() > end_ns:
                raise TimeoutError(
                    f"no body answers at {ports.sensors.endpoint} within {self._patience_s:g} s; "
                    "is `reverie body` running for this robot?"
                )
            ports.sensors.wait(AGAIN_S)
            self._waiting = self._hear(ports)

    def next_tick(self) -> list[Sample]:
        """Wait for the control tick; the samples that have come since the last one."""
        self.pace.wait()
        ports = self._opened()
        self._take_answers(ports)
        samples, self._waiting = self._waiting + self._hear(ports), []
        return samples

    def frames(self) -> dict[str, tuple[int, np.ndarray]]:
        """Latest picture of each camera that is observed or logged and has sent one."""
        for name, port in self._opened().frames.items():
            data = port.latest()
            if data is None:
                continue
            frame = self._read(data, Frame, f"frames-{name}")
            if frame is not None:
                self._pictures[name] = frame.stamp_ns, frame.picture
        return dict(self._pictures)

    def send(self, command: Command) -> None:
        """Give the body joint targets; what it does not take in time is replaced by the next."""
        data = encode(command, command.sequence, time.time_ns(), self._clock.now_ns())
        self._opened().command.send(data)

    def say(self, word: OperatorWord) -> None:
        """Pass on an operator's word; said again with each tick until the body answers."""
        data = encode(word, 0, time.time_ns(), self._clock.now_ns())
        self._unanswered[word.stamp_ns] = data
        self._opened().operator.send(data)

    def take_answers(self) -> list[OperatorAck]:
        """The body's answers to words since the last call."""
        answers, self._answers = self._answers, []
        return answers

    def now_ns(self) -> int:
        """Time on this process's clock."""
        return self._clock.now_ns()

    def health(self) -> dict[str, Health]:
        """State of each stream that is heard."""
        now_ns = self._clock.now_ns()
        return {name: meter.state(now_ns) for name, meter in self._meters.items()}

    @property
    def dropped(self) -> Mapping[str, int]:
        """Messages that nobody took, by stream."""
        ports = self._ports
        return {p.stream.name: p.dropped for p in (ports.command, ports.operator)} if ports else {}

    def close(self) -> None:
        """Wait shortly for answers to words that were said, then disconnect; safe to call twice."""
        if self._ports is None:
            return
        end_s = time.monotonic() + ANSWER_S
        while self._unanswered and time.monotonic() < end_s:
            self._ports.operator.wait(AGAIN_S)
            self._take_answers(self._ports)
        if self._unanswered:
            log.error("the body has not answered %d word(s)", len(self._unanswered))
        self._ports.close()
        self._ports = None

    def _opened(self) -> _Ports:
        if self._ports is None:
            raise RuntimeError("the link is not open")
        return self._ports

    def _hear(self, ports: _Ports) -> list[Sample]:
        read = (self._read(data, Sample, "sensors") for data in ports.sensors.take())
        return [sample for sample in read if sample is not None]

    def _read(self, data: bytes, kind: type[M], name: str) -> M | None:
        """One message, None when it is damaged; either way its stream's health takes note."""
        try:
            message = decode(data, kind)
        except CodecError as error:
            self.damaged += 1
            log.warning("%s: %s", name, error)
            message = None
        self._meters[name].seen(self._clock.now_ns(), message is not None)
        return message

    def _take_answers(self, ports: _Ports) -> None:
        """Note which words were answered, and say the others again."""
        for data in ports.operator.take():
            try:
                answer = decode(data, OperatorAck)
            except CodecError as error:
                log.warning("answer of the body: %s", error)
                continue
            self._unanswered.pop(answer.stamp_ns, None)
            self._answers.append(answer)
            if answer.reason:
                log.warning("the body refused '%s': %s", answer.word, answer.reason)
        for data in self._unanswered.values():
            ports.operator.send(data)


@dataclass(frozen=True)
class _Ports:
    """The robot process's ends of its streams with the body."""

    sensors: Port
    command: Port
    operator: Port
    frames: dict[str, Port]

    @classmethod
    def open(
        cls,
        endpoints: Endpoints,
        heard: Mapping[str, HealthMeter],
        keys: Keys | None,
        context: zmq.Context | None,
    ) -> _Ports:
        """Open all of them, or none."""
        opened: list[Port] = []
        try:
            opened.append(open_receiver(endpoints, "sensors", context, keys))
            opened.append(open_sender(endpoints, "command", context, keys))
            opened.append(open_sender(endpoints, "operator", context, keys))
            frames: dict[str, Port] = {}
            for name in heard:
                if name.startswith("frames-"):
                    opened.append(open_receiver(endpoints, name, context, keys))
                    frames[name.removeprefix("frames-")] = opened[-1]
        except BaseException:
            for port in opened:
                port.close()
            raise
        return cls(opened[0], opened[1], opened[2], frames)

    def close(self) -> None:
        """Close them."""
        for port in (self.sensors, self.command, self.operator, *self.frames.values()):
            port.close()
