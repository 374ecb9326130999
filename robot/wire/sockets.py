"""Opens the sockets of a stream as the table says, and holds the locks that keep a robot single."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import IO

import zmq

from robot.wire.keys import Keys, lock_socket
from robot.wire.streams import EndpointError, Endpoints, Stream, is_local, stream

SOCKET_TYPES = {"PUB": zmq.PUB, "SUB": zmq.SUB, "DEALER": zmq.DEALER, "ROUTER": zmq.ROUTER}


class EndpointInUse(RuntimeError):
    """Somebody else owns the endpoint or the robot; the message names which."""


class Port:
    """One end of a stream. Nothing here waits, except `wait`."""

    def __init__(self, endpoint: str, row: Stream, socket: zmq.Socket, lock: IO | None) -> None:
        self.endpoint = endpoint
        self.stream = row
        self.socket = socket
        self.dropped = 0
        self._lock = lock

    def send(self, data: bytes) -> bool:
        """Send one message; False when the queue is full or nobody is there to ask."""
        return self._offer([data])

    def send_to(self, peer: bytes, data: bytes) -> bool:
        """Answer one peer of a ROUTER; False when it has gone or does not read."""
        return self._offer([peer, data])

    def _offer(self, parts: list[bytes]) -> bool:
        try:
            self.socket.send_multipart(parts, zmq.DONTWAIT)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                raise
            self.dropped += 1
            return False
        return True

    def take(self, limit: int = 0) -> list[bytes]:
        """Messages that wait, oldest first: at most `limit`, by default the high-water mark."""
        return [parts[-1] for parts in self._waiting(limit)]

    def take_from(self, limit: int = 0) -> list[tuple[bytes, bytes]]:
        """As `take`, on a ROUTER: (peer, message)."""
        return [(parts[0], parts[-1]) for parts in self._waiting(limit) if len(parts) > 1]

    def latest(self) -> bytes | None:
        """Newest message that waits; older ones are dropped. None when there is none."""
        waiting = self.take()
        return waiting[-1] if waiting else None

    def _waiting(self, limit: int) -> list[list[bytes]]:
        found: list[list[bytes]] = []
        while len(found) < (limit or self.stream.high_water):
            try:
                found.append(self.socket.recv_multipart(zmq.DONTWAIT))
            except zmq.Again:
                break
        return found

    def wait(self, timeout_s: float) -> bool:
        """Wait until a message can be taken; False when none came in time."""
        return bool(self.socket.poll(max(0, round(timeout_s * 1000))))

    def close(self) -> None:
        """Close at once; what was not sent is dropped. Safe to call twice."""
        self.socket.close(0)
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def open_sender(
    endpoints: Endpoints, name: str, context: zmq.Context | None = None, keys: Keys | None = None
) -> Port:
    """Open the sending end of a stream.

    Raises:
        EndpointInUse: when it binds and somebody else has the endpoint.
        EndpointError: when the endpoint is none, or leaves this computer without keys.
    """
    row = stream(name)
    return _open(endpoints.of(name), row, row.pattern[0], row.binds == "sender", context, keys)


def open_receiver(
    endpoints: Endpoints, name: str, context: zmq.Context | None = None, keys: Keys | None = None
) -> Port:
    """Open the receiving end of a stream; raises as `open_sender` does."""
    row = stream(name)
    return _open(endpoints.of(name), row, row.pattern[1], row.binds == "receiver", context, keys)


def _open(
    endpoint: str,
    row: Stream,
    kind: str,
    binds: bool,
    context: zmq.Context | None,
    keys: Keys | None,
) -> Port:
    if not is_local(endpoint) and keys is None:
        raise EndpointError(
            f"{row.name} at {endpoint} leaves this computer; that needs keys (`reverie keys`)"
        )
    lock = _claim(endpoint) if binds else None
    socket = (context or zmq.Context.instance()).socket(SOCKET_TYPES[kind])
    try:
        _configure(socket, row, kind)
        if keys is not None and endpoint.startswith("tcp://"):
            lock_socket(socket, keys, binds)
        _attach(socket, endpoint, binds)
    except BaseException:
        Port(endpoint, row, socket, lock).close()
        raise
    return Port(endpoint, row, socket, lock)


def _configure(socket: zmq.Socket, row: Stream, kind: str) -> None:
    socket.linger = 0
    socket.sndhwm = socket.rcvhwm = row.high_water
    socket.maxmsgsize = row.limit
    socket.ipv6 = True
    # A peer that vanished without a word (cut cable, lost power) is given up after three seconds.
    socket.heartbeat_ivl, socket.heartbeat_timeout = 1000, 3000
    socket.reconnect_ivl, socket.reconnect_ivl_max = 50, 1000
    if row.latest_only:
        socket.conflate = True  # on both sides: a full sender would otherwise drop the newest
    if kind == "SUB":
        socket.subscribe(b"")
    elif kind == "DEALER":
        socket.immediate = True  # nothing queues for a peer that is not there
    elif kind == "ROUTER":
        socket.router_mandatory = True


def _attach(socket: zmq.Socket, endpoint: str, binds: bool) -> None:
    try:
        if binds:
            socket.bind(endpoint)
        else:
            socket.connect(endpoint)
    except zmq.ZMQError as error:
        if error.errno == errno.EADDRINUSE:
            raise EndpointInUse(f"{endpoint} is in use by another process") from error
        raise EndpointError(f"cannot open {endpoint}: {error.strerror}") from error


def _claim(endpoint: str) -> IO | None:
    """Lock an ipc path before binding it: ZMQ itself would take it over from its owner."""
    if not endpoint.startswith("ipc://"):
        return None
    path = Path(endpoint.removeprefix("ipc://"))
    private_folder(path.parent)
    return _hold(path.with_name(path.name + ".lock"), f"{endpoint} is in use by another process")


class RobotLock:
    """Keeps a second process of the same role away from a robot, as long as this one lives."""

    def __init__(self, endpoints: Endpoints, role: str) -> None:
        """Take the lock.

        Args:
            endpoints: of the robot; the lock lies in its folder.
            role: "body", "robot" or "learner".

        Raises:
            EndpointInUse: naming the robot, when another process has it.
        """
        private_folder(endpoints.folder)
        taken = f"robot '{endpoints.robot}' already has a {role} process on this computer"
        self._file: IO | None = _hold(endpoints.folder / f"{role}.lock", taken)

    def close(self) -> None:
        """Give the robot free; the operating system does so too when the process dies."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> RobotLock:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _hold(path: Path, refusal: str) -> IO:
    file = open(path, "a+")  # noqa: SIM115 - held open as long as the lock
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise EndpointInUse(f"{refusal} (pid {owner})" if owner else refusal) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def private_folder(path: Path) -> None:
    """Make a folder, and what lies above it, that only this user can enter.

    Raises:
        EndpointError: when the folder or the one above it belongs to another user.
    """
    if not path.parent.exists():
        private_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    for folder in (path, path.parent):
        if not folder.is_dir() or folder.lstat().st_uid not in (os.getuid(), 0):
            raise EndpointError(f"{folder} is not a folder of this user")
