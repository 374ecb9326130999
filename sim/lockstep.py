"""The robot process's view of a twin in lock-step: time moves only when a tick is asked for."""

from __future__ import annotations

import numpy as np

from robot.body.core import BodyCore
from robot.body.interface import Twin
from robot.clock import NS, SteppedClock
from robot.config import CameraConfig, RobotConfig
from robot.wire.link import Sample
from robot.wire.messages import Command, OperatorWord
from sim.pictures import take

READY_WITHIN_S = 5.0  # beyond the soft start's own time


class LockstepLink:
    """A `BodyLink` onto a twin in this process, through the same body core as on a real robot.

    One control period is `inner_hz / control_hz` inner ticks, each of which moves the clock, then
    the twin, then the core. So the last sample of a tick is captured at `now_ns`, and a command
    takes effect with the next inner tick. Nothing depends on the computer's speed: equal
    configuration, seed and commands give bit-identical samples.

    Args:
        config: the robot.
        twin: its twin, on the same clock.
        clock: moved by this link alone.
    """

    def __init__(self, config: RobotConfig, twin: Twin, clock: SteppedClock) -> None:
        self.config, self.twin, self.clock = config, twin, clock
        self._core = BodyCore(config, twin, clock)
        self._period_ns = round(NS / config.control.inner_hz)
        self._ticks = config.control.inner_hz // config.control.control_hz
        self._cameras = {name: c for name, c in config.cameras.items() if c.heard}
        self._pictures: dict[str, tuple[int, np.ndarray]] = {}
        self._due_ns: dict[str, int] = {}

    def open(self) -> None:
        """Connect and run until the soft start is over.

        Raises:
            TimeoutError: when the body does not become ready, with its state and reason.
        """
        self._core.start()
        longest_s = self.config.safety.rising_s + READY_WITHIN_S
        for _ in range(round(longest_s * self.config.control.inner_hz)):
            sample = self._inner_tick()
            # Only with a sample, so that from here on every control period ends with a fresh one.
            if sample is not None and sample.status.state == "ready":
                return
        status = self._core.status()
        raise TimeoutError(
            f"the twin is not ready after {longest_s:g} s: it is {status.state}, {status.reason}"
        )

    def restart(self, start: str, seed: int) -> None:
        """Place the robot anew and open again; time goes on.

        Raises:
            ValueError: for an unknown start, naming those that exist.
            TimeoutError: when the body does not become ready.
        """
        self.twin.reset(start, seed)
        self._core = BodyCore(self.config, self.twin, self.clock)
        self._pictures.clear()
        self._due_ns.clear()
        self.open()

    def next_tick(self) -> list[Sample]:
        """Run one control period; its samples, oldest first."""
        samples = (self._inner_tick() for _ in range(self._ticks))
        return [sample for sample in samples if sample is not None]

    def frames(self) -> dict[str, tuple[int, np.ndarray]]:
        """Latest picture of each camera that is heard, drawn when its rate makes one due."""
        for name, camera in self._cameras.items():
            if self.clock.now_ns() >= self._due_ns.get(name, 0):
                self._draw(name, camera)
        return dict(self._pictures)

    def send(self, command: Command) -> None:
        """Give the body joint targets."""
        self._core.command(command)

    def say(self, word: OperatorWord) -> None:
        """Pass on an operator's word."""
        self._core.word(word)

    def now_ns(self) -> int:
        """Time on the stepped clock."""
        return self.clock.now_ns()

    def close(self) -> None:
        """Stop the motors and release the twin; safe to call twice."""
        self._core.close()
        self.twin.close()

    def _inner_tick(self) -> Sample | None:
        self.clock.advance(self._period_ns)
        self.twin.advance()
        return self._core.tick()

    def _draw(self, name: str, camera: CameraConfig) -> None:
        now_ns = self.clock.now_ns()
        picture = take(self.twin, camera)
        self._pictures[name] = now_ns, picture
        # By the schedule, not by the last frame: rounding to control ticks must not slow the rate.
        period_ns = round(NS / camera.hz)
        late_ns = (now_ns - self._due_ns.get(name, now_ns)) % period_ns
        self._due_ns[name] = now_ns - late_ns + period_ns
