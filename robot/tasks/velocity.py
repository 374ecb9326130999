"""How fast the trunk moves, from the IMU and the kinematics of the feet in contact.

A Kalman filter predicts with the accelerometer and corrects with the feet that carry weight, then a
moving average smooths (DayDreamer, arXiv 2206.14176; its released code averages 120 samples at
1 kHz). Ours differs where the reference can be fooled into paying for motion that is not there:

* Rolling of the ball feet is part of the kinematics (see `kinematics.Legs.contacts`).
* Feet count by the weight they carry, and their disagreement is noise: a foot that skids while
  others stand is told from the robot moving.
* Weight that no foot carries rests on trunk or knees, and the floor under them holds: the estimate
  decays towards zero with that share of the weight. In free fall nothing is carried, so nothing
  decays. A robot that lies on its side or back kicks the floor with feet and knees; there the
  estimate decays fast, whoever carries. Without both, it would be told that it moves: by the drift
  of its accelerometer, and by every foot that scrapes over the floor. The price: a robot that
  really slides on its back, or crawls on its knees, is told less than its speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np

from robot.config import RobotConfig
from robot.tasks.kinematics import Legs, height, rotation_matrix
from robot.wire.messages import Reading

GRAVITY_M_S2 = 9.81


@dataclass(frozen=True)
class Covariances:
    """Noise that the filter assumes, equal on the three axes, so that its covariance is one number.

    Tuned on the MuJoCo and PyBullet twins (docs/results/velocity.json). The reference has 0.1 for
    accelerometer, feet and start alike, per 1 ms sample.

    Args:
        accelerometer_m_s2: per sample; far above the sensor's noise, because impacts last 1-2 ms
            and a 200 Hz reading catches all or nothing of one.
        foot_m_s: of one foot's kinematic velocity, when all feet agree and carry the weight.
        start_m_s: of the velocity before the first reading.
        rest_s: time constant by which velocity decays while trunk or knees carry the whole weight.
        lie_s: time constant by which it decays while the robot lies on its side or back.
        lie_up: trunk's up axis below which it begins to lie; the published reward pays no velocity
            below it either.
        gap_s: readings further apart than this start the filter anew.
    """

    accelerometer_m_s2: float = 4.0
    foot_m_s: float = 0.05
    start_m_s: float = 0.3
    rest_s: float = 0.01
    lie_s: float = 0.01
    lie_up: float = 0.4
    gap_s: float = 0.25


class VelocityEstimator:
    """Velocity of the trunk's origin in the world's frame, and its height, from readings alone."""

    def __init__(self, config: RobotConfig, covariances: Covariances | None = None) -> None:
        self._noise = covariances or Covariances()
        self._legs = Legs(config)
        self._contact_n = config.walk.contact_force_n
        links = {name: link.mass_kg for name, link in config.twin.links.items()}
        limbs = links["hip"] + links["thigh"] + links["calf"]
        self._mass_kg = links["trunk"] + len(config.legs) * limbs
        window = max(1, round(config.walk.velocity_window_s * config.control.sensors_hz))
        self._window = np.zeros((window, 5))
        self.reset()

    def reset(self) -> None:
        """Forget everything, as before the first reading."""
        self.velocity = np.zeros(3)
        self._variance = self._noise.start_m_s**2
        self._stamp_ns: int | None = None
        self._count = 0
        self.rotation = np.eye(3)

    def sense(self, reading: Reading) -> None:
        """Take in one reading. Readings that are not newer than the last one are left out."""
        dt = self._elapsed_s(reading.stamp_ns)
        if dt is None:
            return
        self.rotation = rotation_matrix(reading.quaternion)
        up = self.rotation[2]
        specific = self.rotation @ reading.accelerometer
        self._predict(specific, dt)
        points, rates = self._legs.contacts(reading.joint_pos, reading.joint_vel, up)
        touching = reading.foot_force > self._contact_n
        carried = float(reading.foot_force[touching].sum()) / (self._mass_kg * GRAVITY_M_S2)
        lying = min(max(1 - float(up[2]) / self._noise.lie_up, 0.0), 1.0)
        self._rest(float(specific[2]) / GRAVITY_M_S2 - carried, lying, dt)
        trust = min(carried, 1.0) * (1 - lying)
        if trust > 0:
            self._correct(reading, points, rates, touching, trust)
        sample = self._window[self._count % len(self._window)]
        sample[:3], sample[3] = self.velocity, height(points, touching, up)
        sample[4] = up @ reading.gyro
        self._count += 1

    def average(self) -> tuple[np.ndarray, float, float]:
        """Means over the window: velocity (3,) m/s in the world, height in m, turning in rad/s."""
        if not self._count:
            return np.zeros(3), 0.0, 0.0
        mean = self._window[: self._count].mean(axis=0)
        return mean[:3], float(mean[3]), float(mean[4])

    def _elapsed_s(self, stamp_ns: int) -> float | None:
        """Time since the last reading; after a gap, or time that ran backwards, starts anew."""
        last, gap_ns = self._stamp_ns, self._noise.gap_s * 1e9
        if last is None or not -gap_ns < stamp_ns - last < gap_ns:
            self.reset()
            self._stamp_ns = stamp_ns
            return 0.0
        if stamp_ns <= last:
            return None
        self._stamp_ns = stamp_ns
        return (stamp_ns - last) * 1e-9

    def _predict(self, specific: np.ndarray, dt: float) -> None:
        """Integrate the (3,) specific force, world frame, less gravity."""
        self.velocity += specific * dt
        self.velocity[2] -= GRAVITY_M_S2 * dt
        self._variance += (self._noise.accelerometer_m_s2 * dt) ** 2

    def _rest(self, share: float, lying: float, dt: float) -> None:
        """Decay, by the share of the weight that no foot carries and by how far the robot lies.

        The share is squared: foot sensors that are wrong by a tenth must cost next to nothing.
        """
        resting = min(max(share, 0.0), 1.0) ** 2 / self._noise.rest_s
        kept = exp(-(resting + lying / self._noise.lie_s) * dt)
        self.velocity *= kept
        self._variance *= kept * kept

    def _correct(
        self,
        reading: Reading,
        points: np.ndarray,
        rates: np.ndarray,
        touching: np.ndarray,
        trust: float,
    ) -> None:
        """Correct with the feet, weighed by what they carry: v = -(J dq + omega x p)."""
        x, y, z = reading.gyro.tolist()
        spin = np.array(((0.0, z, -y), (-z, 0.0, x), (y, -x, 0.0)))  # p @ spin = omega x p
        told = -(rates + points @ spin) @ self.rotation.T  # (F, 3)
        weight = np.where(touching, reading.foot_force, 0.0)
        weight /= weight.sum()
        mean = weight @ told
        error = told - mean
        spread = float(weight @ np.einsum("fi,fi->f", error, error))
        noise = (self._noise.foot_m_s**2 + spread) / trust**2
        gain = self._variance / (self._variance + noise)
        self.velocity += gain * (mean - self.velocity)
        self._variance *= 1 - gain
