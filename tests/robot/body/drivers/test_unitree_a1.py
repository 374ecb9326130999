import struct
import threading

import numpy as np
import pytest

from robot.body.drivers.fake import FakeBody
from robot.body.drivers.unitree_a1 import UnitreeA1
from robot.body.drivers.unitree_a1_wire import COMMAND, STATE, checksum, is_whole, new_command, sign
from robot.body.interface import MotorCommand
from robot.clock import SteppedClock
from robot.config import ConfigError, load_config
from sim.standin.unitree_a1 import A1StandIn

A1 = "hardware_configs/a1.yaml"
ONES = np.ones(12)


def slow_checksum(packet: bytes | bytearray) -> int:
    """CRC-32/MPEG-2, bit by bit, as the vendor's header has it."""
    crc = 0xFFFFFFFF
    for (word,) in struct.iter_unpack("<I", packet[: (len(packet) - 4) // 4 * 4]):
        for bit in range(31, -1, -1):
            top = crc >> 31
            crc = (crc << 1) & 0xFFFFFFFF
            if top:
                crc ^= 0x04C11DB7
            if word >> bit & 1:
                crc ^= 0x04C11DB7
    return crc


@pytest.mark.parametrize("length", [610, 771])
def test_checksum_equals_the_slow_one(length):
    packet = np.random.default_rng(length).bytes(length)
    assert checksum(packet) == slow_checksum(packet)


def test_checksum_of_known_words():
    # CRC-32/MPEG-2 of the bytes "12345678", which are these two words, highest byte first.
    assert checksum(struct.pack("<II", 0x31323334, 0x35363738) + bytes(4)) == 0x49E3C2FB
    assert checksum(bytes(8)) == 0xC704DD7B


def test_a_flipped_bit_or_a_cut_packet_is_noticed():
    packet, _ = new_command()
    whole = bytes(sign(packet))
    assert is_whole(whole, COMMAND)
    assert not is_whole(whole[:-1], COMMAND)
    assert not is_whole(whole[:100] + bytes([whole[100] ^ 4]) + whole[101:], COMMAND)
    assert not is_whole(whole, STATE)


class Wire:
    """The driver, and a stand-in with a fake body, in lock-step."""

    def __init__(self, *changes: str) -> None:
        self.clock = SteppedClock(5_000_000_000)
        self.config = load_config(A1, ["twin.start=standing", *changes])
        self.twin = FakeBody(self.config, self.clock)
        self.standin = A1StandIn(self.config, self.twin)
        ports = [f"hardware.address=127.0.0.1:{self.standin.port}", "hardware.bind=127.0.0.1:0"]
        self.driver = UnitreeA1(load_config(A1, [*changes, *ports]), self.clock)

    def connect(self) -> None:
        done = threading.Event()
        thread = threading.Thread(target=self._answer, args=(done,))
        thread.start()
        try:
            self.driver.connect()
        finally:
            done.set()
            thread.join()

    def _answer(self, done: threading.Event) -> None:
        while not done.wait(0.001):
            self.standin.hear()
            self.standin.answer()

    def step(self) -> None:
        self.clock.advance(1_000_000)
        self.standin.step()

    def close(self) -> None:
        self.driver.close()
        self.standin.close()


@pytest.fixture
def wire():
    made = Wire()
    made.connect()
    yield made
    made.close()


def test_the_command_on_the_wire_is_the_documented_one(wire, monkeypatch):
    sent = []
    monkeypatch.setattr(wire.driver, "_send", lambda: sent.append(bytes(sign(wire.driver._packet))))
    wire.driver.write(MotorCommand(np.arange(12) / 10, 80 * ONES, 2 * ONES, np.arange(12) - 6.0))
    (packet,) = sent
    assert len(packet) == 610
    assert struct.unpack_from("<BHHIB", packet) == (0xFF, 0, 0, 0, 0)
    for motor in range(12):
        mode, q, dq, tau, kp, kd, *reserve = struct.unpack_from(
            "<BffhhhIII", packet, 10 + 27 * motor
        )
        assert (mode, dq, tau, kp, kd) == (10, 0, (motor - 6) * 256, 80 * 32, 2 * 16)
        assert q == pytest.approx(motor / 10)
    for motor in range(12, 20):
        found = struct.unpack_from("<BffhhhIII", packet, 10 + 27 * motor)
        assert found == (0, np.float32(2.146e9), 16000.0, 0, 0, 0, 0, 0, 0)
    assert struct.unpack_from("<I", packet, 606)[0] == slow_checksum(packet)


def test_the_documented_state_becomes_a_reading(wire):
    packet = bytearray(771)
    struct.pack_into("<BHHIB", packet, 0, 0xFF, 0, 0, 0, 0)
    struct.pack_into("<4f3f3f3fb", packet, 10, 1, 0, 0, 0, 0.1, 0.2, 0.3, 0, 0, 9.81, 0, 0, 0, 40)
    for motor in range(12):
        where = 63 + 32 * motor
        values = (10, motor / 10, -motor, 0, motor * 256, 0.0, 0.0, 0, 30 + motor, 0, 0)
        struct.pack_into("<BffhhffhbII", packet, where, *values)
    struct.pack_into("<8h", packet, 703, 11, 22, 33, 44, 0, 0, 0, 0)
    struct.pack_into("<I", packet, 719, 123456)
    struct.pack_into("<I", packet, 767, slow_checksum(packet))
    wire.driver._take(bytes(packet))
    reading = wire.driver.read()
    assert wire.driver.refused == 0
    np.testing.assert_allclose(reading.quaternion, [1, 0, 0, 0])
    np.testing.assert_allclose(reading.gyro, [0.1, 0.2, 0.3], atol=1e-7)
    np.testing.assert_allclose(reading.accelerometer, [0, 0, 9.81], atol=1e-6)
    np.testing.assert_allclose(reading.joint_pos, np.arange(12) / 10, atol=1e-6)
    np.testing.assert_array_equal(reading.joint_vel, -np.arange(12.0))
    np.testing.assert_array_equal(reading.torque, np.arange(12.0))
    np.testing.assert_array_equal(reading.temperature, 30 + np.arange(12.0))
    np.testing.assert_array_equal(reading.foot_force, [11, 22, 33, 44])
    assert np.isnan(reading.voltage)


def test_connecting_leaves_the_motors_limp(wire):
    wire.standin.hear()
    last = wire.twin.last
    assert last is not None
    assert not (last.kp.any() or last.kd.any() or last.torque.any())


def test_joints_go_where_they_are_told_and_readings_come_back(wire):
    target = wire.driver.read().joint_pos + 0.1
    for _ in range(200):
        wire.step()
        reading = wire.driver.read()
        wire.driver.write(MotorCommand(target, 80 * ONES, 2 * ONES, 0 * ONES))
    np.testing.assert_allclose(reading.joint_pos, target, atol=1e-3)
    assert reading.stamp_ns == wire.clock.now_ns()


def test_joints_in_another_order_are_put_in_theirs():
    config = load_config(A1)
    turned = dict(reversed(config.joints.items()))
    made = Wire()
    driver = UnitreeA1(config.model_copy(update={"joints": turned}), made.clock)
    assert list(driver._motors) == list(range(11, -1, -1))
    made.close()


def test_silence_leaves_the_last_reading_with_its_old_stamp(wire):
    wire.step()
    before = wire.driver.read()
    wire.clock.advance(50_000_000)
    assert wire.driver.read() is before


def test_damaged_doubled_and_late_packets_are_refused(wire):
    wire.standin.hear()
    packets = []
    for _ in range(3):
        wire.step()
        packets.append(bytes(wire.standin._packet))
    reading = wire.driver.read()
    damaged = packets[2][:60] + b"\xff" + packets[2][61:]
    for number, packet in enumerate((packets[2], packets[0], damaged, b"", bytes(771))):
        wire.driver._take(packet)
        assert wire.driver.refused == number + 1
    assert wire.driver.read() is reading


def test_a_robot_that_restarted_is_heard_again(wire):
    for _ in range(2000):
        wire.step()
        wire.driver.read()
    wire.standin._tick = 0
    wire.step()
    assert wire.driver.read().stamp_ns == wire.clock.now_ns()


def test_stop_damps_at_once(wire):
    wire.driver.write(MotorCommand(0 * ONES, 80 * ONES, 2 * ONES, 0 * ONES))
    wire.driver.stop()
    wire.standin.hear()
    assert wire.twin.last is not None and not wire.twin.last.kp.any()
    np.testing.assert_array_equal(wire.twin.last.kd, [1, 2, 2] * 4)


def test_stop_and_close_are_safe_before_and_after():
    made = Wire()
    made.driver.stop()
    made.driver.close()
    made.connect()
    made.close()
    made.driver.close()
    made.driver.stop()


def test_values_beyond_the_wires_range_are_held_at_its_ends(wire):
    wire.driver.write(MotorCommand(0 * ONES, 5000 * ONES, 0 * ONES, -500 * ONES))
    wire.standin.hear()
    assert wire.twin.last is not None
    np.testing.assert_allclose(wire.twin.last.kp, 32767 / 32)
    np.testing.assert_allclose(wire.twin.last.torque, -128)


def test_a_robot_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("robot.body.drivers.unitree_a1.ANSWER_WITHIN_S", 0.05)
    made = Wire()
    with pytest.raises(ConnectionError, match="no A1 answers at 127.0.0.1:"):
        made.driver.connect()
    made.close()


def test_a_port_in_use_is_named(wire):
    port = wire.driver._socket.getsockname()[1]
    changes = ["hardware.address=127.0.0.1:8007", f"hardware.bind=127.0.0.1:{port}"]
    second = UnitreeA1(load_config(A1, changes), wire.clock)
    with pytest.raises(OSError, match=f"cannot open UDP port 127.0.0.1:{port}"):
        second.connect()


@pytest.mark.parametrize("text", ["", "a1:8007", "1.2.3.4", "1.2.3.4:70000", "1.2.3.4:x"])
def test_a_wrong_address_is_a_line(text):
    config = load_config(A1, [f"hardware.address='{text}'"])
    with pytest.raises(ConfigError, match="hardware.address is .*; allowed is IPv4:port"):
        UnitreeA1(config, SteppedClock())


def test_another_robots_joints_are_refused():
    config = load_config(A1)
    fewer = {name: joint for name, joint in config.joints.items() if name != "RL_calf"}
    with pytest.raises(ConfigError, match="unitree_a1: joints are FR_hip"):
        UnitreeA1(config.model_copy(update={"joints": fewer}), SteppedClock())
