"""Turns an engine's exact state into readings: noise, delay, and arrays that never change again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import sqrt

import numpy as np

from robot.config import RobotConfig
from robot.wire.messages import Reading

BLOCK = 64  # noise rows drawn at once: one call per 64 ticks, small enough not to delay a 1 ms tick
MOTOR_TEMPERATURE_C = 25.0  # twins do not model heat
BATTERY_V = 24.0  # nor the battery


class Senses:
    """The sensors of a twin.

    One raw row holds, in this order: quaternion (4), gyro (3), accelerometer (3), joint positions,
    velocities and torques (J each), foot forces (F). Noise belongs to the tick, not to the call, so
    that reading twice or never changes nothing later.

    Args:
        config: the robot; `twin.noise` and `twin.latency_ms` are used.
        capture: returns a fresh raw row of the engine's present state.
        seed: seed of the noise.
    """

    def __init__(self, config: RobotConfig, capture: Callable[[], np.ndarray], seed: int) -> None:
        self._capture = capture
        self._deviation = _deviations(config)
        self._cuts = _cuts(len(config.joints), len(config.legs))
        self._temperature = np.full(len(config.joints), MOTOR_TEMPERATURE_C)
        self._temperature.setflags(write=False)
        self._delay = round(config.twin.latency_ms * 1e-3 * config.control.inner_hz)
        self._row = 0
        self._stamp_ns = 0
        self._reading: Reading | None = None
        self._delayed: deque[Reading] = deque(maxlen=self._delay + 1)
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """Forget delayed readings and start the noise anew."""
        self._rng = np.random.default_rng(seed)
        self._delayed.clear()
        self._draw()

    def step(self, stamp_ns: int) -> None:
        """Note that the engine has moved on; its state is what was felt at `stamp_ns`."""
        self._stamp_ns = stamp_ns
        self._reading = None
        self._row += 1
        if self._row == BLOCK:
            self._draw()
        if self._delay:
            self._delayed.append(self._sense())

    def latest(self) -> Reading:
        """The newest reading that has come through the delay; equal until the next step."""
        if self._delayed:
            return self._delayed[0]
        if self._reading is None:
            self._reading = self._sense()
        return self._reading

    def _draw(self) -> None:
        shape = (BLOCK, self._deviation.size)
        self._noise = self._rng.standard_normal(shape) * self._deviation
        self._row = 0

    def _sense(self) -> Reading:
        row = self._capture()
        row += self._noise[self._row]
        w, x, y, z = row[:4].tolist()
        row[:4] /= sqrt(w * w + x * x + y * y + z * z)
        position, velocity, torque, foot = self._cuts
        np.maximum(row[foot], 0.0, out=row[foot])
        row.setflags(write=False)
        return Reading(
            self._stamp_ns,
            row[:4],
            row[4:7],
            row[7:10],
            row[position],
            row[velocity],
            row[torque],
            row[foot],
            self._temperature,
            BATTERY_V,
        )


def _deviations(config: RobotConfig) -> np.ndarray:
    noise, joints = config.twin.noise.deviations, len(config.joints)
    return np.concatenate(
        [
            # A small turn by the angle a moves a unit quaternion by a / 2.
            np.full(4, noise.orientation / 2),
            np.full(3, noise.gyro),
            np.full(3, noise.accelerometer),
            np.full(joints, noise.joint_pos),
            np.full(joints, noise.joint_vel),
            np.full(joints, noise.torque),
            np.full(len(config.legs), noise.foot_force),
        ]
    )


def _cuts(joints: int, feet: int) -> tuple[slice, slice, slice, slice]:
    edges = [10, 10 + joints, 10 + 2 * joints, 10 + 3 * joints, 10 + 3 * joints + feet]
    position, velocity, torque, foot = (
        slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)
    )
    return position, velocity, torque, foot
