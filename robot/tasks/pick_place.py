"""The pick-and-place task: carry objects from one bin to another (DayDreamer, arXiv 2206.14176).

Rewards are those of its released code (embodied/envs/robot_interface.py, `PickPlace`): 1 for a
grasp, 10 for letting go over another bin, -1 for letting go over the same one, and 0 otherwise.
There, a gripper opens or closes at once, and an object is let go as soon as it is across. Here a
gripper is a joint like any other, which may stop half-way on nothing. So a grasp is where it has
stopped between its ends and still presses, by the effort that its motor tells.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from robot.config import Joint, PickPlaceTask, RobotConfig
from robot.tasks.interface import Verdict
from robot.wire.messages import Reading
from robot.wire.spec import Spec, box

GRASPED, DROPPED, PLACED = 1.0, -1.0, 10.0
NOWHERE = 0  # place 0 is no bin; bins are numbered from 1, in the order of the configuration
LETTING_GO = 0.5  # share of the effort of a grasp below which it is over, so that none flickers


class Carrying:
    """What is held, from where, and what taking it and letting go of it are worth.

        before   now      over                             reward
        empty    held     a bin                            GRASPED
        held     empty    the bin that it came from        DROPPED
        held     empty    another bin than it came from    PLACED
        anything else                                      0

    What was grasped over no bin is worth nothing wherever it is let go.

    Attributes:
        held: whether something is.
        origin: place over which it was grasped, NOWHERE when nothing is held.
    """

    def __init__(self) -> None:
        self.held, self.origin = False, NOWHERE

    def step(self, gripping: bool, over: int) -> float:
        """Reward of a step.

        Args:
            gripping: whether the gripper holds something now.
            over: place over which it is.
        """
        if gripping == self.held:
            return 0.0
        origin, self.held, self.origin = self.origin, gripping, over if gripping else NOWHERE
        if gripping:
            return 0.0 if over == NOWHERE else GRASPED
        if NOWHERE in (origin, over):
            return 0.0
        return DROPPED if over == origin else PLACED


class Grip:
    """Tells by a gripper's own sensors whether something is in it.

    Args:
        joint: of the gripper.
        task: numbers of a grasp.
    """

    def __init__(self, joint: Joint, task: PickPlaceTask) -> None:
        self._open, self._closed = joint.lower, joint.upper
        if task.closed == "lower":
            self._open, self._closed = self._closed, self._open
        self._empty = task.empty_share
        self._still = task.still_share * joint.velocity
        self._press = task.grip_share * joint.effort
        self._sign = 1.0 if self._closed > self._open else -1.0

    def share(self, position: float) -> float:
        """How far closed it is: 0 open, 1 closed."""
        return (position - self._open) / (self._closed - self._open)

    def holds(self, position: float, speed: float, effort: float, held: bool) -> bool:
        """Whether it holds something, by position, speed and effort in its joint's units.

        Args:
            position: of its joint.
            speed: of its joint.
            effort: that its motor gives.
            held: whether it did before: an arm that swings shakes what it holds.
        """
        between = self._empty < self.share(position) < 1 - self._empty
        press = self._sign * effort / self._press
        if held:
            return between and press >= LETTING_GO
        return between and press >= 1 and abs(speed) <= self._still


class PickPlace:
    """Judges by joints alone: the gripper's, and the one that tells over which bin it is.

    Episodes are `episode_steps` decisions long, neither terminal nor followed by a reset: what is
    held stays so.

    Attributes:
        carrying: what is held.
    """

    def __init__(self, config: RobotConfig, task: PickPlaceTask) -> None:
        names = list(config.joints)
        self._gripper, self._across = names.index(task.gripper), names.index(task.across)
        self._grip = Grip(config.joints[task.gripper], task)
        self._bins, self._task = list(task.bins.values()), task
        self._reading: Reading | None = None
        self._began = False
        self.carrying = Carrying()

    @property
    def observation(self) -> Mapping[str, Spec]:
        """Which bin the gripper is over, and which one what it holds came from: (1 + bins,) each.

        One of the numbers is 1: the first for none, then the bins in their order.
        """
        place = box(0.0, 1.0, (1 + len(self._bins),), "1", "bin")
        return {"gripper_side": place, "grasped_side": place}

    def begin(self) -> None:
        """Start an episode: nothing changes."""

    def sense(self, reading: Reading) -> None:
        """Take in one reading, in order of time."""
        self._reading = reading

    def judge(self, step: int) -> Verdict:
        """Judge control step `step`, from 0; the episode closes with step `episode_steps`.

        What is held when the first step is judged was not grasped by anybody, and is not paid.

        Raises:
            RuntimeError: before the first reading.
        """
        if self._reading is None:
            raise RuntimeError(
                "the pick-and-place task was asked to judge before its first reading"
            )
        over = self._over(float(self._reading.joint_pos[self._across]))
        earned = self.carrying.step(self._holds(self._reading), over)
        reward, self._began = earned if self._began else 0.0, True
        seen = {
            "gripper_side": self._one_of(over),
            "grasped_side": self._one_of(self.carrying.origin),
        }
        last = step >= self._task.episode_steps
        return Verdict(reward, last, False, seen, terms(reward))

    def _holds(self, reading: Reading) -> bool:
        told = (reading.joint_pos, reading.joint_vel, reading.torque)
        position, speed, effort = (float(values[self._gripper]) for values in told)
        return self._grip.holds(position, speed, effort, self.carrying.held)

    def _over(self, across: float) -> int:
        """Place over which the gripper is."""
        inside = (k for k, (low, high) in enumerate(self._bins, 1) if low <= across <= high)
        return next(inside, NOWHERE)

    def _one_of(self, place: int) -> np.ndarray:
        return np.eye(1 + len(self._bins), dtype=np.float32)[place]


def terms(reward: float) -> dict[str, float]:
    """The reward of a step by its name, and which of the three events it was."""
    events = {"grasped": GRASPED, "dropped": DROPPED, "placed": PLACED}
    return {"pick_place": reward, **{k: float(reward == paid) for k, paid in events.items()}}
