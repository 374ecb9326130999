"""An open-loop trot, for measuring things on a robot that walks before any policy can."""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, atan2, hypot, pi, sin

import numpy as np

from robot.config import Leg, RobotConfig


@dataclass(frozen=True)
class Trot:
    """Diagonal legs together, half of the time on the floor; tuned by hand on the A1's twins.

    The commanded stride is larger than the one that results: the body's filter takes a third off
    at this rate, and feet slip.

    Args:
        rate_hz: strides per second.
        reach_m: how far each foot swings to the front and to the back; negative walks backwards.
        lift_m: how high a foot swings.
        height_m: of the hips over the feet on the floor.
    """

    rate_hz: float = 1.5
    reach_m: float = 0.06
    lift_m: float = 0.05
    height_m: float = 0.25

    def joint_pos(self, config: RobotConfig, time_s: float) -> np.ndarray:
        """Joint targets (J,) in rad of a four-legged robot."""
        angles: dict[str, float] = {}
        phase = time_s * self.rate_hz
        for leg in config.legs.values():
            # Front right and rear left are half a stride ahead of the other diagonal.
            diagonal = (leg.hip_m[0] > 0) == (leg.hip_m[1] > 0)
            x, z = self._foot((phase + 0.5 * diagonal) % 1.0)
            thigh, calf = _bend(leg, x, z)
            angles |= dict(zip(leg.joints, (0.0, thigh, calf), strict=True))
        return np.array([angles[name] for name in config.joints])

    def _foot(self, phase: float) -> tuple[float, float]:
        """Foot below the hip, forward and up in m: half a stride on the floor, half in the air."""
        if phase < 0.5:
            return self.reach_m * (1 - 4 * phase), -self.height_m
        swing = 2 * phase - 1
        return self.reach_m * (2 * swing - 1), self.lift_m * sin(pi * swing) - self.height_m


def _bend(leg: Leg, x: float, z: float) -> tuple[float, float]:
    """Thigh and calf angles in rad that bring the foot to (x, z), with the knee to the back."""
    longest = 0.99 * (leg.thigh_m + leg.calf_m)
    far = min(hypot(x, z), longest)
    knee = acos((leg.thigh_m**2 + leg.calf_m**2 - far**2) / (2 * leg.thigh_m * leg.calf_m))
    inner = acos((leg.thigh_m**2 + far**2 - leg.calf_m**2) / (2 * leg.thigh_m * far))
    return atan2(-x, -z) + inner, knee - pi
