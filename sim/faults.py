"""Faults on request: wraps any twin and spoils what it senses, as broken hardware would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robot.body.interface import MotorCommand, Truth, Twin
from robot.clock import Clock
from robot.wire.messages import Reading

SEIZED_KP, SEIZED_KD = 400.0, 10.0  # stiffer than any gain in use; the torque limit still holds


class FaultyBody:
    """A twin whose sensors can be set, frozen, stalled or cut off, and whose joints can seize.

    Attributes:
        sensed: fields of `Reading` that replace what the twin senses, such as `{"voltage": 20.0}`.
        seized: angle in rad at which a joint is stuck, by its number; its motor holds it there.
        last: the last motor command, None before the first.
        stops: how often `stop` was called.

    Args:
        twin: the body that it wraps.
        clock: stamps frozen readings, as a driver that repeats itself would.
    """

    def __init__(self, twin: Twin, clock: Clock) -> None:
        self.sensed: dict[str, np.ndarray | float] = {}
        self.seized: dict[int, float] = {}
        self.last: MotorCommand | None = None
        self.stops = 0
        self._twin = twin
        self._clock = clock
        self._frozen: Reading | None = None
        self._stalled: Reading | None = None
        self._lost = False

    def freeze(self) -> None:
        """From now on give the same values with new stamps."""
        self._frozen = self.read()

    def stall(self) -> None:
        """From now on give the same sample with its old stamp."""
        self._stalled = self.read()

    def disconnect(self) -> None:
        """From now on fail to read and write."""
        self._lost = True

    def heal(self) -> None:
        """Undo all of these, and everything in `sensed` and `seized`."""
        self._frozen, self._stalled, self._lost = None, None, False
        self.sensed.clear()
        self.seized.clear()

    def connect(self) -> None:
        """Connect the twin."""
        self._require_line()
        self._twin.connect()

    def read(self) -> Reading:
        """Return what the spoilt sensors give.

        Raises:
            ConnectionError: after `disconnect`.
        """
        self._require_line()
        if self._stalled is not None:
            return self._stalled
        reading = self._twin.read()
        if self._frozen is not None:
            reading = replace(self._frozen, stamp_ns=self._clock.now_ns())
        return replace(reading, **self.sensed) if self.sensed else reading

    def write(self, command: MotorCommand) -> None:
        """Pass a motor command on.

        Raises:
            ConnectionError: after `disconnect`.
        """
        self._require_line()
        self.last = command
        self._twin.write(_seize(command, self.seized) if self.seized else command)

    def stop(self) -> None:
        """Stop the twin."""
        self.stops += 1
        self._twin.stop()

    def close(self) -> None:
        """Close the twin."""
        self._twin.close()

    def advance(self) -> None:
        """Simulate one inner period."""
        self._twin.advance()

    def reset(self, start: str, seed: int) -> None:
        """Place the twin anew; the faults stay."""
        self._twin.reset(start, seed)

    def push(self, impulse_n_s: np.ndarray) -> None:
        """Push the twin."""
        self._twin.push(impulse_n_s)

    def truth(self) -> Truth:
        """Tell the twin's true state."""
        return self._twin.truth()

    def show(self, state: np.ndarray) -> None:
        """Show another twin's state."""
        self._twin.show(state)

    def render(self, camera: str, height: int, width: int) -> np.ndarray:
        """Draw the twin."""
        return self._twin.render(camera, height, width)

    def depth(self, camera: str, height: int, width: int) -> np.ndarray:
        """Distances of what is drawn."""
        return self._twin.depth(camera, height, width)

    def _require_line(self) -> None:
        if self._lost:
            raise ConnectionError("the line was cut on request")


def _seize(command: MotorCommand, angles: dict[int, float]) -> MotorCommand:
    position, kp, kd = command.position.copy(), command.kp.copy(), command.kd.copy()
    torque = command.torque.copy()
    for joint, angle in angles.items():
        position[joint], kp[joint], kd[joint], torque[joint] = angle, SEIZED_KP, SEIZED_KD, 0.0
    return MotorCommand(position, kp, kd, torque)
