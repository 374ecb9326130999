import socket
import struct

import numpy as np
import pytest

from robot.body.drivers.fake import FakeBody
from robot.body.drivers.unitree_a1_wire import checksum, new_command, sign
from robot.clock import SteppedClock
from robot.config import load_config
from sim.faults import FaultyBody
from sim.standin.unitree_a1 import A1StandIn

CONFIG = load_config("hardware_configs/a1.yaml", ["twin.start=folded"])


class Stage:
    """A stand-in, and a bare socket that plays the client."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.twin = FaultyBody(FakeBody(CONFIG, self.clock), self.clock)
        self.standin = A1StandIn(CONFIG, self.twin)
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.setblocking(False)
        self.client.bind(("127.0.0.1", 0))

    def send(self, packet: bytes | bytearray) -> None:
        self.client.sendto(packet, ("127.0.0.1", self.standin.port))

    def step(self) -> list[bytes]:
        """One millisecond; what the client hears of it."""
        self.clock.advance(1_000_000)
        self.standin.step()
        heard = []
        while True:
            try:
                heard.append(self.client.recv(2048))
            except BlockingIOError:
                return heard


@pytest.fixture
def stage():
    made = Stage()
    yield made
    made.client.close()
    made.standin.close()


def test_it_is_silent_until_spoken_to_and_then_answers_every_millisecond(stage):
    assert stage.step() == []
    stage.send(sign(new_command()[0]))
    for _ in range(5):
        (packet,) = stage.step()
        assert len(packet) == 771
        assert struct.unpack_from("<I", packet, 767)[0] == checksum(packet)
    assert struct.unpack_from("<I", packet, 719)[0] == 6  # its own milliseconds
    folded = [CONFIG.poses["fold"][name] for name in CONFIG.joints]
    angles = [struct.unpack_from("<f", packet, 63 + 32 * motor + 1)[0] for motor in range(12)]
    np.testing.assert_allclose(angles, folded, atol=1e-5)


def test_nonsense_and_other_levels_move_nothing(stage):
    high_level, record = new_command()
    record["level"] = 0
    damaged = bytearray(sign(new_command()[0]))
    damaged[50] ^= 1
    for packet in (b"", b"x" * 610, sign(high_level), damaged, bytes(771)):
        stage.send(packet)
    assert stage.step() == []
    assert stage.standin.refused == 5
    assert stage.twin.last is None


def test_motors_that_are_told_to_ignore_a_value_do(stage):
    packet, record = new_command()
    record["motors"]["mode"][:12] = 10
    record["motors"]["kp"][:12] = 80 * 32
    record["motors"]["kd"][:12] = 2 * 16
    record["motors"]["q"][0] = 0.25
    record["motors"]["dq"][1] = 0.0
    stage.send(sign(packet))
    stage.step()
    last = stage.twin.last
    assert (last.kp[0], last.position[0], last.kd[0]) == (80, 0.25, 0)
    assert (last.kp[1], last.kd[1]) == (0, 2)
    assert not last.kp[2:].any() and not last.kd[2:].any()


def test_motors_that_are_not_in_servo_mode_are_limp(stage):
    packet, record = new_command()
    record["motors"]["kp"], record["motors"]["tau"] = 80 * 32, 256
    record["motors"]["q"] = record["motors"]["dq"] = 0
    stage.send(sign(packet))
    stage.step()
    last = stage.twin.last
    assert not (last.kp.any() or last.kd.any() or last.torque.any())


def test_a_board_that_senses_nothing_new_sends_nothing(stage):
    stage.send(sign(new_command()[0]))
    assert len(stage.step()) == 1
    stage.twin.stall()
    assert len(stage.step()) == 0
    stage.twin.heal()
    stage.twin.disconnect()
    assert len(stage.step()) == 0
    stage.twin.heal()
    assert len(stage.step()) == 1
