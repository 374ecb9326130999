"""The table of streams: who says what to whom, how often, and what happens when nobody listens."""

from __future__ import annotations

import ipaddress
import os
import re
import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from robot.clock import NS
from robot.wire.link import Sample
from robot.wire.messages import (
    Ack,
    Command,
    Frame,
    Hello,
    Hole,
    OperatorAck,
    OperatorWord,
    PackedWeights,
    Telemetry,
    TwinState,
)
from robot.wire.schemas import BY_KIND
from robot.wire.transition import Transition

IPC_PATH_BYTES = 107
ENDPOINT_FORMS = "ipc:///absolute/path or tcp://host:port"
Side = Literal["sender", "receiver"]


class EndpointError(ValueError):
    """An endpoint that cannot be used; the message names it and what is allowed."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One row of the table.

    Args:
        name: also the name of its endpoint, and its key in `endpoints` of the configuration.
        pattern: ZMQ socket types of sender and receiver.
        sender: process that says; `receiver`: process that hears.
        binds: which of the two owns the endpoint; the other connects.
        kinds: records that travel on it, answers included.
        rate: key of the declared rate in Hz, a number, or 0 for "when there is something to say".
        high_water: messages that may wait on each side.
        latest_only: each side keeps the newest message and forgets older ones.
        when_full: what becomes of a message that nobody takes.
        topic: topic in the log, "" when the stream is not logged.
    """

    name: str
    pattern: tuple[Literal["PUB", "DEALER"], Literal["SUB", "ROUTER"]]
    sender: str
    receiver: str
    binds: Side
    kinds: tuple[type, ...]
    rate: str | float
    high_water: int
    latest_only: bool
    when_full: str
    topic: str = ""

    @property
    def limit(self) -> int:
        """Bytes that one message may have."""
        return max(BY_KIND[kind].limit for kind in self.kinds)


PUB_SUB = ("PUB", "SUB")
ASK_ANSWER = ("DEALER", "ROUTER")

# A camera has an endpoint of its own, "frames-NAME", so that latest-only holds for each.
STREAMS: Mapping[str, Stream] = {
    s.name: s
    for s in (
        Stream("sensors", PUB_SUB, "body", "robot", "sender", (Sample,), "sensors_hz", 400,
               False, "newest dropped; the robot holds on silence", "/sensors"),
        Stream("command", PUB_SUB, "robot", "body", "receiver", (Command,), "control_hz", 1,
               True, "older dropped; the body holds on silence", "/commands"),
        Stream("operator", ASK_ANSWER, "console", "body", "receiver", (OperatorWord, OperatorAck),
               0, 64, False, "refused to the asker, who tries again", "/operator"),
        Stream("frames", PUB_SUB, "camera", "robot", "sender", (Frame,), "camera_hz", 1,
               True, "older dropped", "/frames/NAME"),
        Stream("twin_state", PUB_SUB, "body", "camera", "sender", (TwinState,), "control_hz", 1,
               True, "older dropped"),
        Stream("transitions", ASK_ANSWER, "robot", "learner", "receiver",
               (Transition, Hello, Hole, Ack), "control_hz", 256, False,
               "stays in the robot's log and is sent from there", "/transitions"),
        Stream("weights", PUB_SUB, "learner", "robot", "sender", (PackedWeights,), 1.0, 1,
               True, "older dropped", "/weights"),
        Stream("telemetry", PUB_SUB, "any", "display", "receiver", (Telemetry,), 2.0, 100,
               False, "newest dropped"),
    )
}  # fmt: skip


def stream(name: str) -> Stream:
    """Look up a row by the name of its endpoint, such as "sensors" or "frames-front".

    Raises:
        EndpointError: naming the streams that exist.
    """
    known = STREAMS.get("frames" if name.startswith("frames-") else name)
    if known is None:
        raise EndpointError(f"unknown stream '{name}'; streams are {', '.join(STREAMS)}")
    return known


def declared_hz(name: str, rates: Mapping[str, float]) -> float:
    """Rate of a stream in Hz, 0 when it has none.

    Args:
        name: stream.
        rates: "sensors_hz", "control_hz" and "camera_hz" of the robot's configuration.
    """
    rate = stream(name).rate
    return rates[rate] if isinstance(rate, str) else rate


@dataclass(frozen=True, slots=True)
class Health:
    """State of a stream as its receiver sees it.

    Args:
        alive: the last message came less than ten periods ago.
        freq_ok: at least 90% of the declared rate over the last window.
        valid: the last message was whole and sound.
        age_ns: since the last message; -1 when there was none.
        hz: measured rate over the window.
    """

    alive: bool
    freq_ok: bool
    valid: bool
    age_ns: int
    hz: float

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return self.alive and self.freq_ok and self.valid


