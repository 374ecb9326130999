"""The robot as the loop sees it, over a scripted link: ticks, validity, ledger, bad data."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from robot.clock import SteppedClock
from robot.config import load_config
from robot.policy.observe import ActionMap
from robot.policy.robot import Robot
from robot.tasks import make_task
from robot.wire.link import Sample
from robot.wire.messages import Command, OperatorWord, Reading, Status

CONFIG = load_config("hardware_configs/a1.yaml")
STAND = np.array([CONFIG.poses["stand"][name] for name in CONFIG.joints])
PERIOD_NS, SAMPLE_NS = 50_000_000, 5_000_000


def standing(stamp_ns: int) -> Reading:
    return Reading(
        stamp_ns,
        np.array((1.0, 0, 0, 0)),
        np.zeros(3),
        np.array((0, 0, 9.81)),
        STAND.copy(),
        np.zeros(12),
        np.zeros(12),
        np.full(4, 30.0),
        np.full(12, 30.0),
        24.0,
    )


class ScriptedLink:
    """A body whose state and samples a test decides; the clock moves a little with every look."""

    def __init__(self) -> None:
        self.clock = SteppedClock(1_000_000_000)
        self.state, self.sent, self.words = "ready", [], []
        self.change: Callable[[list[Sample]], list[Sample]] = lambda samples: samples
        self.look_ns = 1000

    def open(self) -> None:
        self.clock.advance(1)

    def next_tick(self) -> list[Sample]:
        start = self.clock.now_ns() // PERIOD_NS * PERIOD_NS
        stamps = range(start + SAMPLE_NS, start + PERIOD_NS + 1, SAMPLE_NS)
        self.clock.sleep_until(start + PERIOD_NS)
        status = Status(self.state, "", STAND, len(self.sent) - 1)
        return self.change([Sample(standing(s), status) for s in stamps])

    def frames(self) -> dict[str, tuple[int, np.ndarray]]:
        return {}

    def send(self, command: Command) -> None:
        self.sent.append(command)
        self.state = "active" if self.state in ("ready", "hold") else self.state

    def say(self, word: OperatorWord) -> None:
        self.words.append(word)

    def now_ns(self) -> int:
        self.clock.advance(self.look_ns)
        return self.clock.now_ns()

    def close(self) -> None: ...


@pytest.fixture
def link() -> ScriptedLink:
    return ScriptedLink()


@pytest.fixture
def robot(link) -> Robot:
    return Robot(CONFIG, link, make_task(CONFIG))


def zeros() -> np.ndarray:
    return np.zeros(12, np.float32)


def test_an_episode_starts_without_moving_the_robot(robot, link):
    observation = robot.reset()
    assert not link.sent
    assert observation["is_first"] and not observation["is_last"]
    assert observation["reward"].dtype == np.float32
    assert observation["reward"] == pytest.approx(9, abs=0.3)
    assert robot.tick.valid


def test_what_is_sent_is_the_clipped_action_and_is_returned(robot, link):
    robot.reset()
    wild = np.linspace(-3, 3, 12)
    applied = robot.act(wild)
    assert applied.dtype == np.float32
    np.testing.assert_array_equal(applied, np.clip(wild, -1, 1).astype(np.float32))
    np.testing.assert_array_equal(link.sent[0].position, ActionMap(CONFIG).position(applied))


@pytest.mark.parametrize("bad", [np.full(12, np.nan), np.array((np.inf, *[0] * 11)), np.zeros(11)])
def test_an_action_that_cannot_be_meant_is_not_sent(robot, link, bad):
    robot.reset()
    last = robot.act(np.full(12, 0.5, np.float32))
    robot.observe()
    np.testing.assert_array_equal(robot.act(bad), last)
    assert len(link.sent) == 1
    assert robot.counts["bad_actions"] == 1


def test_commands_are_numbered_and_name_the_reading_they_answer(robot, link):
    robot.reset()
    for _ in range(3):
        robot.act(zeros())
        robot.observe()
    assert [c.sequence for c in link.sent] == [0, 1, 2]
    assert all(c.sensor_stamp_ns % PERIOD_NS == 0 for c in link.sent)
    assert np.diff([c.sensor_stamp_ns for c in link.sent]).tolist() == [PERIOD_NS] * 2


def test_the_ledger_says_where_the_time_went(robot, link):
    robot.reset()
    link.clock.advance(7_000_000)  # the policy thinks
    robot.act(zeros())
    ledger = robot.tick.ledger_ns
    assert ledger["sensor"] == link.look_ns
    assert 7_000_000 < ledger["inference"] < 7_010_000
    assert 0 < ledger["command"] < 10_000
    # One look of the clock lies between the moments of sending and of noting it.
    parts = ledger["sensor"] + ledger["observe"] + ledger["inference"] + ledger["command"]
    assert ledger["sensor_to_command"] == parts
    assert robot.tick.stamps_ns["sensors"] + ledger["sensor"] == robot.tick.stamps_ns["tick"]


def test_a_silent_tick_repeats_the_observation_and_is_not_valid(robot, link):
    before = robot.reset()
    robot.act(zeros())
    link.change = lambda samples: []
    after = robot.observe()
    assert not robot.tick.valid
    assert robot.counts["empty_ticks"] == 1
    for key in robot.spec.observation:
        np.testing.assert_array_equal(before[key], after[key], key)
    assert robot.step == 1 and not after["is_first"]


def test_a_reading_with_a_nan_never_reaches_task_or_agent(robot, link):
    robot.reset()
    robot.act(zeros())

    def spoil(samples: list[Sample]) -> list[Sample]:
        broken = replace(samples[-1].reading, joint_pos=np.full(12, np.nan))
        return [*samples[:-1], replace(samples[-1], reading=broken)]

    link.change = spoil
    observation = robot.observe()
    assert all(np.isfinite(v).all() for v in observation.values())
    assert robot.counts["bad_readings"] == 1
    assert robot.tick.valid


@pytest.mark.parametrize("state", ["hold", "damping", "stopped", "limp", "rising", "ready"])
def test_a_step_is_valid_only_while_the_body_follows(robot, link, state):
    robot.reset()
    robot.act(zeros())
    robot.observe()
    assert robot.tick.valid
    link.state = state
    robot.observe()
    assert not robot.tick.valid


def test_a_step_is_invalid_when_the_body_stopped_following_in_between(robot, link):
    robot.reset()
    robot.act(zeros())
    robot.observe()

    def trip(samples: list[Sample]) -> list[Sample]:
        held = replace(samples[4], status=replace(samples[4].status, state="hold"))
        return [*samples[:4], held, *samples[5:]]

    link.change = trip
    robot.observe()
    assert not robot.tick.valid


@pytest.mark.parametrize("state", ["limp", "rising", "damping", "stopped"])
def test_no_episode_begins_while_the_body_waits(robot, link, state):
    link.state = state
    assert not any(robot.ready() for _ in range(5))
    assert not link.sent
    link.state = "ready"
    assert robot.ready()


def test_a_body_in_hold_is_asked_to_stay_where_it_is(robot, link):
    link.state = "hold"
    robot.ready()
    np.testing.assert_allclose(link.sent[0].position, STAND)
    assert robot.ready() or robot.ready()


def test_a_body_that_was_never_heard_is_an_error(robot, link):
    link.change = lambda samples: []
    with pytest.raises(TimeoutError, match="no sound reading"):
        robot.reset()


def test_the_last_step_closes_the_episode(link):
    config = load_config("hardware_configs/a1.yaml", ["task.episode_steps=3"])
    robot = Robot(config, link, make_task(config))
    lasts = [bool(robot.reset()["is_last"])]
    for _ in range(3):
        robot.act(zeros())
        lasts.append(bool(robot.observe()["is_last"]))
    assert lasts == [False, False, False, True]
