"""A fake body: no physics worth the name, wholly predictable, cheap.

Joints follow their targets with a first-order lag; the trunk does not move unless pushed.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from robot.body.interface import MotorCommand, Truth
from robot.clock import Clock
from robot.config import RobotConfig
from robot.wire.messages import Reading

LAG_S = 0.03
GRAVITY_M_S2 = 9.81
AMBIENT_C = 30.0
BATTERY_V = 24.0
# Poses of the configuration in which starts begin; the others begin anywhere.
POSES: dict[str, Literal["stand", "fold", "home"]] = {
    "standing": "stand",
    "folded": "fold",
    "on_back": "fold",
    "home": "home",
}
UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])
ON_BACK = np.array([0.0, 1.0, 0.0, 0.0])


class FakeBody:
    """A deterministic stand-in for hardware and for a twin.

    Attributes:
        last: the last motor command, None before the first and after `stop`.
        stops: how often `stop` was called.

    Args:
        config: of the robot.
        clock: stamps the readings.
    """

    def __init__(self, config: RobotConfig, clock: Clock) -> None:
        joints = config.joints.values()
        self.last: MotorCommand | None = None
        self.stops = 0
        self.connected = False
        self._config = config
        self._clock = clock
        self._lower = np.array([j.lower for j in joints])
        self._upper = np.array([j.upper for j in joints])
        self._share = 1 - np.exp(-1 / (config.control.inner_hz * LAG_S))
        self._period_s = 1 / config.control.inner_hz
        self.reset(config.twin.start, seed=0)

    def connect(self) -> None:
        """Begin to answer, with limp joints."""
        self.connected = True
        self.last = None
        self._reading = self._quiet(self._clock.now_ns())

    def read(self) -> Reading:
        """Return the latest sample."""
        return self._reading

    def write(self, command: MotorCommand) -> None:
        """Take over a motor command."""
        self.last = command

    def stop(self) -> None:
        """Let the joints rest where they are."""
        self.stops += 1
        self.last = None

    def close(self) -> None:
        """Release nothing, twice if asked."""
        self.connected = False

    def advance(self) -> None:
        """Move joints and trunk by one inner period and measure."""
        before = self._position
        if self.last is not None:
            share = self._share * np.minimum(self.last.kp, 1.0)
            moved = before + share * (self.last.position - before)
            self._position = np.minimum(np.maximum(moved, self._lower), self._upper)
        self._velocity = (self._position - before) / self._period_s
        self._origin = self._origin + self._drift * self._period_s
        self._ticks += 1
        self._reading = self._quiet(self._clock.now_ns())

    def reset(self, start: str, seed: int) -> None:
        """Place the robot in one of the starts of its twins.

        Raises:
            ValueError: for another start.
        """
        known = self._config.twin.starts
        if start not in known:
            raise ValueError(f"unknown start '{start}'; there are {', '.join(known)}")
        rng = np.random.default_rng(seed)
        if start in POSES:
            pose = self._config.poses[POSES[start]]
            self._position = np.array([pose[name] for name in self._config.joints])
        else:
            self._position = rng.uniform(self._lower, self._upper)
        turned = {"on_back": ON_BACK, "random_fall": _unit(rng.normal(size=4))}
        self._quaternion = turned.get(start, UPRIGHT)
        self._velocity = np.zeros_like(self._position)
        self._origin = np.array([0.0, 0.0, 0.25])
        self._drift = np.zeros(3)
        self._ticks = 0
        self._reading = self._quiet(self._clock.now_ns())

    def push(self, impulse_n_s: np.ndarray) -> None:
        """Let the trunk drift, by the (3,) impulse in N s over its mass."""
        twin = self._config.twin
        self._drift = self._drift + impulse_n_s / twin.links[twin.root].mass_kg

    def truth(self) -> Truth:
        """Tell the true state; the engine state is origin, quaternion and joint angles."""
        feet = np.zeros(len(self._config.legs))
        state = np.concatenate([self._origin, self._quaternion, self._position])
        origin, drift, turn = self._origin.copy(), self._drift.copy(), self._quaternion.copy()
        return Truth(origin, turn, drift, feet, feet == 0, False, state)

    def show(self, state: np.ndarray) -> None:
        """Take over the state that another fake's `truth` told."""
        self._origin, self._quaternion, self._position = np.split(state, [3, 7])

    def render(self, camera: str, height: int, width: int) -> np.ndarray:
        """(H, W, 3) RGB bytes: one bright column per joint, as high as its angle in its range."""
        picture = np.zeros((height, width, 3), np.uint8)
        share = (self._position - self._lower) / (self._upper - self._lower)
        columns = np.arange(width) * len(share) // width
        lit = np.arange(height)[::-1, None] < (share * height)[columns][None]
        picture[lit] = (200, 160, 80) if camera == "front" else (80, 160, 200)
        return picture

    def depth(self, camera: str, height: int, width: int) -> np.ndarray:
        """(H, W) m: a wall one metre away."""
        return np.ones((height, width), np.float32)

    def _quiet(self, stamp_ns: int) -> Reading:
        """What a robot senses that only its joints move."""
        shake = 1e-4 * (1 + self._ticks % 7)  # a live sensor is never still
        up = _up(self._quaternion)
        torque = np.zeros_like(self._position)
        if self.last is not None:
            torque = self.last.kp * (self.last.position - self._position)
        feet = len(self._config.legs)
        return Reading(
            stamp_ns=stamp_ns,
            quaternion=self._quaternion.copy(),
            gyro=np.array([shake, -shake, 0.0]),
            accelerometer=up * GRAVITY_M_S2 + shake,
            joint_pos=self._position.copy(),
            joint_vel=self._velocity + shake,
            torque=torque,
            foot_force=np.full(feet, 30.0 * max(0.0, up[2])),
            temperature=np.full(len(self._position), AMBIENT_C),
            voltage=BATTERY_V,
        )


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _up(quaternion: np.ndarray) -> np.ndarray:
    """World up (3,) in the body frame: the third row of the rotation matrix."""
    w, x, y, z = quaternion
    return np.array([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)])