@dataclass
class HealthMeter:
    """Computes the health of one stream from arrivals. Streams without a rate are never late.

    Args:
        hz: declared rate, 0 for none.
        window_s: at least ten periods are looked at, and no less than this.
    """

    hz: float
    window_s: float = 2.0
    _arrivals: deque[int] = field(init=False, repr=False)
    _first_ns: int = -1
    _valid: bool = True

    def __post_init__(self) -> None:
        self._window_ns = round(max(self.window_s, 10 / self.hz if self.hz else 0.0) * NS)
        self._arrivals = deque(maxlen=max(16, round(3 * self.hz * self._window_ns / NS)))

    def seen(self, now_ns: int, valid: bool = True) -> None:
        """Note a message that came at `now_ns`."""
        if self._first_ns < 0:
            self._first_ns = now_ns
        self._arrivals.append(now_ns)
        self._valid = valid

    def state(self, now_ns: int) -> Health:
        """Health at `now_ns`; reads nothing but the arrivals noted so far."""
        if not self._arrivals:
            return Health(not self.hz, not self.hz, True, -1, 0.0)
        age_ns = now_ns - self._arrivals[-1]
        if not self.hz:
            return Health(True, True, self._valid, age_ns, 0.0)
        hz = self._measured(now_ns)
        alive = age_ns < 10 * NS / self.hz
        return Health(alive, hz >= 0.9 * self.hz, self._valid, age_ns, hz)

    def _measured(self, now_ns: int) -> float:
        """Arrivals per second of the last window, or of the time since the first."""
        while self._arrivals and self._arrivals[0] <= now_ns - self._window_ns:
            # The newest stays: age is counted from it.
            if len(self._arrivals) == 1:
                return 0.0
            self._arrivals.popleft()
        # One period is added: n arrivals that start the span cover n periods, not n - 1.
        span_ns = min(self._window_ns, now_ns - self._first_ns + NS / self.hz)
        return len(self._arrivals) * NS / span_ns


@dataclass(frozen=True)
class Endpoints:
    """Where the streams of one robot are.

    Args:
        robot: id of the robot.
        overrides: stream name -> endpoint, from `endpoints` of the configuration.
        directory: where default sockets and locks lie; one folder per robot inside.
    """

    robot: str
    overrides: Mapping[str, str] = field(default_factory=dict)
    directory: Path = field(default_factory=lambda: socket_directory())

    def __post_init__(self) -> None:
        for name, endpoint in self.overrides.items():
            stream(name)
            check_endpoint(endpoint)

    @property
    def folder(self) -> Path:
        """Folder of this robot's sockets and locks."""
        return self.directory / self.robot

    def of(self, name: str) -> str:
        """Endpoint of a stream, or of one camera as "frames-NAME".

        Raises:
            EndpointError: when there is no such stream or its path is too long.
        """
        stream(name)
        return check_endpoint(self.overrides.get(name, f"ipc://{self.folder / name}"))


def socket_directory() -> Path:
    """Folder of all robots' sockets: $REVERIE_SOCKETS, or a short one of this user's own."""
    given = os.environ.get("REVERIE_SOCKETS")
    return Path(given or f"{tempfile.gettempdir()}/reverie-{os.getuid()}")


def check_endpoint(endpoint: str) -> str:
    """Return the endpoint when it is one.

    Raises:
        EndpointError: one line naming the endpoint and what is allowed.
    """
    scheme, _, place = endpoint.partition("://")
    if scheme == "ipc" and place.startswith("/"):
        if len(place.encode()) > IPC_PATH_BYTES:
            raise EndpointError(
                f"{endpoint}: path has {len(place.encode())} bytes; {IPC_PATH_BYTES} are allowed; "
                "set REVERIE_SOCKETS to a shorter folder"
            )
    elif scheme == "tcp":
        _tcp_parts(endpoint)
    elif scheme != "inproc" or not place:
        raise EndpointError(f"endpoint {endpoint!r}; allowed is {ENDPOINT_FORMS}")
    return endpoint


def is_local(endpoint: str) -> bool:
    """Whether the endpoint can be reached from this computer only."""
    if not endpoint.startswith("tcp://"):
        return True
    host, _ = _tcp_parts(endpoint)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tcp_parts(endpoint: str) -> tuple[str, int]:
    found = re.fullmatch(r"tcp://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._*-]+):(\d{1,5})", endpoint)
    if found is None or not 0 < int(found[2]) < 1 << 16:
        raise EndpointError(f"endpoint {endpoint!r}; allowed is {ENDPOINT_FORMS}, port 1 to 65535")
    return found[1].strip("[]"), int(found[2])
