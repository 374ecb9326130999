"""The robot as the policy's loop sees it: observe, act, observe, over any link to a body."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from robot.config import RobotConfig
from robot.policy.observe import ActionMap, Observer
from robot.tasks.interface import Task, Verdict
from robot.wire.link import BodyLink, Sample
from robot.wire.messages import Command, Reading
from robot.wire.spec import RobotSpec

log = logging.getLogger(__name__)

# In these states the body follows nobody: it is not up yet, or it waits for an operator.
WAITING = frozenset({"disconnected", "limp", "rising", "damping", "stopped"})
FOLLOWING = frozenset({"ready", "active"})
SILENCE_S = 5.0


@dataclass
class Tick:
    """One control tick: whether it may be learnt from, and the ledger of its times.

    Args:
        tick_ns: when the tick began, on the link's clock.
        valid: whether the body followed commands all the way from the last tick to this one.
        stamps_ns: capture stamps of each sensor, and of the tick.
        ledger_ns: "sensor" age of the newest reading at the tick; "observe", from the tick until
            the observation was there; "inference", from there until the action was there;
            "command", from there until it was sent; "sensor_to_command", all of it.
    """

    tick_ns: int = 0
    valid: bool = False
    stamps_ns: dict[str, int] = field(default_factory=dict)
    ledger_ns: dict[str, int] = field(default_factory=dict)


class Robot:
    """Gives observations, takes actions. Bad data is a state here, never an exception.

    A tick without any sound reading repeats the last observation and is not valid; an action that
    is not finite is not sent, and the body, which notices silence by itself, keeps its last target.

    Args:
        config: of the robot.
        link: to its body; already open.
        task: that judges; it sees every reading.

    Attributes:
        spec: what is observed and done.
        tick: the present control tick; a new object each tick.
        step: position in the episode, from 0.
        verdict: what the task says of this step; None before the first episode.
        counts: empty ticks, bad readings and bad actions so far.
    """

    def __init__(self, config: RobotConfig, link: BodyLink, task: Task) -> None:
        self._link, self._task = link, task
        self._observer, self._actions = Observer(config, task), ActionMap(config)
        self.spec: RobotSpec = self._observer.spec
        self.no_action = np.zeros(len(config.joints), np.float32)
        self.tick = Tick()
        self.step = 0
        self.verdict: Verdict | None = None
        self.counts = {"empty_ticks": 0, "bad_readings": 0, "bad_actions": 0}
        self._patience = round(SILENCE_S * config.control.control_hz)
        self._latest: Sample | None = None
        self._applied = self.no_action
        self._sequence = 0

    @property
    def state(self) -> str:
        """Safety state of the body as last heard; "disconnected" before the first sample."""
        return self._latest.status.state if self._latest else "disconnected"

    def ready(self) -> bool:
        """Whether an episode can begin; when not, one tick is spent waiting.

        A body in hold is asked to stay where it is: a good command leads it out, unless it was
        paused. One that is damping or stopped waits for an operator, and nothing is recorded.
        """
        if self.state in FOLLOWING:
            return True
        self._sense()
        if self.state == "hold" and self._latest is not None:
            self._send(self._latest.reading.joint_pos)
        return self.state in FOLLOWING

    def reset(self) -> dict[str, np.ndarray]:
        """Start an episode at the next tick. The robot is not moved.

        Raises:
            TimeoutError: when the body has never been heard for five seconds.
        """
        self._task.begin()
        self.step = 0
        following = self._sense()
        for _ in range(self._patience):
            if self._latest is not None:
                break
            following = self._sense()
        else:
            raise TimeoutError(f"no sound reading from the body in {SILENCE_S:g} s")
        self.tick.valid = following
        return self._observation()

    def observe(self) -> dict[str, np.ndarray]:
        """Wait for the next tick; what is sensed then, with reward and flags of this step."""
        self.step += 1
        following = self._sense()
        self.tick.valid = following and self.state == "active"
        return self._observation()

    def act(self, action: np.ndarray) -> np.ndarray:
        """Send an action, clipped to [-1, 1]; what the body was really given, (A,) float32.

        A wrong shape or a value that is not finite sends nothing and returns the last action.
        """
        start_ns = self._link.now_ns()
        self.tick.ledger_ns["inference"] = start_ns - self._observed_ns
        if action.shape != self.no_action.shape or not np.isfinite(action).all():
            self.counts["bad_actions"] += 1
            log.warning("refused an action of the policy: %s", action)
            return self._applied
        self._applied = np.clip(action, -1.0, 1.0).astype(np.float32)
        sent_ns = self._send(self._actions.position(self._applied))
        self.tick.ledger_ns["command"] = sent_ns - start_ns
        self.tick.ledger_ns["sensor_to_command"] = sent_ns - self.tick.stamps_ns["sensors"]
        return self._applied

    def _send(self, position: np.ndarray) -> int:
        assert self._latest is not None
        now_ns = self._link.now_ns()
        sensed_ns = self._latest.reading.stamp_ns
        self._link.send(Command(self._sequence, now_ns, sensed_ns, np.array(position, float)))
        self._sequence += 1
        return self._link.now_ns()

    def _sense(self) -> bool:
        """Wait for a tick and take in its samples; whether all came from a body that follows."""
        samples = self._link.next_tick()
        self.tick = Tick(tick_ns=self._link.now_ns())
        sound = [s for s in samples if _is_finite(s.reading)]
        self.counts["empty_ticks"] += not sound
        self.counts["bad_readings"] += len(samples) - len(sound)
        for sample in sound:
            self._task.sense(sample.reading)
        if sound:
            self._latest = sound[-1]
        followed = samples if self.step else samples[-1:]
        return len(sound) > 0 and all(s.status.state in FOLLOWING for s in followed)

    def _observation(self) -> dict[str, np.ndarray]:
        assert self._latest is not None
        verdict = self.verdict = self._task.judge(self.step)
        frames = self._link.frames()
        pictures = {name: picture for name, (_, picture) in frames.items()}
        seen = self._observer.observe(self._latest, verdict.observation, pictures)
        self._note_times(frames)
        return {**seen, **_flags(verdict, self.step)}

    def _note_times(self, frames: Mapping[str, tuple[int, np.ndarray]]) -> None:
        assert self._latest is not None
        tick = self.tick
        sensed_ns = self._latest.reading.stamp_ns
        tick.stamps_ns = {"tick": tick.tick_ns, "sensors": sensed_ns}
        tick.stamps_ns |= {f"image_{name}": stamp for name, (stamp, _) in frames.items()}
        self._observed_ns = self._link.now_ns()
        tick.ledger_ns["sensor"] = tick.tick_ns - sensed_ns
        tick.ledger_ns["observe"] = self._observed_ns - tick.tick_ns


def _flags(verdict: Verdict, step: int) -> dict[str, np.ndarray]:
    return {
        "reward": np.array(verdict.reward, np.float32),
        "is_first": np.array(step == 0),
        "is_last": np.array(verdict.is_last),
        "is_terminal": np.array(verdict.is_terminal),
    }


def _is_finite(reading: Reading) -> bool:
    """Whether all that the task and the agent see is finite: squares carry every NaN along."""
    groups = (
        reading.quaternion,
        reading.gyro,
        reading.accelerometer,
        reading.joint_pos,
        reading.joint_vel,
        reading.torque,
        reading.foot_force,
    )
    return bool(np.isfinite(sum(float(g.dot(g)) for g in groups)))
