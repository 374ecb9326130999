"""A twin around another twin: passes everything on, so that a subclass says only what differs."""

from __future__ import annotations

import numpy as np

from robot.body.interface import MotorCommand, Truth, Twin
from robot.wire.messages import Reading


class Around:
    """A twin that behaves as the one that it wraps.

    Args:
        twin: the body that it wraps.
    """

    def __init__(self, twin: Twin) -> None:
        self.inner = twin

    def connect(self) -> None:
        """Connect the twin."""
        self.inner.connect()

    def read(self) -> Reading:
        """Return the latest sample."""
        return self.inner.read()

    def write(self, command: MotorCommand) -> None:
        """Pass a motor command on."""
        self.inner.write(command)

    def stop(self) -> None:
        """Stop the motors."""
        self.inner.stop()

    def close(self) -> None:
        """Close the twin."""
        self.inner.close()

    def advance(self) -> None:
        """Simulate one inner period."""
        self.inner.advance()

    def reset(self, start: str, seed: int) -> None:
        """Place the robot anew."""
        self.inner.reset(start, seed)

    def push(self, impulse_n_s: np.ndarray) -> None:
        """Push the robot."""
        self.inner.push(impulse_n_s)

    def truth(self) -> Truth:
        """Tell the twin's true state."""
        return self.inner.truth()

    def show(self, state: np.ndarray) -> None:
        """Show another twin's state."""
        self.inner.show(state)

    def render(self, camera: str, height: int, width: int) -> np.ndarray:
        """Draw the robot."""
        return self.inner.render(camera, height, width)

    def depth(self, camera: str, height: int, width: int) -> np.ndarray:
        """Distances of what is drawn."""
        return self.inner.depth(camera, height, width)
