"""A twin that is watched: passes everything on, and notes the truth as time goes by."""

from __future__ import annotations

import numpy as np

from launch.gait import Motion
from robot.body.interface import Truth, Twin
from robot.config import RobotConfig
from sim.around import Around


class WitnessedTwin(Around):
    """A twin whose true motion is kept, at the rate of the sensors.

    Args:
        twin: the body that it wraps.
        config: the robot.
    """

    def __init__(self, twin: Twin, config: RobotConfig) -> None:
        super().__init__(twin)
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
        super().advance()
        self._ticks += 1
        if self._ticks % self._ticks_per_note == 0:
            self._notes.append(self.truth())
