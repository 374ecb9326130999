"""What the agent sees and does: readings to observations, actions to positions, and mirroring.

Every array is float32, clipped into bounds that a healthy robot never meets, with a centre and a
scale by which an encoder may normalise it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import asin, atan2, pi

import gymnasium as gym
import numpy as np

from robot.config import CameraConfig, ConfigError, Joint, RobotConfig, Unit
from robot.tasks.interface import Task
from robot.tasks.kinematics import rotation_matrix
from robot.wire.link import Sample
from robot.wire.spec import RobotSpec, Spec, box, image

# Rate gyros of this class end at 2000 degrees per second.
GYRO_RAD_S = 35.0
# Measured positions may overshoot a limit by backlash and compliance.
LIMIT_MARGIN: dict[Unit, float] = {"rad": 0.3, "m": 0.05}
# Typical speeds, rad/s or m/s, and efforts, N m or N, by which an encoder may divide.
TYPICAL_SPEED: dict[Unit, float] = {"rad": 10.0, "m": 1.0}
TYPICAL_EFFORT: dict[Unit, float] = {"rad": 20.0, "m": 20.0}

Mirror = tuple[np.ndarray, np.ndarray]
Sense = Callable[[Sample], dict[str, np.ndarray]]


class ActionMap:
    """Actions in [-1, 1] stand for the joint positions of `Joint.action_range` (DayDreamer)."""

    def __init__(self, config: RobotConfig) -> None:
        ranges = np.array([joint.action_range for joint in config.joints.values()])
        self.low, self.high = ranges[:, 0], ranges[:, 1]

    def position(self, action: np.ndarray) -> np.ndarray:
        """Joint positions (J,) of an action (J,), which is clipped."""
        return (np.clip(action, -1.0, 1.0) + 1) / 2 * (self.high - self.low) + self.low

    def action(self, position: np.ndarray) -> np.ndarray:
        """Action (J,) that stands for joint positions (J,); beyond [-1, 1] where they are."""
        return (position - self.low) / (self.high - self.low) * 2 - 1


class Observer:
    """Turns samples, a task's estimates and pictures into one observation."""

    def __init__(self, config: RobotConfig, task: Task) -> None:
        self.spec = robot_spec(config, task)
        self._cameras = observed_cameras(config)
        self._senses = senses(config)
        self._limits = {
            key: (s.space.low, s.space.high)
            for key, s in self.spec.observation.items()
            if isinstance(s.space, gym.spaces.Box) and not s.is_image
        }

    def observe(
        self,
        sample: Sample,
        estimates: Mapping[str, np.ndarray],
        frames: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """One array per key of the spec; a camera without a picture yet is black.

        Args:
            sample: latest reading, and the body's filtered joint target.
            estimates: what the task says may be seen.
            frames: (H, W, C) bytes of each camera that has sent a picture.

        Raises:
            ValueError: for a picture of another shape or type than declared.
        """
        vectors = dict(estimates)
        for sense in self._senses:
            vectors |= sense(sample)
        seen = {key: _between(vectors[key], *ends) for key, ends in self._limits.items()}
        for name in self._cameras:
            seen[image_key(name)] = self._picture(name, frames.get(name))
        return seen

    def _picture(self, name: str, frame: np.ndarray | None) -> np.ndarray:
        spec = self.spec.observation[image_key(name)]
        if frame is None:
            return np.zeros(spec.shape, np.uint8)
        if frame.shape != spec.shape or frame.dtype != spec.dtype:
            raise ValueError(
                f"camera {name} sent {frame.shape} of {frame.dtype}; allowed is {spec.shape}, uint8"
            )
        return frame


def _between(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """As `np.clip` to float32, in a third of its time."""
    return np.minimum(np.maximum(value.astype(np.float32), low), high)


def senses(config: RobotConfig) -> list[Sense]:
    """What turns samples into vectors, before they are clipped, under the keys of the spec."""
    return [of_joints, *([of_imu] if config.imu else []), *([of_feet] if config.legs else [])]


def of_joints(sample: Sample) -> dict[str, np.ndarray]:
    """Vectors that every machine has."""
    reading = sample.reading
    return {
        "joint_pos": reading.joint_pos,
        "joint_vel": reading.joint_vel,
        "torque": reading.torque,
        "joint_target": sample.status.target,
    }


def of_imu(sample: Sample) -> dict[str, np.ndarray]:
    """Vectors of a machine that feels turning and gravity."""
    reading = sample.reading
    r = rotation_matrix(reading.quaternion)
    roll, pitch = atan2(r[2, 1], r[2, 2]), asin(min(max(-r[2, 0], -1.0), 1.0))
    return {
        "gravity": r[2],
        "gyro": reading.gyro,
        "imu": np.array((roll, pitch, reading.gyro[0], reading.gyro[1])),
    }


def of_feet(sample: Sample) -> dict[str, np.ndarray]:
    """Vectors of a machine on legs."""
    return {"foot_force": sample.reading.foot_force}


def robot_spec(config: RobotConfig, task: Task) -> RobotSpec:
    """Everything an agent may know of this robot.

    Keys: joint_pos, joint_vel, torque and joint_target per joint; with an IMU gravity, the world's
    up direction in the body's frame, gyro, and imu, which is roll, pitch and their rates
    (DayDreamer's vector begins with these); with legs foot_force; what the task estimates; and a
    picture `image_NAME` per observed camera. Joint positions are centred and scaled so that
    (x - centre) / scale is the normalised position, in units of the action.
    """
    observation = {
        **(_imu_specs() if config.imu else {}),
        **_joint_specs(config),
        **(_foot_specs(len(config.legs)) if config.legs else {}),
        **task.observation,
    }
    for name, camera in observed_cameras(config).items():
        observation[image_key(name)] = image(camera.height, camera.width, camera.channels)
    action = box(-1.0, 1.0, (len(config.joints),), "1", "joint")
    return RobotSpec(observation, action, float(config.control.control_hz), mirrors(config))


def _imu_specs() -> dict[str, Spec]:
    leaning = np.array((pi, pi / 2, GYRO_RAD_S, GYRO_RAD_S))
    return {
        "gravity": box(-1.0, 1.0, (3,), "1", "body", scale=1.0),
        "gyro": box(-GYRO_RAD_S, GYRO_RAD_S, (3,), "rad/s", "body", scale=4.0),
        "imu": box(-leaning, leaning, None, "rad, rad/s", "body", np.array((1.0, 1.0, 4.0, 4.0))),
    }


def _foot_specs(feet: int) -> dict[str, Spec]:
    return {"foot_force": box(-100.0, 1000.0, (feet,), "N", "foot", scale=60.0)}


def _joint_specs(config: RobotConfig) -> dict[str, Spec]:
    joints = list(config.joints.values())
    fast = np.array([4 * j.velocity for j in joints])
    strong = np.array([3 * j.effort for j in joints])
    speed = np.array([TYPICAL_SPEED[j.unit] for j in joints])
    effort = np.array([TYPICAL_EFFORT[j.unit] for j in joints])
    per_second = ", ".join(f"{unit}/s" for unit in _units(joints))
    of_effort = ", ".join(dict.fromkeys(j.effort_unit for j in joints))
    positions = _positions(config)
    return {
        "joint_pos": positions,
        "joint_vel": box(-fast, fast, None, per_second, "joint", speed),
        "torque": box(-strong, strong, None, of_effort, "joint", effort),
        "joint_target": positions,
    }


def _units(joints: Sequence[Joint]) -> list[str]:
    """The joints' units, each once."""
    return list(dict.fromkeys(joint.unit for joint in joints))


def _positions(config: RobotConfig) -> Spec:
    joints = list(config.joints.values())
    limits = np.array([(j.lower, j.upper) for j in joints])
    margin = np.array([LIMIT_MARGIN[j.unit] for j in joints])
    low, high = limits[:, 0] - margin, limits[:, 1] + margin
    space = gym.spaces.Box(np.float32(low), np.float32(high), None, np.float32)
    actions = ActionMap(config)
    centre = (actions.low + actions.high) / 2
    # Rounded, so that the fingerprint of the spec does not hang on the last bit of a machine.
    centre, scale = np.round(centre, 6) + 0.0, np.round(actions.high - centre, 6)
    unit = ", ".join(_units(joints))
    return Spec(space, unit, "joint", centre.astype(np.float32), scale.astype(np.float32))


def mirrors(config: RobotConfig) -> dict[str, Mirror]:
    """Left-right reflection of each vector key, and of "action": mirrored[i] = sign[i] x[perm[i]].

    Positions and directions turn their y around; rotations, x and z; legs swap places, and the
    abduction joints, whose axis lies in the mirror's plane, turn around. Empty for a robot that
    names no mirrored legs. Pictures are not among them.

    Raises:
        ConfigError: when mirrored joints differ in range, so that no action can be mirrored.
    """
    if not config.mirror_legs:
        return {}
    joints, feet = _mirrored_joints(config), _mirrored_feet(config)
    true: Mirror = np.arange(3), np.array((1, -1, 1), np.float32)
    axial: Mirror = np.arange(3), np.array((-1, 1, -1), np.float32)
    per_joint = ("joint_pos", "joint_vel", "torque", "joint_target", "action")
    return {
        "gravity": true,
        "gyro": axial,
        "imu": (np.arange(4), np.array((-1, 1, -1, 1), np.float32)),
        "foot_force": (feet, np.ones(len(feet), np.float32)),
        "velocity": true,
        **{key: joints for key in per_joint},
    }


def _mirrored_feet(config: RobotConfig) -> np.ndarray:
    legs = list(config.legs)
    swap = {a: b for pair in config.mirror_legs for a, b in (pair, pair[::-1])}
    return np.array([legs.index(swap.get(leg, leg)) for leg in legs])


def _mirrored_joints(config: RobotConfig) -> Mirror:
    names, legs = list(config.joints), list(config.legs.values())
    perm, sign = np.arange(len(names)), np.ones(len(names), np.float32)
    for leg, other in zip(legs, _mirrored_feet(config), strict=True):
        for place, (joint, twin) in enumerate(zip(leg.joints, legs[other].joints, strict=True)):
            perm[names.index(joint)] = names.index(twin)
            sign[names.index(joint)] = -1 if place == 0 else 1
            _check_range(config, joint, twin, turned=place == 0)
    return perm, sign


def _check_range(config: RobotConfig, joint: str, twin: str, turned: bool) -> None:
    low, high = config.joints[twin].action_range
    expected = (-high, -low) if turned else (low, high)
    if not np.allclose(config.joints[joint].action_range, expected):
        raise ConfigError(
            f"mirror_legs: actions of {joint} reach {config.joints[joint].action_range} rad; "
            f"the mirror image of {twin} needs {expected}"
        )


def mirrored(value: np.ndarray, mirror: Mirror) -> np.ndarray:
    """Left-right reflection of a vector, or of many along the last axis."""
    perm, sign = mirror
    return value[..., perm] * sign


def observed_cameras(config: RobotConfig) -> dict[str, CameraConfig]:
    """Cameras that the agent sees."""
    return {name: camera for name, camera in config.cameras.items() if camera.observed}


def image_key(camera: str) -> str:
    """Observation key of a camera's picture."""
    return f"image_{camera}"
