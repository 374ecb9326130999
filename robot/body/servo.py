"""From commanded positions to motor commands: filter, interpolate, clip, ramp."""

from __future__ import annotations

import numpy as np

from robot.body.filters import Butterworth
from robot.body.interface import MotorCommand
from robot.body.limits import Limits
from robot.config import RobotConfig


class Servo:
    """Leads the joints to the commanded pose, as DayDreamer does (arXiv 2206.14176, release).

        command, 20 Hz --> low-pass --> clip to limits and rate --> target
        every inner tick: a straight line to the target, never further than `reach` from the
        measured position, then tau = kp (position - q) - kd dq in the motors

    Args:
        config: of the robot.
        limits: of its joints.
    """

    def __init__(self, config: RobotConfig, limits: Limits) -> None:
        control = config.control
        self.limits = limits
        self.ticks_per_command = control.inner_hz // control.control_hz
        self._filter = Butterworth(
            control.filter.order, control.filter.cutoff_hz, control.control_hz, len(limits.names)
        )
        self._step_most = limits.rate / control.control_hz
        self._still = np.zeros(len(limits.names))
        self.target = (limits.lower + limits.upper) / 2
        self._position = self.target.copy()
        self._slope = self._still
        self._ticks_left = 0

    def seed(self, measured: np.ndarray) -> None:
        """Start anew at the measured pose (J,): the target is where the robot is."""
        self._filter.seed(measured)
        self.target = np.minimum(np.maximum(measured, self.limits.lower), self.limits.upper)
        self._position = self.target.copy()
        self._ticks_left = 0

    def accept(self, wanted: np.ndarray) -> int:
        """Move towards a commanded pose (J,), checked before; how many joints were clipped.

        The rate is clipped after the filter, where it is the speed of the target: what the
        filter smooths anyway stays as the policy asked for it.
        """
        filtered = self._filter.step(np.asarray(wanted, np.float64))
        low = np.maximum(self.limits.lower, self._position - self._step_most)
        high = np.minimum(self.limits.upper, self._position + self._step_most)
        self.target = np.minimum(np.maximum(filtered, low), high)
        self._slope = (self.target - self._position) / self.ticks_per_command
        self._ticks_left = self.ticks_per_command
        return int(np.count_nonzero(self.target != filtered))

    def freeze(self) -> None:
        """Stay where the interpolation is now."""
        self.target = self._position.copy()
        self._ticks_left = 0

    def step(self, measured: np.ndarray, gain: float) -> MotorCommand:
        """One inner tick: the motor command, with kp scaled by `gain` in [0, 1].

        kd is not scaled: a joint that stiffens slowly should be damped from the start.
        """
        self._interpolate()
        low = measured - self.limits.reach
        position = np.minimum(np.maximum(self._position, low), measured + self.limits.reach)
        kp = self.limits.kp if gain >= 1 else self.limits.kp * gain
        return MotorCommand(position, kp, self.limits.kd, self._still)

    def damped(self, measured: np.ndarray) -> MotorCommand:
        """Joints that resist motion and hold nothing."""
        return MotorCommand(measured, self._still, self.limits.kd, self._still)

    def limp(self, measured: np.ndarray) -> MotorCommand:
        """Joints that do nothing."""
        return MotorCommand(measured, self._still, self._still, self._still)

    def _interpolate(self) -> None:
        if self._ticks_left > 1:
            self._position += self._slope
            self._ticks_left -= 1
        elif self._ticks_left == 1:
            self._position = self.target.copy()  # exact: sums of slopes drift
            self._ticks_left = 0
