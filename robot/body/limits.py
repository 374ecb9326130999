"""What the joints may be asked to do, and when what they do is too much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot.clock import NS
from robot.config import RobotConfig
from robot.wire.messages import Reading

# A command may miss the limits by this much, rad or m, before it is refused: float32 and rounding.
COMMAND_TOLERANCE = 1e-3
# A joint that is too fast for one sample may be a glitch; one that stays so is running away.
VELOCITY_DAMPING_S = 0.02
# Motors report the torque that they are held to, so "at the limit" begins just below it.
AT_TORQUE_LIMIT = 0.98


@dataclass(frozen=True)
class Limits:
    """The joints' limits and gains as vectors (J,), in the order of the configuration.

    Each joint is in its own unit: rad and N m where it turns, m and N where it slides.

    Args:
        names: of the joints.
        units: of their positions, and `effort_units` of what their motors give.
        lower, upper: stops.
        velocity: greatest speed.
        torque: greatest torque or force.
        kp: effort per position.
        kd: effort per speed.
        reach: how far a target may lie from the measured position: the configured distance, or
            less where kp times it would pass the torque limit.
        rate: fastest that a target may move.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    effort_units: tuple[str, ...]
    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    torque: np.ndarray
    kp: np.ndarray
    kd: np.ndarray
    reach: np.ndarray
    rate: np.ndarray

    @classmethod
    def of(cls, config: RobotConfig) -> Limits:
        """Collect the limits of a robot."""
        joints = config.joints.values()
        torque = np.array([j.effort for j in joints])
        kp = np.array([j.kp for j in joints])
        clip = np.array([config.control.clip_to_measured(j.unit) for j in joints])
        return cls(
            names=tuple(config.joints),
            units=tuple(j.unit for j in joints),
            effort_units=tuple(j.effort_unit for j in joints),
            lower=np.array([j.lower for j in joints]),
            upper=np.array([j.upper for j in joints]),
            velocity=np.array([j.velocity for j in joints]),
            torque=torque,
            kp=kp,
            kd=np.array([j.kd for j in joints]),
            reach=np.minimum(clip, torque / np.maximum(kp, 1e-9)),
            rate=np.array([config.safety.command_rate(j.unit) for j in joints]),
        )

    def command_fault(self, position: np.ndarray) -> str:
        """Say why a commanded pose must be refused, "" when it is good.

        A good one is a (J,) array of floats, finite, and within the joints' limits.
        """
        if not isinstance(position, np.ndarray) or position.dtype.kind != "f":
            return f"command is {type(position).__name__}, not an array of floats"
        if position.shape != self.lower.shape:
            return f"command has shape {position.shape}; allowed is {self.lower.shape}"
        if not np.isfinite(position).all():
            return f"command is not finite at {self._name(~np.isfinite(position))}"
        beyond = np.maximum(self.lower - position, position - self.upper) > COMMAND_TOLERANCE
        if beyond.any():
            return f"command for {self._name(beyond)} lies outside its limits"
        return ""

    def _name(self, where: np.ndarray) -> str:
        return self.names[int(np.argmax(where))]


class Overload:
    """Tells when a joint has been too fast, or pushed at its torque limit, for too long."""

    def __init__(self, config: RobotConfig) -> None:
        self._limits = Limits.of(config)
        self._too_fast = self._limits.velocity * config.safety.velocity_margin
        self._too_strong = self._limits.torque * AT_TORQUE_LIMIT
        self._fast = Lasting(len(config.joints), VELOCITY_DAMPING_S)
        self._strong = Lasting(len(config.joints), config.safety.torque_damping_s)

    def fault(self, reading: Reading) -> str:
        """Take in a reading, in order of time; why the motors must be damped, "" for nothing."""
        limits = self._limits
        fast = self._fast.longest(reading.stamp_ns, np.abs(reading.joint_vel) > self._too_fast)
        if fast >= 0:
            limit = f"{self._too_fast[fast]:.1f} {limits.units[fast]}/s"
            return f"{limits.names[fast]} is faster than {limit}"
        strong = self._strong.longest(reading.stamp_ns, np.abs(reading.torque) > self._too_strong)
        if strong >= 0:
            limit = f"{limits.torque[strong]:.1f} {limits.effort_units[strong]}"
            return f"{limits.names[strong]} stays at its torque limit {limit}"
        return ""

    def reset(self) -> None:
        """Forget what lasted: the motors start anew."""
        self._fast.reset()
        self._strong.reset()


class Lasting:
    """Remembers since when each of J conditions has held without a break."""

    def __init__(self, width: int, limit_s: float) -> None:
        self._limit_ns = round(limit_s * NS)
        self._since_ns = np.full(width, -1, np.int64)

    def longest(self, stamp_ns: int, holds: np.ndarray) -> int:
        """Index of the condition that has held the longest, at least the limit; -1 for none."""
        if not holds.any():
            self._since_ns.fill(-1)
            return -1
        fresh = holds & (self._since_ns < 0)
        self._since_ns[fresh] = stamp_ns
        self._since_ns[~holds] = -1
        held_ns = np.where(holds, stamp_ns - self._since_ns, -1)
        longest = int(held_ns.argmax())
        return longest if held_ns[longest] >= self._limit_ns else -1

    def reset(self) -> None:
        """Forget everything."""
        self._since_ns.fill(-1)
