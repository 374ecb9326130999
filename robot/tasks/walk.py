"""The walk task: get up from any pose and walk forward, judged by sensors alone.

Two rewards on one scale, so that their curves compare: at least 4 while upright, 5 on the back, 9
for standing still, 14 for walking forward at the target speed. `Published` is DayDreamer's.
`WalkUpright` is ours: it pays only for walking with the trunk level and high.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

import numpy as np

from robot.config import RobotConfig
from robot.tasks.interface import Verdict
from robot.tasks.kinematics import Legs
from robot.tasks.velocity import VelocityEstimator
from robot.wire.messages import Reading
from robot.wire.spec import Spec, box


@dataclass(frozen=True, slots=True)
class Stance:
    """What the rewards read off the robot.

    Args:
        up: z component of the trunk's up axis in the world; 1 upright, -1 on the back.
        hip: 1 less the mean deviation of the abduction joints from the standing pose, in [0, 1].
        shoulder: the same of the thigh joints.
        knee: the same of the calf joints.
        height_m: of the trunk above the floor.
        forward_m_s: velocity along the heading, which is the trunk's forward axis laid on the
            floor without stretching it (DayDreamer, rma_task.py).
        speed_m_s: length of the whole velocity.
        clearance_m: height of a knee over its own foot, of the leg where it is least.
        turn_rad_s: turning rate about the world's vertical, to the left.
    """

    up: float
    hip: float
    shoulder: float
    knee: float
    height_m: float
    forward_m_s: float
    speed_m_s: float
    clearance_m: float = 0.12
    turn_rad_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Score:
    """Parts of a reward: four posture terms and a velocity term, each in [0, 1]."""

    upright: float
    hip: float
    shoulder: float
    knee: float
    velocity: float

    @property
    def total(self) -> float:
        """The reward, in [5, 14]: posture, and the velocity term at ten times half its range."""
        posture = self.upright + self.hip + self.shoulder + self.knee
        return posture + 10 * (self.velocity + 1) / 2


class Reward(Protocol):
    """A way to score a stance."""

    def score(self, stance: Stance) -> Score:
        """Score one stance."""
        ...


@dataclass(frozen=True)
class Published:
    """DayDreamer's reward (arXiv 2206.14176; rma_task.py): a term opens when the last is above 0.7.

    Motion backwards earns nothing (the share of the speed that points forward is cut at 0), and
    standing perfectly still is guarded where the reference divides 0 by 0.
    """

    target_m_s: float
    gate: float = 0.7

    def score(self, stance: Stance) -> Score:
        """Score one stance."""
        upright = stance.up / 2 + 0.5
        hip = (upright > self.gate) * stance.hip
        shoulder = (hip > self.gate) * stance.shoulder
        knee = (shoulder > self.gate) * stance.knee
        velocity = (knee > self.gate) * going_forward(stance, self.target_m_s)
        return Score(upright, hip, shoulder, knee, velocity)


@dataclass(frozen=True)
class WalkUpright:
    """Our reward: the published terms with slopes for steps, and pay for level, high walking only.

    Why it differs from the published one, which stays the yardstick:

    * The published gates jump. A robot that crouches with its knee term at 0.65 sees nothing of
      what lies behind the gate, and runs stay there for many minutes. A gate here opens linearly
      from `gate_from` to `gate_to`: the next term is felt before the last one is perfect.
    * The published posture is one of joint angles alone, which a robot on its belly can hold. Here
      half of the last posture term is the trunk's height, which pays for lifting it at once.
    * Published, a trunk that leans by 60 degrees still earns velocity (its gate opens at up > 0.4)
      and a tilted crawl scores like walking. Here the velocity term grows with the trunk's up axis
      from `up_from` (60 degrees of lean) to `up_to` (14 degrees), and with its height from
      `height_from_m` to the standing height. No gate hides it: a crawl is felt to be worth
      something, a higher one more, and walking most.
    * A robot can be level and high on folded front knees. So the velocity term also grows with the
      worst of the three posture terms, from `pose_from` to `pose_to`, just above the published
      gates, and with the clearance of the lowest knee, from `knee_from_m` to `knee_to_m`.
    * A target is a target: the published product cuts at it, and robots run at twice of it to be
      above it all the time. Here the pay falls from `fast_from` times the target until nothing is
      left at `fast_to` times.
    * Forward is straight on: half of the velocity term is lost from `turn_from` to `turn_to`.
    """

    target_m_s: float
    stand_height_m: float
    gate_from: float = 0.4
    gate_to: float = 0.8
    up_from: float = 0.5
    up_to: float = 0.97
    height_from_m: float = 0.08
    pose_from: float = 0.2
    pose_to: float = 0.75
    knee_from_m: float = -0.05
    knee_to_m: float = 0.08
    fast_from: float = 1.5
    fast_to: float = 4.0
    turn_from_rad_s: float = 0.1
    turn_to_rad_s: float = 1.0

    def score(self, stance: Stance) -> Score:
        """Score one stance."""
        upright = stance.up / 2 + 0.5
        hip = self._open(upright) * stance.hip
        shoulder = self._open(hip) * stance.shoulder
        lifted = ramp(stance.up, self.up_from, self.up_to) * ramp(
            stance.height_m, self.height_from_m, self.stand_height_m
        )
        knee = (self._open(shoulder) * stance.knee + lifted) / 2
        posed = ramp(min(stance.hip, stance.shoulder, stance.knee), self.pose_from, self.pose_to)
        velocity = lifted * posed * self._steady(stance) * going_forward(stance, self.target_m_s)
        return Score(upright, hip, shoulder, knee, velocity)

    def _steady(self, stance: Stance) -> float:
        """Share of the pay for velocity that knees near the floor, haste and turning leave."""
        clear = ramp(stance.clearance_m, self.knee_from_m, self.knee_to_m)
        haste = ramp(stance.forward_m_s / self.target_m_s, self.fast_from, self.fast_to)
        turning = ramp(abs(stance.turn_rad_s), self.turn_from_rad_s, self.turn_to_rad_s)
        return clear * (1 - haste) * (1 - turning / 2)

    def _open(self, term: float) -> float:
        return ramp(term, self.gate_from, self.gate_to)


def ramp(x: float, start: float, end: float) -> float:
    """Grow linearly from 0 at `start` to 1 at `end`, flat outside."""
    return min(max((x - start) / (end - start), 0.0), 1.0)


def going_forward(stance: Stance, target_m_s: float) -> float:
    """Velocity term in [0, 1]: share of the speed that points forward, times speed over target."""
    if stance.forward_m_s <= 0 or stance.speed_m_s <= 0:
        return 0.0
    share = stance.forward_m_s / stance.speed_m_s
    return share * min(stance.forward_m_s / target_m_s, 1.0)


# Standing pose of DayDreamer (a1.py STANDING_POSE): abduction, thigh, calf, as normalised angles.
STANDING = np.array((0.0, -0.2, 1.0))


class Posture:
    """How near the joints are to the standing pose, by kind of joint."""

    def __init__(self, config: RobotConfig) -> None:
        ranges = np.array([joint.action_range for joint in config.joints.values()])
        self._index = Legs(config).index
        self._low = ranges[:, 0][self._index]  # (F, 3)
        self._span = (ranges[:, 1] - ranges[:, 0])[self._index]
        self._worst = np.maximum(1 - STANDING, 1 + STANDING)

    def nearness(self, joint_pos: np.ndarray) -> tuple[float, float, float]:
        """Tell 1 less the mean deviation of abduction, thigh and calf joints, each in [0, 1].

        Args:
            joint_pos: (J,) rad, measured.
        """
        normalised = (joint_pos[self._index] - self._low) / self._span * 2 - 1  # (F, 3)
        deviation = np.minimum(np.abs(normalised - STANDING) / self._worst, 1.0)
        hip, shoulder, knee = (1 - deviation.sum(axis=0) / len(deviation)).tolist()
        return hip, shoulder, knee


class Walk:
    """The walk task: one velocity estimate, one stance, two scores, one of them the reward.

    Episodes are `episode_steps` decisions long, neither terminal nor followed by a reset: the
    step after the last one is the next episode's first (DayDreamer: 250 steps, no resets).
    """

    def __init__(self, config: RobotConfig, reward: str, rewards: Mapping[str, Reward]) -> None:
        self._episode_steps = config.walk.episode_steps
        self._estimator = VelocityEstimator(config)
        self._posture = Posture(config)
        self._legs = Legs(config)
        self._reward, self._rewards = reward, dict(rewards)
        self._reading: Reading | None = None

    @property
    def observation(self) -> Mapping[str, Spec]:
        """Velocity of the trunk (3,) in its own frame, averaged as the reward sees it."""
        return {"velocity": box(-3.0, 3.0, (3,), "m/s", "body", scale=0.5)}

    def begin(self) -> None:
        """Start an episode: nothing moves and nothing is forgotten."""

    def sense(self, reading: Reading) -> None:
        """Take in one reading, in order of time."""
        self._reading = reading
        self._estimator.sense(reading)

    def judge(self, step: int) -> Verdict:
        """Judge control step `step`, from 0; the episode closes with step `episode_steps`.

        Raises:
            RuntimeError: before the first reading.
        """
        stance, velocity = self._stance()
        scores = {name: reward.score(stance) for name, reward in self._rewards.items()}
        chosen = scores[self._reward]
        terms = {name: score.total for name, score in scores.items()}
        terms |= {
            "upright": chosen.upright,
            "hip": chosen.hip,
            "shoulder": chosen.shoulder,
            "knee": chosen.knee,
            "velocity": chosen.velocity,
            "height_m": stance.height_m,
            "forward_m_s": stance.forward_m_s,
            "clearance_m": stance.clearance_m,
            "turn_rad_s": stance.turn_rad_s,
        }
        seen = {"velocity": np.clip(velocity, -3.0, 3.0).astype(np.float32)}
        return Verdict(chosen.total, step >= self._episode_steps, False, seen, terms)

    def _stance(self) -> tuple[Stance, np.ndarray]:
        """Stance by the readings so far, and the velocity (3,) in the trunk's frame."""
        if self._reading is None:
            raise RuntimeError("the walk task was asked to judge before its first reading")
        world, height_m, turn = self._estimator.average()
        rotation = self._estimator.rotation
        x, y, z = world.tolist()
        forward = float(rotation[0, 0]) * x + float(rotation[1, 0]) * y
        hip, shoulder, knee = self._posture.nearness(self._reading.joint_pos)
        stance = Stance(
            up=float(rotation[2, 2]),
            hip=hip,
            shoulder=shoulder,
            knee=knee,
            height_m=height_m,
            forward_m_s=forward,
            speed_m_s=sqrt(x * x + y * y + z * z),
            clearance_m=self._legs.clearance(self._reading.joint_pos, rotation[2]),
            turn_rad_s=turn,
        )
        return stance, world @ rotation


def walk(config: RobotConfig) -> Walk:
    """Compose the walk task that `config.task` asks for."""
    task = config.walk
    rewards: dict[str, Reward] = {
        "published": Published(task.target_velocity_m_s),
        "walk_upright": WalkUpright(task.target_velocity_m_s, task.stand_height_m),
    }
    return Walk(config, task.reward, rewards)
