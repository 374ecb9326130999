"""One robot's inner loop, without sockets or waiting: read, judge, interpolate, write."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np

from robot.body.interface import Body, MotorCommand
from robot.body.limits import Limits, Overload
from robot.body.safety import Guard
from robot.body.sensing import SensorWatch, Vitals
from robot.body.servo import Servo
from robot.clock import Clock
from robot.config import RobotConfig
from robot.wire.link import Sample
from robot.wire.messages import Command, OperatorWord, Reading, Status


class BodyCore:
    """Owns the motors of one robot. Whoever calls `tick` gives it the inner rate.

    In real time a process calls it on its schedule; in lock-step the caller moves the clock and
    the twin, then calls it. It never blocks, logs or raises for bad data: that is a state.
    Leaving the context stops the motors, on errors too.

    Args:
        config: of the robot.
        body: hardware, or a twin of it.
        clock: by which readings are stamped and patience is measured.
    """

    def __init__(self, config: RobotConfig, body: Body, clock: Clock) -> None:
        control = config.control
        self.config = config
        self.guard = Guard(config)
        self._body = body
        self._clock = clock
        self._limits = Limits.of(config)
        self._servo = Servo(config, self._limits)
        self._watch = SensorWatch(config)
        self._vitals = Vitals(config)
        self._overload = Overload(config)
        self._ticks_per_sample = control.inner_hz // control.sensors_hz
        self._ticks = 0
        self._seeds = 0
        self._accepted = -1
        self._reading: Reading | None = None
        self._measured = self._servo.target

    def start(self) -> None:
        """Connect. The soft start begins with the first tick that senses well.

        Raises:
            OSError: when the device does not answer.
            ValueError: when the device has other joints or feet than the configuration.
        """
        self._body.connect()
        self._watch.reset()
        try:
            self._reading = self._body.read()
            _check_shapes(self.config, self._reading)
        except (OSError, ValueError):
            self._body.close()
            raise
        self.guard.connected(self._clock.now_ns())

    def command(self, command: Command) -> bool:
        """Take joint targets from the robot process; whether they are followed."""
        fault = self._limits.command_fault(command.position)
        follow = self.guard.command(self._clock.now_ns(), fault)
        if follow:
            self._seed_if_asked()
            clipped = self._servo.accept(command.position)
            self._accepted = command.sequence
            if clipped:
                self.guard.count("target_clipped", clipped)
        return follow

    def refuse(self, fault: str) -> None:
        """Note a command that could not even be read; it counts as a bad one."""
        self.guard.command(self._clock.now_ns(), fault)

    def word(self, word: OperatorWord) -> Status:
        """Obey an operator; the answer tells the state that it led to."""
        now_ns = self._clock.now_ns()
        if word.word == "stop":
            self.guard.stop(now_ns, f"stopped by {word.who}")
            self._make_safe()
        elif word.word == "pause":
            self.guard.pause(now_ns, f"paused by {word.who}")
        elif word.word == "resume":
            self.guard.resume(now_ns)
        elif word.word == "alive":
            self.guard.alive(now_ns)
        else:
            self.guard.refusal = f"unknown word '{word.word}'"
            self.guard.count("unknown_word")
        return self.status()

    def tick(self) -> Sample | None:
        """One inner period; a sample for the sensor stream when one is due."""
        self._ticks += 1
        due = self._ticks % self._ticks_per_sample == 0
        reading = self._sense()
        self._judge(reading, due)
        self._seed_if_asked()
        self._write(self._motors())
        return Sample(reading, self.status()) if due else None

    def status(self) -> Status:
        """What the body says of itself now."""
        guard, target = self.guard, self._servo.target
        return Status(guard.state, guard.reason, target, self._accepted, dict(guard.counts))

    def stop(self, reason: str = "stopped by the body process") -> None:
        """Stop the motors, latched."""
        self.guard.stop(self._clock.now_ns(), reason)
        self._make_safe()

    def close(self) -> None:
        """Stop the motors and release the device; safe to call twice."""
        if self.guard.state != "disconnected":
            self.stop()
            self._body.close()
            self.guard.disconnected(self._clock.now_ns())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _sense(self) -> Reading:
        """The latest reading; the one before where the device fails, which then grows stale."""
        try:
            self._reading = self._body.read()
        except OSError:
            self.guard.count("device_error")
        assert self._reading is not None, "start() comes before tick()"
        return self._reading

    def _judge(self, reading: Reading, due: bool) -> None:
        guard, now_ns = self.guard, self._clock.now_ns()
        fault = self._watch.fault(now_ns, reading, guard.powered)
        if not fault:
            self._measured = reading.joint_pos
            if due:
                self._judge_slowly(reading, now_ns)
        guard.sensed(now_ns, fault)
        if guard.state == "hold":
            self._servo.freeze()

    def _judge_slowly(self, reading: Reading, now_ns: int) -> None:
        danger = self._vitals.danger(reading) or self._overload.fault(reading)
        if danger:
            self.guard.danger(now_ns, danger)
        else:
            self.guard.warn(self._vitals.warning(reading))

    def _seed_if_asked(self) -> None:
        if self.guard.seeds != self._seeds:
            self._seeds = self.guard.seeds
            self._servo.seed(self._measured)
            self._overload.reset()

    def _motors(self) -> MotorCommand:
        guard = self.guard
        if guard.powered:
            return self._servo.step(self._measured, guard.gain)
        if guard.state == "limp":
            return self._servo.limp(self._measured)
        return self._servo.damped(self._measured)

    def _write(self, command: MotorCommand) -> None:
        try:
            self._body.write(command)
        except OSError:
            self.guard.count("device_error")

    def _make_safe(self) -> None:
        try:
            self._body.stop()
        except OSError:
            self.guard.count("device_error")


def _check_shapes(config: RobotConfig, reading: Reading) -> None:
    joints, feet = (len(config.joints),), (len(config.legs),)
    expected: dict[str, tuple[np.ndarray, tuple[int, ...]]] = {
        "quaternion": (reading.quaternion, (4,)),
        "gyro": (reading.gyro, (3,)),
        "accelerometer": (reading.accelerometer, (3,)),
        "joint_pos": (reading.joint_pos, joints),
        "joint_vel": (reading.joint_vel, joints),
        "torque": (reading.torque, joints),
        "foot_force": (reading.foot_force, feet),
        "temperature": (reading.temperature, joints),
    }
    for name, (value, shape) in expected.items():
        if value.shape != shape:
            raise ValueError(f"{name} has shape {value.shape}; {config.robot} has {shape}")
