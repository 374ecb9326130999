"""Whether what the body senses can be trusted, and whether it is a reason to stop."""

from __future__ import annotations

import math

import numpy as np

from robot.clock import NS
from robot.config import RobotConfig, Unit
from robot.wire.messages import Reading

# A joint that reads further beyond its stops than this has lost its zero.
BEYOND_STOPS: dict[Unit, float] = {"rad": 0.5, "m": 0.05}
# A joint that moves further than its speed allows, plus this, did not move: its reading is wrong.
JUMP: dict[Unit, float] = {"rad": 0.1, "m": 0.02}
# Squared length of a quaternion that is a rotation, with room for float32 and rounding.
UNIT = (0.9, 1.1)


class SensorWatch:
    """Looks at every reading: fresh, alive and finite? Built to cost a few microseconds."""

    def __init__(self, config: RobotConfig) -> None:
        period_ns = NS / config.control.inner_hz
        self._stale_ns = round(config.safety.sensor_stale_periods * period_ns)
        self._frozen_ns = round(config.safety.sensor_frozen_periods * period_ns)
        joints = config.joints.values()
        self._names = tuple(config.joints)
        self._units = tuple(j.unit for j in joints)
        self._lower = np.array([j.lower - BEYOND_STOPS[j.unit] for j in joints])
        self._upper = np.array([j.upper + BEYOND_STOPS[j.unit] for j in joints])
        self._fastest = np.array([j.velocity for j in joints]) * config.safety.velocity_margin
        self._jump = np.array([JUMP[j.unit] for j in joints])
        self._has_imu = config.imu
        self._imu = _LastChange()
        self._joints = _LastChange()
        self._good: Reading | None = None

    def fault(self, now_ns: int, reading: Reading, powered: bool) -> str:
        """Why this reading cannot be trusted, "" when it can; `powered` is whether motors hold.

        The servo keeps its targets close to the measured positions, so a wrong one is a command to
        go there: it must be caught in the very tick that it comes.
        """
        fault = self._signal_fault(now_ns, reading, powered) or self._joint_fault(reading)
        if not fault:
            self._good = reading
        return fault

    def reset(self) -> None:
        """Forget the past: the robot may be elsewhere now."""
        self._good = None

    def _signal_fault(self, now_ns: int, reading: Reading, powered: bool) -> str:
        """Whether all values are fresh, alive and finite.

        Sums of squares carry every NaN and infinity, and change when any sensor moves: one
        number per group stands for all of its values. Inertial sensors always show noise, and
        joints do as long as their motors are powered; equal numbers mean that nobody measures.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            turn, imu, joints = _squares(reading)
        if not math.isfinite(imu + joints):
            return f"{_not_finite(reading)} is not finite"
        if not UNIT[0] < turn < UNIT[1]:
            return "quaternion is no rotation"
        if now_ns - reading.stamp_ns > self._stale_ns:
            return f"sensors are stale, older than {self._stale_ns / 1e6:g} ms"
        if self._has_imu and self._imu.age_ns(imu, reading.stamp_ns) > self._frozen_ns:
            return "inertial sensors are frozen"
        if self._joints.age_ns(joints, reading.stamp_ns) > self._frozen_ns and powered:
            return "joint sensors are frozen"
        return ""

    def _joint_fault(self, reading: Reading) -> str:
        """Whether a joint reads a position where it cannot be, or could not have got to."""
        position = reading.joint_pos
        beyond = (position < self._lower) | (position > self._upper)
        if beyond.any():
            return f"{self._at(beyond, position)}, beyond its stops"
        if self._good is not None:
            passed_s = (reading.stamp_ns - self._good.stamp_ns) / NS
            jumped = np.abs(position - self._good.joint_pos) > self._fastest * passed_s + self._jump
            if jumped.any():
                return f"{self._at(jumped, position)}, too far from where it was"
        return ""

    def _at(self, where: np.ndarray, position: np.ndarray) -> str:
        joint = int(where.argmax())
        return f"{self._names[joint]} reads {position[joint]:.2f} {self._units[joint]}"


class Vitals:
    """Temperature, battery and attitude: slow things, looked at with every published sample."""

    def __init__(self, config: RobotConfig) -> None:
        self._safety = config.safety
        self._names = tuple(config.joints)

    def danger(self, reading: Reading) -> str:
        """Why the motors must be damped, "" for nothing. A voltage of NaN is one not measured."""
        safety = self._safety
        hot = int(np.argmax(reading.temperature))  # NaN counts as the largest
        if not reading.temperature[hot] < safety.temperature_stop_c:
            return f"{self._hot(reading, hot)}, limit {safety.temperature_stop_c:g}"
        if reading.voltage < safety.voltage_stop_v:
            return f"battery is at {reading.voltage:.1f} V, limit {safety.voltage_stop_v:g}"
        up = 1 - 2 * (reading.quaternion[1] ** 2 + reading.quaternion[2] ** 2)
        if up < safety.tilt_min_up and not safety.tilt_allowed:
            return f"fell: up-axis {up:.2f}, limit {safety.tilt_min_up:g}"
        return ""

    def warning(self, reading: Reading) -> str:
        """What the operator should know of, "" for nothing."""
        hot = int(np.argmax(reading.temperature))
        if reading.temperature[hot] >= self._safety.temperature_warn_c:
            return f"warning: {self._hot(reading, hot)}"
        if reading.voltage < self._safety.voltage_warn_v:
            return f"warning: battery is at {reading.voltage:.1f} V"
        return ""

    def _hot(self, reading: Reading, joint: int) -> str:
        return f"motor {self._names[joint]} is at {reading.temperature[joint]:.0f} C"


class _LastChange:
    """Since when a number has not changed."""

    def __init__(self) -> None:
        self._value = math.nan
        self._stamp_ns = 0

    def age_ns(self, value: float, stamp_ns: int) -> int:
        if value != self._value:
            self._value = value
            self._stamp_ns = stamp_ns
        return stamp_ns - self._stamp_ns


def _squares(reading: Reading) -> tuple[float, float, float]:
    """Sums of squares: of the quaternion, of all inertial sensors, of joints and feet."""
    turn = reading.quaternion.dot(reading.quaternion)
    imu = turn + reading.gyro.dot(reading.gyro)
    imu += reading.accelerometer.dot(reading.accelerometer)
    joints = reading.joint_pos.dot(reading.joint_pos)
    joints += reading.joint_vel.dot(reading.joint_vel) + reading.torque.dot(reading.torque)
    joints += reading.foot_force.dot(reading.foot_force)
    return turn, imu, joints


def _not_finite(reading: Reading) -> str:
    values = {
        "quaternion": reading.quaternion,
        "gyro": reading.gyro,
        "accelerometer": reading.accelerometer,
        "joint_pos": reading.joint_pos,
        "joint_vel": reading.joint_vel,
        "torque": reading.torque,
        "foot_force": reading.foot_force,
    }
    bad = [name for name, value in values.items() if not np.isfinite(value).all()]
    return ", ".join(bad) or "a sum of squares"
