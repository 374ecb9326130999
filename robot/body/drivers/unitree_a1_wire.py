"""The packets of the Unitree A1's low-level UDP interface, byte for byte.

Decoded against the vendor's library (SDK 3.2 and 3.3.4) over a loopback; no packet was ever
exchanged with a real A1. All numbers are little-endian and nothing is padded.
"""

from __future__ import annotations

import zlib

import numpy as np

LOW_LEVEL = 0xFF
SERVO = 10  # motor mode: position, velocity and torque together
MOTORS = 20  # places in a packet; an A1 has motors in the first twelve
# Values that tell a motor to ignore its position and its velocity.
NO_POSITION = 2.146e9
NO_VELOCITY = 16000.0
TORQUE_SCALE, KP_SCALE, KD_SCALE = 256, 32, 16

HEAD = [("level", "u1"), ("version", "<u2"), ("robot", "<u2"), ("serial", "<u4"), ("band", "u1")]
MOTOR_COMMAND = np.dtype(
    [
        ("mode", "u1"),
        ("q", "<f4"),
        ("dq", "<f4"),
        ("tau", "<i2"),
        ("kp", "<i2"),
        ("kd", "<i2"),
        ("reserve", "<u4", 3),
    ]
)
MOTOR_STATE = np.dtype(
    [
        ("mode", "u1"),
        ("q", "<f4"),
        ("dq", "<f4"),
        ("ddq", "<i2"),
        ("tau", "<i2"),
        ("q_raw", "<f4"),
        ("dq_raw", "<f4"),
        ("ddq_raw", "<i2"),
        ("temperature", "i1"),
        ("reserve", "<u4", 2),
    ]
)
IMU = np.dtype(
    [
        ("quaternion", "<f4", 4),
        ("gyro", "<f4", 3),
        ("accelerometer", "<f4", 3),
        ("rpy", "<f4", 3),
        ("temperature", "i1"),
    ]
)
COMMAND = np.dtype(
    [
        *HEAD,
        ("motors", MOTOR_COMMAND, MOTORS),
        ("led", "u1", 12),
        ("remote", "u1", 40),
        ("reserve", "<u4"),
        ("crc", "<u4"),
    ]
)
STATE = np.dtype(
    [
        *HEAD,
        ("imu", IMU),
        ("motors", MOTOR_STATE, MOTORS),
        ("foot_force", "<i2", 4),
        ("foot_force_estimate", "<i2", 4),
        ("tick", "<u4"),
        ("remote", "u1", 40),
        ("reserve", "<u4"),
        ("crc", "<u4"),
    ]
)
assert (COMMAND.itemsize, STATE.itemsize) == (610, 771)

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def checksum(packet: bytes | bytearray | memoryview) -> int:
    """CRC-32/MPEG-2 over the little-endian words before the packet's own checksum.

    The two or three odd bytes between the last whole word and the checksum are not covered.
    The vendor's shifts the other way than zlib's, so bits are reversed before and after.
    """
    covered = (len(packet) - 4) // 4 * 4
    words = np.frombuffer(packet, "<u4", covered // 4).byteswap().tobytes()
    mirrored = zlib.crc32(words.translate(_REVERSED)) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_REVERSED), "big")


def sign(packet: bytearray) -> bytearray:
    """Write the checksum to the packet's last four bytes."""
    packet[-4:] = checksum(packet).to_bytes(4, "little")
    return packet


def is_whole(packet: bytes, layout: np.dtype) -> bool:
    """Whether length and checksum of a packet are right."""
    if len(packet) != layout.itemsize:
        return False
    return checksum(packet) == int.from_bytes(packet[-4:], "little")


def new_command() -> tuple[bytearray, np.ndarray]:
    """A command that lets all motors be limp: its bytes, and its fields as a record of them."""
    packet = bytearray(COMMAND.itemsize)
    record = np.frombuffer(packet, COMMAND)[0:1].reshape(())
    record["level"] = LOW_LEVEL
    record["motors"]["q"] = NO_POSITION
    record["motors"]["dq"] = NO_VELOCITY
    return packet, record
