"""Faults to try the safety layer on: a twin whose sensors and joints fail when told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from robot.body.interface import MotorCommand, Truth, Twin
from robot.config import RobotConfig
from robot.wire.messages import Reading

SensorFault = Callable[[Reading], Reading]
MotorFault = Callable[[MotorCommand], MotorCommand]
STUCK_KP, STUCK_KD = 400.0, 10.0  # stiffer than any gain in use; the torque limit still holds


class FaultyTwin:
    """A twin that passes everything on, through the faults that are injected at the moment.

    Args:
        config: the robot, for the names of its joints.
        twin: the twin that fails.
    """

    def __init__(self, config: RobotConfig, twin: Twin) -> None:
        self._joints = list(config.joints)
        self._twin = twin
        self.heal()

    def freeze(self) -> None:
        """Sensors repeat their values with new stamps, as a hung driver thread makes them."""
        still = self._twin.read()
        self._sensor_faults.append(lambda reading: replace(still, stamp_ns=reading.stamp_ns))

    def drop_out(self) -> None:
        """No reading comes any more: the last one only grows older."""
        last = self._twin.read()
        self._sensor_faults.append(lambda reading: last)

    def disconnect(self) -> None:
        """Reading and writing raise OSError, as with a pulled plug."""
        self._plugged = False

    def spoil(self, sensor: str, value: float = float("nan")) -> None:
        """One entry of a sensor's array reads `value`: NaN, infinity or nonsense.

        Raises:
            ValueError: for a name that is no array of a reading, naming those that are.
        """
        arrays = [k for k in Reading.__slots__ if k not in ("stamp_ns", "voltage")]
        if sensor not in arrays:
            raise ValueError(f"unknown sensor '{sensor}'; there are {', '.join(arrays)}")
        self._sensor_faults.append(
            lambda reading: replace(reading, **{sensor: _with(getattr(reading, sensor), 0, value)})
        )

    def heat(self, joint: str, temperature_c: float) -> None:
        """One motor reports a temperature."""
        place = self._place(joint)
        self._sensor_faults.append(
            lambda reading: replace(
                reading, temperature=_with(reading.temperature, place, temperature_c)
            )
        )

    def drain(self, voltage: float) -> None:
        """The battery reports a voltage."""
        self._sensor_faults.append(lambda reading: replace(reading, voltage=voltage))

    def stick(self, joint: str) -> None:
        """One joint stays where it is, as hard as its motor can."""
        place = self._place(joint)
        angle = float(self._twin.read().joint_pos[place])
        self._motor_faults.append(
            lambda command: MotorCommand(
                _with(command.position, place, angle),
                _with(command.kp, place, STUCK_KP),
                _with(command.kd, place, STUCK_KD),
                _with(command.torque, place, 0.0),
            )
        )

    def heal(self) -> None:
        """Take all faults away."""
        self._sensor_faults: list[SensorFault] = []
        self._motor_faults: list[MotorFault] = []
        self._plugged = True

    def connect(self) -> None:
        """Open the twin; see `disconnect`."""
        self._check_plug()
        self._twin.connect()

    def read(self) -> Reading:
        """Return the latest reading, through the faults in the order they came."""
        self._check_plug()
        reading = self._twin.read()
        for fault in self._sensor_faults:
            reading = fault(reading)
        return reading

    def write(self, command: MotorCommand) -> None:
        """Pass a command on, through the faults."""
        self._check_plug()
        for fault in self._motor_faults:
            command = fault(command)
        self._twin.write(command)

    def stop(self) -> None:
        """Damp all joints."""
        self._check_plug()
        self._twin.stop()

    def close(self) -> None:
        """Release the twin; safe to call twice."""
        self._twin.close()

    def advance(self) -> None:
        """Simulate one inner period."""
        self._twin.advance()

    def reset(self, start: str, seed: int) -> None:
        """Place the robot; faults stay."""
        self._twin.reset(start, seed)

    def push(self, impulse_n_s: np.ndarray) -> None:
        """Push the trunk."""
        self._twin.push(impulse_n_s)

    def truth(self) -> Truth:
        """Tell the true state, which no fault reaches."""
        return self._twin.truth()

    def show(self, state: np.ndarray) -> None:
        """Draw this state from now on."""
        self._twin.show(state)

    def render(self, camera: str, height: int, width: int) -> np.ndarray:
        """Draw the robot."""
        return self._twin.render(camera, height, width)

    def _place(self, joint: str) -> int:
        if joint not in self._joints:
            raise ValueError(f"unknown joint '{joint}'; there are {', '.join(self._joints)}")
        return self._joints.index(joint)

    def _check_plug(self) -> None:
        if not self._plugged:
            raise OSError("the device does not answer")


def _with(array: np.ndarray, place: int, value: float) -> np.ndarray:
    changed = np.array(array, dtype=float)
    changed[place] = value
    return changed
