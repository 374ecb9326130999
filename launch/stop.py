"""`reverie stop`: an operator's word to running robots, from any terminal."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from robot.config import ConfigError, load_config
from robot.wire.codec import decode, encode
from robot.wire.keys import KeyFileError, Keys, load_keys
from robot.wire.messages import OperatorAck, OperatorWord
from robot.wire.schemas import CodecError
from robot.wire.sockets import EndpointInUse, Port, RobotLock, open_sender
from robot.wire.streams import EndpointError, Endpoints, socket_directory

Word = Literal["stop", "pause", "resume"]
PATIENCE_S = 2.0
AGAIN_S = 0.05


def run_stop(config: Path | None = None, keys: Path | None = None) -> int:
    """Stop the motors of a robot, or of every robot of yours on this computer.

    The body process stops within 50 ms of hearing it, and stays stopped until `resume`.

    Args:
        config: of the robot to stop; without it, all that run here.
        keys: key file, where the robot is on another computer.

    Returns:
        Exit code: 0 when every one acknowledged, 1 when one did not, 2 when nobody was asked.
    """
    return run_word("stop", config, keys)


def run_word(word: Word, config: Path | None = None, keys: Path | None = None) -> int:
    """Say a word to robots and print what each answers; arguments and result as `run_stop`."""
    try:
        robots = _running() if config is None else [_endpoints(config)]
        secret = None if keys is None else load_keys(keys)
    except (ConfigError, EndpointError, KeyFileError) as error:
        print(f"reverie {word}: {error}", file=sys.stderr)
        return 2
    if not robots:
        print(f"reverie {word}: no robot runs here (looked in {socket_directory()})")
        return 2
    return _say_to_all(word, robots, secret)


def say(word: Word, endpoints: Endpoints, keys: Keys | None = None) -> OperatorAck:
    """Say a word to one robot and wait for its answer.

    Raises:
        TimeoutError: when no body answers, naming its endpoint.
        EndpointError: when the endpoint cannot be used.
    """
    port = open_sender(endpoints, "operator", keys=keys)
    try:
        said = OperatorWord(word, getpass.getuser(), time.monotonic_ns())
        return _ask(port, said)
    finally:
        port.close()


def _ask(port: Port, said: OperatorWord) -> OperatorAck:
    data = encode(said, 0, time.time_ns(), said.stamp_ns)
    ends = time.monotonic() + PATIENCE_S
    sent = False
    while time.monotonic() < ends:
        sent = sent or port.send(data)  # refused as long as nobody is connected
        if port.wait(AGAIN_S if sent else AGAIN_S / 10):
            for answer in port.take():
                if (ack := _answer_to(said, answer)) is not None:
                    return ack
    raise TimeoutError(f"no body answers at {port.endpoint}")


def _answer_to(said: OperatorWord, data: bytes) -> OperatorAck | None:
    try:
        ack = decode(data, OperatorAck)
    except CodecError:
        return None
    return ack if ack.stamp_ns == said.stamp_ns else None


def _say_to_all(word: Word, robots: Sequence[Endpoints], keys: Keys | None) -> int:
    """Ask all at once: a robot that does not answer must not delay the next one's stop."""
    with ThreadPoolExecutor(len(robots)) as pool:
        answers = list(pool.map(lambda endpoints: _answer(word, endpoints, keys), robots))
    for endpoints, (ok, text) in zip(robots, answers, strict=True):
        print(f"{endpoints.robot}: {text}", file=sys.stdout if ok else sys.stderr)
    return 0 if all(ok for ok, _ in answers) else 1


def _answer(word: Word, endpoints: Endpoints, keys: Keys | None) -> tuple[bool, str]:
    try:
        ack = say(word, endpoints, keys)
    except (TimeoutError, EndpointError) as error:
        return False, f"NOT heard: {error}"
    return not ack.reason, f"{ack.state} ({ack.reason})" if ack.reason else ack.state


def _endpoints(config: Path) -> Endpoints:
    robot = load_config(config)
    return Endpoints(robot.robot, robot.endpoints)


def _running() -> list[Endpoints]:
    """Robots of this user on this computer whose body process lives."""
    found = sorted(path.parent.name for path in socket_directory().glob("*/body.lock"))
    return [Endpoints(name) for name in found if _lives(Endpoints(name))]


def _lives(endpoints: Endpoints) -> bool:
    try:
        RobotLock(endpoints, "body").close()
    except EndpointInUse:
        return True
    return False
