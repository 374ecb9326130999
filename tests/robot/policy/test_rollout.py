"""The loop over a lock-step twin: order, numbering, swaps, and bit-identical runs."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
import pytest

from robot.clock import SteppedClock
from robot.config import load_config
from robot.policy.interface import Policy
from robot.policy.random import RandomPolicy
from robot.policy.robot import Robot
from robot.policy.rollout import FixedPilot, Pilot, Recorder, Start, rollout
from robot.tasks import make_task
from robot.wire.codec import encode
from robot.wire.messages import OperatorWord
from robot.wire.transition import RESERVED, Transition
from sim.lockstep import LockstepLink
from sim.mujoco_body import MujocoBody

CONFIG = load_config("hardware_configs/a1.yaml", ["task.episode_steps=5"])


def lockstep(seed: int = 0) -> tuple[Robot, LockstepLink]:
    clock = SteppedClock()
    link = LockstepLink(CONFIG, MujocoBody(CONFIG, clock, seed), clock)
    link.open()
    return Robot(CONFIG, link, make_task(CONFIG)), link


def live(count: int, pilot: Pilot | None = None, start: Start | None = None) -> list[Transition]:
    robot, link = lockstep()
    pilot = pilot or FixedPilot(RandomPolicy(robot.spec, seed=1))
    steps = list(islice(rollout(robot, pilot, start or Start("a1", "r"), lambda: False), count))
    link.close()
    return steps


class Remembering:
    """Counts its own steps; the count is its carry."""

    def __init__(self, version: int) -> None:
        self.version, self.seen = version, []

    def initial(self) -> int:
        return 0

    def act(self, carry: int, observation: Mapping[str, np.ndarray]) -> tuple[int, np.ndarray]:
        self.seen.append((carry, bool(observation["is_first"])))
        return carry + 1, np.zeros(12, np.float32)


class Script:
    """A pilot that hands out the next policy of a list each time."""

    def __init__(self, *policies: Policy[Any]) -> None:
        self.policies = list(policies)

    def take(self) -> Policy[Any]:
        return self.policies.pop(0) if len(self.policies) > 1 else self.policies[0]

    def age_ns(self) -> int:
        return 42


def test_transitions_are_numbered_without_gaps_and_marked_at_both_ends():
    steps = live(14)
    assert [s.index for s in steps] == list(range(14))
    assert [s.step for s in steps] == [*range(6), *range(6), 0, 1]
    assert [s.episode for s in steps] == [0] * 6 + [1] * 6 + [2] * 2
    assert [bool(s.arrays["is_first"]) for s in steps] == [s.step == 0 for s in steps]
    assert [bool(s.arrays["is_last"]) for s in steps] == [s.step == 5 for s in steps]
    assert all(s.valid for s in steps)


def test_every_transition_fits_the_spec_and_the_wire():
    robot, link = lockstep()
    steps = live(7)
    for step in steps:
        assert set(step.arrays) == {*robot.spec.observation, *RESERVED}
        for key, spec in robot.spec.observation.items():
            spec.check(key, step.arrays[key])
        for key in ("action", "applied"):
            robot.spec.action.check(key, step.arrays[key])
        assert encode(step)
    assert not steps[5].arrays["action"].any() and not steps[5].arrays["applied"].any()
    link.close()


def test_after_a_restart_the_stream_goes_on():
    steps = live(7, start=Start("a1", "r", index=100, episode=9))
    assert [s.index for s in steps] == list(range(100, 107))
    assert [s.episode for s in steps] == [9] * 6 + [10]


def test_equal_seeds_give_bit_identical_streams():
    assert [encode(s) for s in live(20)] == [encode(s) for s in live(20)]


def test_newer_weights_go_on_with_the_carry_and_another_kind_starts_anew():
    robot, link = lockstep()
    first, second = Remembering(1), Remembering(2)
    pilot = Script(RandomPolicy(robot.spec), RandomPolicy(robot.spec), first, first, second)
    link.close()
    steps = live(5, pilot)
    assert [s.weights_version for s in steps] == [0, 1, 1, 2, 2]
    assert first.seen == [(0, False), (1, False)]
    assert second.seen == [(2, False), (3, False)]
    assert {s.ledger_ns["weights_age"] for s in steps} == {42}


def test_steps_while_the_body_is_stopped_are_recorded_as_invalid_and_no_episode_follows():
    robot, link = lockstep()
    seen, waited = [], 0

    def stop() -> bool:
        nonlocal waited
        waited += 1
        return waited > 30

    for step in rollout(robot, FixedPilot(RandomPolicy(robot.spec)), Start("a1", "r"), stop):
        seen.append(step)
        if step.index == 2:
            link.say(OperatorWord("stop", "test", link.now_ns()))
    link.close()
    assert [s.valid for s in seen] == [True] * 3 + [False] * 3


def test_a_resumed_robot_goes_on_with_a_new_episode():
    robot, link = lockstep()
    steps = []
    for step in rollout(robot, FixedPilot(RandomPolicy(robot.spec)), Start("a1", "r"), bool):
        steps.append(step)
        if step.index == 2:
            link.say(OperatorWord("stop", "test", link.now_ns()))
        if step.index == 5:
            link.say(OperatorWord("resume", "test", link.now_ns()))
        if step.index == 11:
            break
    link.close()
    assert [s.valid for s in steps] == [True] * 3 + [False] * 3 + [True] * 6
    assert steps[6].step == 0 and steps[6].episode == 1


class Order:
    def __init__(self, fail: bool = False) -> None:
        self.calls: list[tuple[str, int]] = []
        self.fail = fail

    def append(self, transition: Transition) -> None:
        if self.fail:
            raise OSError("disk full")
        self.calls.append(("log", transition.index))

    def send(self, transition: Transition) -> None:
        self.calls.append(("send", transition.index))


def test_the_log_comes_before_the_uplink():
    order = Order()
    recorder = Recorder(order, order)
    for step in live(2):
        recorder.record(step)
    assert order.calls == [("log", 0), ("send", 0), ("log", 1), ("send", 1)]


def test_what_could_not_be_logged_is_not_sent():
    order = Order(fail=True)
    with pytest.raises(OSError, match="disk full"):
        Recorder(order, order).record(live(1)[0])
    assert not order.calls
