"""The records that cross between body and robot process: readings, commands, status, words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class Reading:
    """One sample of all proprioceptive sensors. J joints in the order of the configuration, F feet.

    A joint that slides has m for rad and N for N m, here and in the records below. A machine
    without an IMU tells a level trunk at rest.

    Args:
        stamp_ns: when it was captured, on the clock of the body process.
        quaternion: (4,) wxyz, rotation from the body frame to the world.
        gyro: (3,) rad/s, body frame.
        accelerometer: (3,) m/s^2, specific force in the body frame; +9.81 on z at rest upright.
        joint_pos: (J,) rad.
        joint_vel: (J,) rad/s.
        torque: (J,) N m, as estimated by the motors.
        foot_force: (F,) N, normal force at each foot.
        temperature: (J,) degrees Celsius of each motor.
        voltage: V of the battery.
    """

    stamp_ns: int
    quaternion: np.ndarray
    gyro: np.ndarray
    accelerometer: np.ndarray
    joint_pos: np.ndarray
    joint_vel: np.ndarray
    torque: np.ndarray
    foot_force: np.ndarray
    temperature: np.ndarray
    voltage: float


@dataclass(frozen=True, slots=True)
class Status:
    """What the body process says of itself with every reading.

    Args:
        state: name of the safety state: disconnected, limp, rising, ready, active, hold, damping
            or stopped.
        reason: why it is in that state, "" while all is well.
        target: (J,) rad, filtered joint target that the servo is moving to.
        command_sequence: sequence number of the last command that was accepted, -1 for none.
        counts: how often each fault was seen, and how many values were clipped.
    """

    state: str
    reason: str
    target: np.ndarray
    command_sequence: int
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Command:
    """Joint targets from the robot process, once per control period.

    Args:
        sequence: counts up by one with each command.
        stamp_ns: when it was sent.
        sensor_stamp_ns: capture stamp of the reading that it answers to; closes the latency ledger.
        position: (J,) rad.
    """

    sequence: int
    stamp_ns: int
    sensor_stamp_ns: int
    position: np.ndarray


WORDS = ("stop", "pause", "resume", "alive")


@dataclass(frozen=True, slots=True)
class OperatorWord:
    """A word of the operator: "stop" (latched), "pause" (hold), "resume" (soft start again).

    "alive" is the heartbeat of a dead-man switch; it counts where `safety.deadman_s` declares one.
    """

    word: str
    who: str
    stamp_ns: int


@dataclass(frozen=True, slots=True)
class OperatorAck:
    """The body's answer to an operator's word, to the one who said it.

    Args:
        word: the word that is answered.
        stamp_ns: the word's own stamp, by which the asker knows it.
        state: name of the safety state after the word was taken.
        reason: why the word was refused, "" when it was taken.
    """

    word: str
    stamp_ns: int
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: (H, W, C) bytes of `camera`, captured at `stamp_ns`."""

    camera: str
    stamp_ns: int
    picture: np.ndarray


@dataclass(frozen=True, slots=True)
class TwinState:
    """What a twin tells those who draw it or judge it: engine state and truth, by name."""

    stamp_ns: int
    arrays: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Hello:
    """The robot process asks the learner which index it expects next of this stream."""

    robot: str
    run: str


@dataclass(frozen=True, slots=True)
class Hole:
    """The robot's log has lost the indices from `first` up to, not including, `end`."""

    robot: str
    run: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Ack:
    """The learner holds every index of the stream below `next_index`.

    Args:
        robot: id of the robot.
        run: id of the run.
        next_index: the index that the learner expects next.
        gap: whether this answers a hello, or a message that came too early, so that sending must
            go back to `next_index`.
    """

    robot: str
    run: str
    next_index: int
    gap: bool = False


@dataclass(frozen=True, slots=True)
class PackedWeights:
    """Weights on their way: (N,) uint8 of safetensors, not yet verified."""

    version: int
    stamp_ns: int
    data: np.ndarray


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Figures of one process for the live view; `values` is plain data, as JSON has it."""

    source: str
    stamp_ns: int
    values: Mapping[str, object]
