import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.body.core import BodyCore
from robot.body.drivers.fake import FakeBody
from robot.body.safety import LATCHED
from robot.clock import SteppedClock
from robot.config import load_config
from robot.wire.messages import Command, OperatorWord
from sim.faults import FaultyBody

CONFIG = load_config("hardware_configs/a1.yaml", ["twin.start=folded", "safety.rising_s=0.05"])
FOLD = np.array([CONFIG.poses["fold"][name] for name in CONFIG.joints])


class Stage:
    """A core on a fake that fails on request."""

    def __init__(self) -> None:
        self.clock = SteppedClock(1_000_000_000)
        self.body = FaultyBody(FakeBody(CONFIG, self.clock), self.clock)
        self.core = BodyCore(CONFIG, self.body, self.clock)

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.clock.advance(1_000_000)
            self.body.advance()
            self.core.tick()

    def command(self, position: np.ndarray) -> None:
        self.core.command(Command(0, self.clock.now_ns(), 0, position))

    def say(self, word: str) -> None:
        self.core.word(OperatorWord(word, "a test", self.clock.now_ns()))


def test_a_device_with_other_joints_is_refused_and_released(monkeypatch):
    stage = Stage()
    closed = []
    monkeypatch.setattr(stage.body, "close", lambda: closed.append(True))
    stage.body.sensed["joint_vel"] = np.zeros(11)
    with pytest.raises(ValueError, match=r"joint_vel has shape \(11,\); a1 has \(12,\)"):
        stage.core.start()
    assert closed
    assert stage.core.guard.state == "disconnected"


def test_a_device_that_fails_is_counted_and_never_raises():
    stage = Stage()
    stage.core.start()
    stage.tick(100)
    stage.body.disconnect()
    stage.tick(10)
    assert stage.core.guard.counts["device_error"] == 20  # reading and writing
    stage.say("stop")
    assert stage.core.guard.state == "stopped"


def test_a_tick_costs_less_than_40_us():
    stage = Stage()
    stage.core.start()
    stage.tick(100)
    took_s = []
    for tick in range(2000):
        if tick % 50 == 0:
            stage.command(FOLD)
        stage.clock.advance(1_000_000)
        stage.body.advance()
        began = time.perf_counter()
        stage.core.tick()
        took_s.append(time.perf_counter() - began)
    assert stage.core.guard.state == "active"
    assert np.median(took_s) < 40e-6


def spoil(stage: Stage, how: str) -> None:
    if how == "nan":
        stage.body.sensed["joint_pos"] = np.full(12, np.nan)
    elif how == "huge":
        stage.body.sensed["gyro"] = np.full(3, 1e200)
    elif how == "hot":
        stage.body.sensed["temperature"] = np.full(12, 99.0)
    elif how == "fast":
        stage.body.sensed["joint_vel"] = np.full(12, 50.0)
    else:
        {"stall": stage.body.stall, "freeze": stage.body.freeze}[how]()


EVENTS = st.one_of(
    st.tuples(st.just("tick"), st.integers(1, 300)),
    st.tuples(st.just("say"), st.sampled_from(["stop", "pause", "resume", "alive", "jump"])),
    st.tuples(st.just("command"), st.sampled_from([0.0, 0.02, 9.0, np.nan, np.inf])),
    st.tuples(st.just("spoil"), st.sampled_from(["nan", "huge", "hot", "fast", "stall", "freeze"])),
    st.tuples(st.just("heal"), st.none()),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(EVENTS, max_size=25))
def test_whatever_happens_the_motors_get_only_what_the_state_allows(events):
    stage = Stage()
    stage.core.start()
    for kind, value in events:
        before = stage.core.guard.state
        if kind == "say":
            stage.say(value)
        elif kind == "command":
            stage.command(FOLD + value)
        elif kind == "spoil":
            spoil(stage, value)
        elif kind == "heal":
            stage.body.heal()
        else:
            stage.tick(value)
        after = stage.core.guard.state
        if before == "stopped":
            assert after == "stopped" or (kind, value) == ("say", "resume")
        if before == "damping":
            assert after in LATCHED or (kind, value) == ("say", "resume")
        stage.tick()
        check_motors(stage)


def check_motors(stage: Stage) -> None:
    command, state = stage.body.last, stage.core.guard.state
    assert command is not None
    values = (command.position, command.kp, command.kd, command.torque)
    assert all(np.isfinite(value).all() for value in values)
    assert not command.torque.any()
    if state in LATCHED or state == "limp":
        assert not command.kp.any()
    if state in LATCHED:
        assert command.kd.all()
    if state in ("ready", "active"):
        stage.body.heal()
        measured = stage.body.read().joint_pos
        assert np.abs(command.position - measured).max() < 0.21


def test_an_old_reading_is_not_taken_for_a_new_one():
    stage = Stage()
    stage.core.start()
    stage.tick(100)
    stage.command(FOLD)
    old = stage.body.read()
    stage.tick(30)
    stage.body.sensed["stamp_ns"] = replace(old).stamp_ns
    stage.tick()
    assert stage.core.guard.state == "hold"
    assert "stale" in stage.core.guard.reason
