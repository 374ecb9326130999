"""Twins that are disturbed while they live: shoved, late to obey, or seen in another light."""

from __future__ import annotations

from collections import deque

import numpy as np

from robot.body.interface import MotorCommand, Twin
from robot.config import RobotConfig
from sim.around import Around

EVERY_S = 2.0
FIRST_S = 1.0  # after the soft start
STREAM = 11  # keeps directions apart from what others draw with the same seed, such as starts


class Shoved(Around):
    """A twin that is shoved every two seconds, the first time a second after its soft start.

    Each shove has another level direction; equal seeds of `reset` give equal directions. A shove
    lasts as long as every `Twin.push`.

    Args:
        twin: the body that it wraps.
        config: the robot.
        impulse_n_s: of each shove.
    """

    def __init__(self, twin: Twin, config: RobotConfig, impulse_n_s: float) -> None:
        super().__init__(twin)
        self._impulse_n_s = impulse_n_s
        hz = config.control.inner_hz
        self._first = round((config.safety.rising_s + FIRST_S) * hz)
        self._every = round(EVERY_S * hz)
        self._ticks, self._rng = 0, np.random.default_rng(STREAM)

    def reset(self, start: str, seed: int) -> None:
        """Place the robot anew; the shoves begin anew too."""
        self._ticks, self._rng = 0, np.random.default_rng((STREAM, seed))
        super().reset(start, seed)

    def advance(self) -> None:
        """Simulate one inner period, and shove when it is time."""
        due = self._ticks - self._first
        if due >= 0 and due % self._every == 0:
            angle = self._rng.uniform(-np.pi, np.pi)
            self.push(self._impulse_n_s * np.array([np.cos(angle), np.sin(angle), 0.0]))
        self._ticks += 1
        super().advance()


class Late(Around):
    """A twin whose motors obey every command later. `stop` is obeyed at once.

    Args:
        twin: the body that it wraps.
        config: the robot.
        ms: how much later, rounded to whole inner periods.
    """

    def __init__(self, twin: Twin, config: RobotConfig, ms: float) -> None:
        super().__init__(twin)
        self._delay = round(ms * 1e-3 * config.control.inner_hz)
        self._ticks = 0
        self._waiting: deque[tuple[int, MotorCommand]] = deque()

    def connect(self) -> None:
        """Connect the twin; what was written before is forgotten."""
        self._waiting.clear()
        super().connect()

    def reset(self, start: str, seed: int) -> None:
        """Place the robot anew; what was written before is forgotten."""
        self._waiting.clear()
        super().reset(start, seed)

    def write(self, command: MotorCommand) -> None:
        """Pass a motor command on, after the delay."""
        self._waiting.append((self._ticks + self._delay, command))

    def stop(self) -> None:
        """Stop the motors, whatever is still on its way to them."""
        self._waiting.clear()
        super().stop()

    def advance(self) -> None:
        """Simulate one inner period with the newest command that has arrived."""
        arrived = None
        while self._waiting and self._waiting[0][0] <= self._ticks:
            arrived = self._waiting.popleft()[1]
        if arrived is not None:
            super().write(arrived)
        self._ticks += 1
        super().advance()


class Lit(Around):
    """A twin in another light: every picture's bytes times a factor, as a wrong exposure gives.

    Args:
        twin: the body that it wraps.
        factor: of brightness; 1 leaves pictures as they are.
    """

    def __init__(self, twin: Twin, factor: float) -> None:
        super().__init__(twin)
        levels = np.round(np.arange(256) * factor)
        self._bytes = np.minimum(levels, 255).astype(np.uint8)

    def render(self, camera: str, height: int, width: int) -> np.ndarray:
        """Draw the robot."""
        return self._bytes[super().render(camera, height, width)]
