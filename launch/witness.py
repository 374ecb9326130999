"""A twin that is watched: passes everything on, and notes the truth as time goes by."""

from __future__ import annotations

import numpy as np

from launch.gait import Motion
from robot.body.interface import MotorCommand, Truth, Twin
from robot.config import RobotConfig
from robot.wire.messages import Reading


class WitnessedTwin:
    """A twin whose true motion is kept, at the rate of the sensors.

    Args:
        twin: the body that it wraps.
        config: the robot.
    """

    def __init__(self, twin: Twin, config: RobotConfig) -> None:
        self._twin = twin
        self._hz = float(config.control.sensors_hz)
        self._ticks_per_note = config.control.inner_hz // config.control.sensors_hz
        self._ticks = 0
        self._notes: list[Truth] = []

    def forget(self) -> None:
        """Begin the motion anew, from the next tick."""
        self._ticks = 0
        self._notes.clear()

    def motion(self) -> Motion:
        """What happened since `forget`."""
        notes = self._notes
        return Motion(
            hz=self._hz,
            position=np.stack([truth.position for truth in notes]),
            quaternion=np.stack([truth.quaternion for truth in notes]),
            velocity=np.stack([truth.velocity for truth in notes]),
            foot_height=np.stack([truth.foot_height for truth in notes]),
            foot_contact=np.stack([truth.foot_contact for truth in notes]),
            body_contact=np.array([truth.body_contact for truth in notes]),
        )

    def advance(self) -> None:
        """Simulate one inner period, and note the truth when it is time."""
        self._twin.advance()
        self._ticks += 1
        if self._ticks % self._ticks_per_note == 0:
            self._notes.append(self._twin.truth())

    def connect(self) -> None:
        """Connect the twin."""
        self._twin.connect()

    def read(self) -> Reading:
        """Return the latest sample."""
        return self._twin.read()

    def write(self, command: MotorCommand) -> None:
        """Pass a motor command on."""
        self._twin.write(command)

    def stop(self) -> None:
        """Stop the motors."""
        self._twin.stop()

    def close(self) -> None:
        """Close the twin."""
        self._twin.close()

    def reset(self, start: str, seed: int) -> None:
        """Place the robot anew."""
        self._twin.reset(start, seed)

    def push(self, impulse_n_s: np.ndarray) -> None:
        """Push the robot."""
        self._twin.push(impulse_n_s)

    def truth(self) -> Truth:
        """Tell the true state."""
        return self._twin.truth()

    def show(self, state: np.ndarray) -> None:
        """Show another twin's state."""
        self._twin.show(state)

    def render(self, camera: str, height: int, width: int) -> np.ndarray:
        """Draw the robot."""
        return self._twin.render(camera, height, width)

    def depth(self, camera: str, height: int, width: int) -> np.ndarray:
        """Distances of what is drawn."""
        return self._twin.depth(camera, height, width)
