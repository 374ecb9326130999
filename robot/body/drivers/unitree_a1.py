"""Unitree A1 over its low-level UDP interface, without the vendor's library.

This driver was only ever run against the stand-in in `sim.standin.unitree_a1`, never against a
real A1. The packets are those of the vendor's library (see `unitree_a1_wire`); what the robot
does when commands cease is not known to us.
"""

from __future__ import annotations

import ipaddress
import socket
import time

import numpy as np

from robot.body.drivers.unitree_a1_wire import (
    KD_SCALE,
    KP_SCALE,
    SERVO,
    STATE,
    TORQUE_SCALE,
    is_whole,
    new_command,
    sign,
)
from robot.body.interface import MotorCommand
from robot.clock import Clock
from robot.config import ConfigError, RobotConfig
from robot.wire.messages import Reading

# Order of the motors in a packet, and of the feet.
JOINTS = tuple(
    f"{leg}_{joint}" for leg in ("FR", "FL", "RR", "RL") for joint in ("hip", "thigh", "calf")
)
FEET = ("FR", "FL", "RR", "RL")
ANSWER_WITHIN_S = 2.0
ASK_EVERY_S = 0.002
STOP_REPEATS = 5  # packets get lost, and this one must not
TICK_WRAP = 1 << 32
INT16 = np.iinfo(np.int16)


class UnitreeA1:
    """The A1's motors and sensors.

    Foot forces are the sensors' own counts, in which the vendor takes 20 for contact. The robot
    tells no battery voltage on this interface: it reads NaN.

    Attributes:
        refused: packets that were damaged or came late.

    Args:
        config: of the robot; its joints must be the A1's.
        clock: stamps a reading when its packet is taken.

    Raises:
        ConfigError: for other joints or feet, or an address that is none.
    """

    def __init__(self, config: RobotConfig, clock: Clock) -> None:
        if set(config.joints) != set(JOINTS) or set(config.legs) != set(FEET):
            allowed = ", ".join(JOINTS)
            raise ConfigError(
                f"unitree_a1: joints are {', '.join(config.joints)}; allowed: {allowed}"
            )
        self.refused = 0
        self._robot = _address("address", config.hardware.address)
        self._bind = _address("bind", config.hardware.bind)
        self._clock = clock
        self._motors = np.array([JOINTS.index(name) for name in config.joints])
        self._feet = np.array([FEET.index(name) for name in config.legs])
        self._kd = np.array([joint.kd for joint in config.joints.values()])
        self._packet, self._command = new_command()
        self._socket: socket.socket | None = None
        self._reading: Reading | None = None
        self._tick = -1

    def connect(self) -> None:
        """Open the port and ask, with limp motors, until the robot answers.

        Raises:
            ConnectionError: when it does not.
            OSError: when the port cannot be opened.
        """
        self._socket = _open(self._bind)
        self._reading, self._tick = None, -1
        self._packet, self._command = new_command()
        ends = time.monotonic() + ANSWER_WITHIN_S
        while self._reading is None:
            if time.monotonic() > ends:
                self.close()
                where = f"{self._robot[0]}:{self._robot[1]}"
                raise ConnectionError(f"no A1 answers at {where} within {ANSWER_WITHIN_S:g} s")
            self._send()
            time.sleep(ASK_EVERY_S)
            self._receive()

    def read(self) -> Reading:
        """Return the latest sample; the one before when no packet came.

        Raises:
            OSError: when the network fails.
        """
        self._receive()
        assert self._reading is not None, "connect() comes before read()"
        return self._reading

    def write(self, command: MotorCommand) -> None:
        """Send a command; it is not repeated.

        Raises:
            OSError: when the network fails.
        """
        motors = np.zeros(len(self._motors), self._command["motors"].dtype)
        motors["mode"] = SERVO
        motors["q"] = command.position
        motors["tau"] = _scaled(command.torque, TORQUE_SCALE)
        motors["kp"] = _scaled(command.kp, KP_SCALE)
        motors["kd"] = _scaled(command.kd, KD_SCALE)
        self._command["motors"][self._motors] = motors
        self._send()

    def stop(self) -> None:
        """Damp all motors.

        Raises:
            OSError: when the network fails.
        """
        if self._socket is None:
            return
        still = np.zeros(len(self._motors))
        damped = MotorCommand(still, still, self._kd, still)
        for _ in range(STOP_REPEATS):
            self.write(damped)

    def close(self) -> None:
        """Close the port; safe to call twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self) -> None:
        assert self._socket is not None, "connect() comes before write()"
        try:
            self._socket.sendto(sign(self._packet), self._robot)
        except BlockingIOError:
            self.refused += 1  # the network card's queue is full; the next command comes soon

    def _receive(self) -> None:
        """Take all packets that wait; the newest becomes the reading."""
        assert self._socket is not None, "connect() comes before read()"
        while True:
            try:
                packet, sender = self._socket.recvfrom(2048)
            except BlockingIOError:
                return
            if sender[0] == self._robot[0]:
                self._take(packet)

    def _take(self, packet: bytes) -> None:
        if not is_whole(packet, STATE):
            self.refused += 1
            return
        state = np.frombuffer(packet, STATE)[0]
        tick = int(state["tick"])
        late_by = (self._tick - tick) % TICK_WRAP
        if self._tick >= 0 and late_by < 1000:
            self.refused += 1  # overtaken on the way, or sent twice; a restart jumps further
            return
        self._tick = tick
        self._reading = self._read_state(state)

    def _read_state(self, state: np.void) -> Reading:
        motors = state["motors"][self._motors]
        imu = state["imu"]
        return Reading(
            stamp_ns=self._clock.now_ns(),
            quaternion=imu["quaternion"].astype(np.float64),
            gyro=imu["gyro"].astype(np.float64),
            accelerometer=imu["accelerometer"].astype(np.float64),
            joint_pos=motors["q"].astype(np.float64),
            joint_vel=motors["dq"].astype(np.float64),
            torque=motors["tau"] / TORQUE_SCALE,
            foot_force=state["foot_force"][self._feet].astype(np.float64),
            temperature=motors["temperature"].astype(np.float64),
            voltage=float("nan"),
        )


def _scaled(value: np.ndarray, scale: int) -> np.ndarray:
    return np.minimum(np.maximum(np.rint(value * scale), INT16.min), INT16.max)


def _address(key: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        if int(port) < 1 << 16:
            return str(ipaddress.IPv4Address(host)), int(port)
    except ValueError:
        pass
    raise ConfigError(f"hardware.{key} is '{text}'; allowed is IPv4:port, as 192.168.123.10:8007")


def _open(bind: tuple[str, int]) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.bind(bind)
    except OSError as error:
        opened.close()
        raise OSError(
            error.errno, f"cannot open UDP port {bind[0]}:{bind[1]}: {error.strerror}"
        ) from error
    return opened
