"""Feeds recorded sensors through today's robot process, and holds every action against the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from launch.act import rehearse
from launch.compose import PolicyMaker, exploring
from launch.logs.survey import survey
from launch.replay.lives import Damaged, Life
from robot.policy.interface import Policy
from robot.policy.observe import image_key
from robot.policy.operator import Operator, WeightsWatch
from robot.policy.random import RandomPolicy
from robot.policy.replaying import (
    Differs,
    EndOfLog,
    Expected,
    ReplayLink,
    ReplayPilot,
    check_step,
)
from robot.policy.robot import Robot
from robot.policy.rollout import Start, rollout
from robot.tasks import make_task
from robot.wire.bulk import Bulk
from robot.wire.transition import Transition

TASK_SEEDS = 1000  # between two episodes of a run in lock-step, as `launch/worlds.py` counts


@dataclass
class Verdict:
    """What came of one life.

    Args:
        steps: that the log holds.
        same: of them, those whose every bit is the same today.
        unproven: of them, those whose weights are no longer kept.
        unheard: of them, those at the end whose tick is not in the log.
        fault: what differs, "" when nothing does.
        at: index of the step that differs, -1 without one.
        ended: why the replay ended.
        damage: what of the log cannot be read, "" where it ends as a killed process leaves it.
        details: of the fault: what, recorded, replayed, cause.
    """

    steps: int = 0
    same: int = 0
    unproven: int = 0
    unheard: int = 0
    fault: str = ""
    at: int = -1
    ended: str = ""
    damage: str = ""
    details: dict[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every recorded step is the same today."""
        return not (self.fault or self.damage) and self.same == self.steps > 0


def verify(life: Life, show: Callable[[int], None] = lambda done: None) -> Verdict:
    """Live one life again.

    Args:
        life: of a robot process, in real time or in lock-step.
        show: told of each step, by its number.

    Raises:
        ConfigError: when the log does not say enough.
    """
    verdict, expected = Verdict(damage=damage_of(life)), Expected(life.steps())
    try:
        # A plan does not say which are logged; stamps say which were heard.
        cameras = {name: image_key(name) for name in life.plan.robot.cameras}
        link = ReplayLink(life.ticks(), expected, cameras)
        for step, repeated in relive(life, expected, link):
            check_step(expected.peek(), step)
            link.check()
            expected.take()
            verdict.steps += 1
            verdict.unproven += repeated
            verdict.same = verdict.steps - verdict.unproven
            show(verdict.steps)
    except Differs as error:
        verdict.at = _index(expected)
        verdict.fault = str(error)
        named = ("what", "recorded", "replayed", "cause")
        verdict.details = {name: str(getattr(error, name)) for name in named}
    except EndOfLog as error:
        verdict.ended = str(error)
    except Damaged as error:
        verdict.damage = verdict.damage or str(error)
        return verdict
    left = _left(expected)
    verdict.unheard = 0 if verdict.fault else left
    verdict.steps += left
    return verdict


def damage_of(life: Life) -> str:
    """Where files of a life cannot be read before their ends; "" where all can.

    Reading stops there, and what stands behind it would not be missed.
    """
    bulk, said = Bulk(), []
    for path in life.files:
        found = survey(path, bulk)
        said += [
            f"{path.name}: {gap.end - gap.begin} bytes from byte {gap.begin} on cannot be read"
            for gap in found.lost
            if gap.end < found.size
        ]
    return "; ".join(said)


def relive(life: Life, expected: Expected, link: ReplayLink) -> Iterator[tuple[Transition, bool]]:
    """The steps as today's process makes them, and whether their actions were merely repeated.

    Raises:
        Differs, EndOfLog: see `robot.policy.replaying`.
    """
    plan, drawn = life.plan, life.drawn
    live = life.process == "act"
    seed = drawn["task"] if live else plan.seed + TASK_SEEDS * drawn["episode"]
    robot = Robot(plan.robot, link, make_task(plan.robot, seed))
    maker = exploring(plan)
    if drawn["rehearsals"]:
        rehearse(maker(maker.untrained()), robot.spec)
    operator = Operator(link)
    first = RandomPolicy(robot.spec, drawn["random_policy"])
    pilot = ReplayPilot(link, expected, first, lambda version: policy_of(life, maker, version))
    start = Start(plan.name, plan.run_id, drawn["index"], drawn["episode"])
    watch = WeightsWatch(plan.robot.safety, operator)

    def between() -> bool:
        if not live and robot.state == "damping":
            operator.resume()
        return False

    for step in rollout(robot, pilot, start, between):
        yield step, pilot.repeats
        if live:
            watch.check(link.age_ns(), robot.state)


def policy_of(life: Life, maker: PolicyMaker, version: int) -> tuple[Policy[Any], bool]:
    """The policy of a version, and whether its weights are kept."""
    try:
        return maker(life.store.get(life.weights[version])), True
    except (KeyError, FileNotFoundError):
        return maker.untrained_policy(), False


def _index(expected: Expected) -> int:
    try:
        return expected.peek().index
    except (EndOfLog, Damaged):
        return -1


def _left(expected: Expected) -> int:
    """How many steps nobody made again."""
    left = 0
    while _index(expected) >= 0:
        expected.take()
        left += 1
    return left
