"""Newer weights between two steps, and what happens when they stop coming."""

import numpy as np
import pytest

from robot.clock import NS, SteppedClock
from robot.config import Safety, load_config
from robot.policy.observe import robot_spec
from robot.policy.operator import Operator, WeightsWatch
from robot.policy.pilot import LivePilot
from robot.policy.random import RandomPolicy
from robot.tasks import make_task
from robot.wire.weights import Weights

CONFIG = load_config("hardware_configs/a1.yaml")
SPEC = robot_spec(CONFIG, make_task(CONFIG))


class Mailbox:
    age_ns = -1

    def __init__(self) -> None:
        self.weights: Weights | None = None

    def take(self) -> Weights | None:
        weights, self.weights = self.weights, None
        return weights


def make_policy(weights: Weights) -> RandomPolicy:
    if "bad" in weights.arrays:
        raise ValueError("bad does not fit")
    policy = RandomPolicy(SPEC)
    policy.version = weights.version
    return policy


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def pilot(mailbox, clock) -> LivePilot:
    return LivePilot(RandomPolicy(SPEC), mailbox, make_policy, clock)


def test_random_actions_come_until_the_first_weights(pilot, mailbox):
    assert pilot.take().version == 0
    mailbox.weights = Weights({}, 3, "spec")
    assert pilot.take().version == 3
    assert pilot.take().version == 3


def test_weights_that_make_no_policy_leave_the_old_one(pilot, mailbox):
    mailbox.weights = Weights({}, 3, "spec")
    pilot.take()
    mailbox.weights = Weights({"bad": np.zeros(1)}, 4, "spec")
    assert pilot.take().version == 3
    assert pilot.failed == 1


def test_age_counts_from_the_start_until_there_are_weights(pilot, mailbox, clock):
    clock.advance(5 * NS)
    assert pilot.age_ns() == 5 * NS
    mailbox.age_ns = 2
    assert pilot.age_ns() == 2


def test_random_policies_of_equal_seed_are_equal_and_within_bounds():
    one, two = RandomPolicy(SPEC, 4), RandomPolicy(SPEC, 4)
    actions = np.array([one.act(None, {})[1] for _ in range(200)])
    np.testing.assert_array_equal(actions, [two.act(None, {})[1] for _ in range(200)])
    assert actions.dtype == np.float32 and np.abs(actions).max() <= 1
    assert np.abs(actions.mean(axis=0)).max() < 0.2 and actions.std() > 0.5


class Said:
    """A link that only listens to words."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def say(self, word) -> None:
        self.words.append(word.word)

    def now_ns(self) -> int:
        return 0


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def watch(said) -> WeightsWatch:
    safety = Safety(weights_warn_s=60, weights_hold_s=600)
    return WeightsWatch(safety, Operator(said))  # type: ignore[arg-type]


def test_old_weights_are_warned_of_once_and_then_pause_the_robot(watch, said, caplog):
    for age_s in range(0, 600, 10):
        watch.check(age_s * NS, "active")
    assert not said.words
    assert len([r for r in caplog.records if "is the learner running" in r.message]) == 1
    watch.check(601 * NS, "active")
    assert said.words == ["pause"]


def test_a_pause_is_said_once_even_when_the_body_takes_a_while(watch, said):
    for state in ("active", "active", "active", "hold", "hold", "hold"):
        watch.check(700 * NS, state)
    assert said.words == ["pause"]


def test_a_robot_resumed_with_old_weights_has_another_full_time(watch, said):
    for state in ("active", "hold", "rising", "ready", "active"):
        watch.check(700 * NS, state)
    watch.check(1299 * NS, "active")
    assert said.words == ["pause"]
    watch.check(1301 * NS, "active")
    assert said.words == ["pause", "pause"]


def test_fresh_weights_set_everything_back(watch, said):
    for age_s, state in ((700, "active"), (701, "hold"), (1, "hold"), (2, "active")):
        watch.check(age_s * NS, state)
    watch.check(599 * NS, "active")
    assert said.words == ["pause"]
    watch.check(603 * NS, "active")
    assert said.words == ["pause", "pause"]


def test_a_robot_that_is_not_active_is_not_paused(watch, said):
    for state in ("limp", "rising", "ready", "damping", "stopped", "hold"):
        watch.check(700 * NS, state)
    assert not said.words


def test_the_operator_names_who_speaks(said):
    operator = Operator(said, "me")
    operator.stop()
    operator.pause()
    operator.resume()
    assert said.words == ["stop", "pause", "resume"]
