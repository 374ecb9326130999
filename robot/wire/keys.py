"""CURVE keys: one pair per deployment, without which nothing leaves the loopback interface."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.utils import z85

ZAP_ENDPOINT = "inproc://zeromq.zap.01"
_CURVE_FIELDS = 7


class KeyFileError(ValueError):
    """A key file that is missing, readable by others, or holds no keys."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The pair that all processes of a deployment share, in Z85 text.

    Whoever holds the secret half may speak; the public half alone opens nothing.
    """

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"Keys(public={self.public!r})"


def create_keys(path: Path) -> Keys:
    """Make a pair and write it to a file that only this user can read.

    Raises:
        KeyFileError: when the file exists; keys are never overwritten.
    """
    public, secret = (half.decode() for half in zmq.curve_keypair())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise KeyFileError(f"{path} exists; remove it first to make new keys") from error
    with os.fdopen(handle, "w") as file:
        json.dump({"public": public, "secret": secret}, file)
    return Keys(public, secret)


def load_keys(path: Path) -> Keys:
    """Read a pair.

    Raises:
        KeyFileError: one line naming the file and what is wrong with it.
    """
    if not path.is_file():
        raise KeyFileError(f"no keys at {path}; `reverie keys` makes them")
    if path.stat().st_mode & 0o077:
        raise KeyFileError(f"{path} can be read by others; allowed is mode 600")
    try:
        said = json.loads(path.read_text())
        keys = Keys(said["public"], said["secret"])
        matches = zmq.curve_public(keys.secret.encode()).decode() == keys.public
    except (ValueError, KeyError, TypeError, AttributeError, zmq.ZMQError) as error:
        raise KeyFileError(f"{path} holds no key pair") from error
    if not matches:
        raise KeyFileError(f"{path}: public and secret half do not belong together")
    return keys


def lock_socket(socket: zmq.Socket, keys: Keys, binds: bool) -> None:
    """Encrypt and authenticate a socket before it is bound or connected."""
    socket.curve_publickey = keys.public.encode()
    socket.curve_secretkey = keys.secret.encode()
    if binds:
        Doorkeeper.watch(socket.context, keys)
        socket.curve_server = True
    else:
        socket.curve_serverkey = keys.public.encode()


class Doorkeeper(threading.Thread):
    """Answers ZMQ's question whether a peer may enter: only one with this deployment's key.

    Without it, CURVE would let in everybody who knows the public half.
    """

    _at_work: dict[int, Doorkeeper] = {}
    _guard = threading.Lock()

    def __init__(self, context: zmq.Context, keys: Keys) -> None:
        super().__init__(name="doorkeeper", daemon=True)
        self._allowed = keys.public.encode()
        # A shadow, so that a `destroy` of the context leaves this thread's socket to this thread.
        self._socket = zmq.Context.shadow(context.underlying).socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.bind(ZAP_ENDPOINT)

    @classmethod
    def watch(cls, context: zmq.Context, keys: Keys) -> None:
        """Make sure that a doorkeeper is at work in this context, for these keys.

        Raises:
            KeyFileError: when the context already works with other keys.
        """
        with cls._guard:
            keeper = cls._at_work.get(context.underlying)
            if keeper is None or not keeper.is_alive():
                keeper = cls._at_work[context.underlying] = cls(context, keys)
                keeper.start()
            if keeper._allowed != keys.public.encode():
                raise KeyFileError("one process cannot work with two key pairs")

    def run(self) -> None:
        """Answer until the context ends."""
        try:
            while True:
                self._answer(self._socket.recv_multipart())
        except zmq.ContextTerminated:
            self._socket.close(0)

    def _answer(self, parts: list[bytes]) -> None:
        """Answer one question of ZAP (rfc.zeromq.org/spec/27)."""
        empty = parts.index(b"")
        asker, question = parts[: empty + 1], parts[empty + 1 :]
        version, request = question[:2]
        curve = len(question) == _CURVE_FIELDS and question[5] == b"CURVE"
        may = curve and z85.encode(question[6]) == self._allowed
        verdict = [b"200", b"OK"] if may else [b"400", b"unknown key"]
        self._socket.send_multipart([*asker, version, request, *verdict, b"", b""])
