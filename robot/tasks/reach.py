"""The reach task: move the joints to a target, and stay there.

The reward of a step is that of the DeepMind Control Suite's reaching tasks (Tassa et al. 2018,
arXiv 1801.00690, `rewards.tolerance`) with its linear slope: 1 at the target, 0 from a margin on.
The Suite rewards the neighbourhood of a small target. A slope up to the target itself makes the
best play plain: get there as fast as the motors can, and stay; `straight` does so.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from robot.config import ReachTask, RobotConfig
from robot.tasks.interface import Verdict
from robot.wire.messages import Reading
from robot.wire.spec import Spec, box

STREAM = 7  # keeps targets apart from what others draw with the same seed, such as starts


class Reach:
    """Another target in each episode, drawn uniformly from what actions reach.

    Episodes are `episode_steps` decisions long, neither terminal nor followed by a reset: the robot
    goes to the next target from where it is. Equal seeds draw equal targets.

    Attributes:
        target: (J,) rad or m, of this episode.
    """

    def __init__(self, config: RobotConfig, task: ReachTask, seed: int = 0) -> None:
        joints = list(config.joints.values())
        ranges = np.array([joint.action_range for joint in joints])
        self._low, self._high = ranges[:, 0], ranges[:, 1]
        self._unit = ", ".join(dict.fromkeys(joint.unit for joint in joints))
        self._task = task
        self._rng = np.random.default_rng((STREAM, seed))
        self._reading: Reading | None = None
        self.target = (self._low + self._high) / 2

    @property
    def observation(self) -> Mapping[str, Spec]:
        """The target (J,), scaled as joint positions are: in units of the action."""
        return {"target": box(self._low, self._high, None, self._unit, "joint")}

    def begin(self) -> None:
        """Start an episode: nothing moves, and the target is another."""
        self.target = self._rng.uniform(self._low, self._high)

    def sense(self, reading: Reading) -> None:
        """Take in one reading, in order of time."""
        self._reading = reading

    def judge(self, step: int) -> Verdict:
        """Judge control step `step`, from 0; the episode closes with step `episode_steps`.

        Raises:
            RuntimeError: before the first reading.
        """
        if self._reading is None:
            raise RuntimeError("the reach task was asked to judge before its first reading")
        away = np.abs(self._reading.joint_pos - self.target)
        shares = away / (self._high - self._low)  # (J,) of the range
        reward = nearness(shares, self._task.margin)
        seen = {"target": self.target.astype(np.float32)}
        terms = {"reach": reward, "distance": float(shares.sum()) / len(shares)}
        return Verdict(reward, step >= self._task.episode_steps, False, seen, terms)


def nearness(shares: np.ndarray, margin: float) -> float:
    """Reward of a step, in [0, 1]: the mean over joints of 1 - distance / margin, cut at 0.

    Args:
        shares: (J,) distance of each joint from its target, as a share of its range.
        margin: share at which the reward ends.
    """
    return float(np.maximum(1 - shares / margin, 0.0).sum()) / len(shares)


def straight(target: np.ndarray, spec: Spec) -> np.ndarray:
    """Action (J,) that asks for the target at once: as good as optimal where the servo is quick.

    The yardstick of this task. On the point mass, no plan of commands that a search found (random
    sequences improved by cross-entropy; full thrust, then braking) gains more than 2% on it.

    Args:
        target: (J,) as observed.
        spec: of the target; its centre and scale are those of the action.
    """
    return ((target - spec.centre) / spec.scale).astype(np.float32)
