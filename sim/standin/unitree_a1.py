"""A Unitree A1 made of a twin and a UDP socket: it takes commands and answers with its state.

It speaks the packets of `robot.body.drivers.unitree_a1_wire`. A real A1 may differ in its timing,
in what it does when commands cease (this one goes on with the last), and in its noise.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import numpy as np

from robot.body.drivers.unitree_a1 import FEET, JOINTS
from robot.body.drivers.unitree_a1_wire import (
    COMMAND,
    KD_SCALE,
    KP_SCALE,
    LOW_LEVEL,
    NO_POSITION,
    NO_VELOCITY,
    SERVO,
    STATE,
    TORQUE_SCALE,
    is_whole,
    sign,
)
from robot.body.interface import MotorCommand, Twin
from robot.clock import Pace
from robot.config import RobotConfig
from robot.wire.messages import Reading


class A1StandIn:
    """The robot's end of the wire. It answers whoever sent the last sound command.

    Attributes:
        port: UDP port on 127.0.0.1 that it listens on.
        refused: packets that were no sound low-level commands.

    Args:
        config: of the robot.
        twin: that moves instead of an A1.
        port: to listen on, 0 for any free one.
    """

    def __init__(self, config: RobotConfig, twin: Twin, port: int = 0) -> None:
        self.refused = 0
        self._twin = twin
        self._motors = np.array([JOINTS.index(name) for name in config.joints])
        self._feet = np.array([FEET.index(name) for name in config.legs])
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self._client: tuple[str, int] | None = None
        self._packet = bytearray(STATE.itemsize)
        self._state = np.frombuffer(self._packet, STATE).reshape(())
        self._tick = 0
        self._sent_ns = -1

    def step(self) -> None:
        """One millisecond of the robot: take commands, move, answer."""
        self.hear()
        self._twin.advance()
        self._tick += 1
        self.answer()

    def run(self, pace: Pace, go_on: Callable[[], bool]) -> None:
        """Be the robot in real time, as long as `go_on` says so."""
        while go_on():
            pace.wait()
            self.step()

    def hear(self) -> None:
        """Take the commands that wait; the newest moves the motors."""
        while True:
            try:
                packet, sender = self._socket.recvfrom(2048)
            except BlockingIOError:
                return
            if is_whole(packet, COMMAND) and packet[0] == LOW_LEVEL:
                self._client = sender
                self._obey(np.frombuffer(packet, COMMAND)[0])
            else:
                self.refused += 1

    def answer(self) -> None:
        """Send the state to the client, if the twin measured anything new."""
        try:
            reading = self._twin.read()
        except ConnectionError:
            return
        if self._client is not None and reading.stamp_ns != self._sent_ns:
            self._sent_ns = reading.stamp_ns
            self._tell(reading)
            self._socket.sendto(sign(self._packet), self._client)

    def close(self) -> None:
        """Fall silent; safe to call twice."""
        self._socket.close()

    def _obey(self, command: np.void) -> None:
        motors = command["motors"][self._motors]
        serving = motors["mode"] == SERVO
        stiff = serving & (motors["q"] < NO_POSITION / 2)
        damped = serving & (motors["dq"] < NO_VELOCITY / 2)
        moved = MotorCommand(
            position=np.where(stiff, motors["q"], 0).astype(np.float64),
            kp=np.where(stiff, motors["kp"] / KP_SCALE, 0),
            kd=np.where(damped, motors["kd"] / KD_SCALE, 0),
            torque=np.where(serving, motors["tau"] / TORQUE_SCALE, 0),
        )
        try:
            self._twin.write(moved)
        except ConnectionError:
            return

    def _tell(self, reading: Reading) -> None:
        state, imu = self._state, self._state["imu"]
        state["level"] = LOW_LEVEL
        state["tick"] = self._tick % (1 << 32)
        imu["quaternion"] = reading.quaternion
        imu["gyro"] = reading.gyro
        imu["accelerometer"] = reading.accelerometer
        motors = np.zeros(len(self._motors), state["motors"].dtype)
        motors["mode"] = SERVO
        motors["q"] = motors["q_raw"] = reading.joint_pos
        motors["dq"] = motors["dq_raw"] = reading.joint_vel
        motors["tau"] = np.clip(reading.torque * TORQUE_SCALE, -32768, 32767)
        motors["temperature"] = reading.temperature
        state["motors"][self._motors] = motors
        state["foot_force"][self._feet] = reading.foot_force
