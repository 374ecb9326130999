import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq

from robot.policy import uplink as module
from robot.policy.uplink import Forwarder, StepLog, Uplink
from robot.wire.codec import encode, unpack
from robot.wire.cursor import Cursor
from robot.wire.log import LogFile, LogWriter
from robot.wire.messages import Ack, Hello, Hole
from robot.wire.sockets import open_receiver
from robot.wire.transition import Transition

STREAM = ("a1", "run")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "ASK_AGAIN_S", 0.05)
    monkeypatch.setattr(module, "GO_BACK_AGAIN_S", 0.02)
    monkeypatch.setattr(module, "_WAIT_S", 0.002)


class Learner:
    """A learner that notes every message and answers as told: in order, by cumulative index."""

    def __init__(self, endpoints, context: zmq.Context, expected: int = 0) -> None:
        self.port = open_receiver(endpoints, "transitions", context)
        self.expected = expected
        self.taken: list[int] = []
        self.heard: list[object] = []
        self.peers: set[bytes] = set()

    def serve(self, done: Callable[[], bool], lose: Callable[[object], bool] = lambda m: False):
        """Answer until `done`; messages of which `lose` is true vanish on their way."""
        for _ in range(3000):
            if done():
                return
            self.port.wait(0.01)
            for peer, data in self.port.take_from():
                message = unpack(data)[1]
                self.heard.append(message)
                self.peers.add(peer)
                if not lose(message):
                    self.port.send_to(peer, encode(Ack(*STREAM, *self.answer(message))))
        raise AssertionError(f"not done; took {len(self.taken)}, expects {self.expected}")

    def answer(self, message: object) -> tuple[int, bool]:
        if isinstance(message, Transition):
            if message.index == self.expected:
                self.taken.append(message.index)
                self.expected += 1
            return self.expected, message.index >= self.expected
        if isinstance(message, Hole):
            self.expected = max(self.expected, message.end)
        return self.expected, True


class Robot:
    """A robot process's log and uplink."""

    def __init__(self, endpoints, folder: Path, context: zmq.Context) -> None:
        self.writer = LogWriter(folder, "steps", {})
        self.log = StepLog(self.writer, lambda: 0, lambda: 0)
        self.uplink = Uplink(endpoints, Cursor(folder, "steps", STREAM), context=context)
        self.forwarder = Forwarder(self.log, self.uplink)

    def live(self, steps) -> None:
        for step in steps:
            self.log.append(step)
            self.forwarder.send(step)


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    own = zmq.Context()
    yield own
    own.destroy(linger=0)


@pytest.fixture
def robot(endpoints, tmp_path, context) -> Iterator[Robot]:
    robot = Robot(endpoints, tmp_path, context)
    yield robot
    robot.uplink.close()


def test_steps_reach_the_learner_in_order_and_once(robot, endpoints, context, step):
    learner = Learner(endpoints, context)
    robot.live(step(i) for i in range(500))
    learner.serve(lambda: robot.uplink.caught_up)
    assert learner.taken == list(range(500))
    assert (robot.uplink.acknowledged, robot.uplink.lost, robot.uplink.fault) == (500, 0, "")


def test_steps_from_before_the_learner_came_are_sent_from_the_log(
    robot, endpoints, context, step, monkeypatch
):
    monkeypatch.setattr(module, "WINDOW_STEPS", 16)
    robot.live(step(i) for i in range(600))
    assert len(robot.uplink._window) == 16
    learner = Learner(endpoints, context)
    learner.serve(lambda: robot.uplink.caught_up)
    assert learner.taken == list(range(600))


def test_the_window_is_bounded_in_bytes(robot, step, monkeypatch):
    monkeypatch.setattr(module, "WINDOW_BYTES", 100_000)
    image = {"image": np.zeros((64, 64, 3), np.uint8)}
    robot.live(step(i, **image) for i in range(40))
    held = [len(data) for _, data in robot.uplink._window]
    assert sum(held) == robot.uplink._window_bytes <= 100_000


def test_what_a_former_process_logged_is_sent_too(endpoints, tmp_path, context, step):
    former = LogWriter(tmp_path, "steps", {})
    for i in range(40):
        former.append_transition(step(i), 0, 0)
    robot = Robot(endpoints, tmp_path, context)
    learner = Learner(endpoints, context, expected=25)
    robot.live(step(i) for i in range(40, 60))
    learner.serve(lambda: robot.uplink.caught_up)
    assert learner.taken == list(range(25, 60))
    assert robot.uplink.close()


def test_lost_messages_are_sent_again(robot, endpoints, context, step):
    rng = np.random.default_rng(0)
    learner = Learner(endpoints, context)
    robot.live(step(i) for i in range(100))
    learner.serve(lambda: robot.uplink.caught_up, lose=lambda m: rng.random() < 0.3)
    assert learner.taken == list(range(100))
    assert robot.uplink.resent > 0


def test_a_learner_that_lost_its_own_log_gets_everything_again(robot, endpoints, context, step):
    learner = Learner(endpoints, context)
    robot.live(step(i) for i in range(100))
    learner.serve(lambda: robot.uplink.caught_up)
    learner.expected = 0
    robot.live([step(100)])
    learner.serve(lambda: robot.uplink.caught_up)
    assert learner.taken == [*range(100), *range(101)]


def test_a_learner_that_restarts_is_found_again(robot, endpoints, context, step):
    learner = Learner(endpoints, context)
    robot.live(step(i) for i in range(50))
    learner.serve(lambda: learner.expected >= 20)
    learner.port.close()
    robot.live(step(i) for i in range(50, 80))
    second = Learner(endpoints, context, expected=learner.expected)
    second.serve(lambda: robot.uplink.caught_up)
    assert [*learner.taken, *second.taken] == list(range(80))


def test_steps_that_the_log_has_lost_are_passed_over_and_counted(
    endpoints, tmp_path, context, step
):
    former = LogWriter(tmp_path, "steps", {})
    logged = [former.append_transition(step(i), 0, 0) for i in range(20)]
    former.close()
    data = bytearray(former.path.read_bytes())
    for i in (7, 8):
        data[data.index(logged[i]) + 100] ^= 1
    former.path.write_bytes(data)
    robot = Robot(endpoints, tmp_path, context)
    learner = Learner(endpoints, context)
    learner.serve(lambda: robot.uplink.caught_up)
    assert learner.taken == [*range(7), *range(9, 20)]
    assert robot.uplink.lost == 2
    assert [m for m in learner.heard if isinstance(m, Hole)] == [Hole(*STREAM, 7, 9)]
    robot.uplink.close()


def test_a_lost_tail_of_a_former_log_is_passed_over(endpoints, tmp_path, context, step):
    former = LogWriter(tmp_path, "steps", {})
    for i in range(10):
        former.append_transition(step(i), 0, 0)
    ends = [r.end for r in LogFile(former.path).records()]
    former.path.write_bytes(former.path.read_bytes()[: ends[5] + 3])
    robot = Robot(endpoints, tmp_path, context)
    robot.live(step(i) for i in range(10, 12))
    learner = Learner(endpoints, context)
    learner.serve(lambda: robot.uplink.caught_up)
    assert learner.taken == [*range(6), 10, 11]
    robot.uplink.close()


def test_the_window_serves_where_the_rest_of_the_log_is_not_readable(
    robot, endpoints, context, step, monkeypatch
):
    monkeypatch.setattr(module, "WINDOW_STEPS", 16)
    robot.live(step(i) for i in range(40))
    ends = [record.end for record in LogFile(robot.writer.path).records()]
    with open(robot.writer.path, "r+b") as file:
        file.seek(ends[4] + 1)
        file.write(b"\xff" * 8)  # the length of the record of step 5
    learner = Learner(endpoints, context)
    learner.serve(lambda: robot.uplink.acknowledged == 40)
    assert learner.taken == [*range(5), *range(24, 40)]
    assert robot.uplink.lost == 19


def test_unreadable_answers_and_those_to_others_are_passed_over(robot, endpoints, context, step):
    learner = Learner(endpoints, context)
    robot.live([step(0)])
    learner.serve(lambda: bool(learner.heard), lose=lambda m: True)
    (peer,) = learner.peers
    for junk in (b"", b"junk", encode(Hello(*STREAM)), encode(Ack("b2", "run", 99, True))):
        assert learner.port.send_to(peer, junk)
    learner.serve(lambda: robot.uplink.caught_up)
    assert learner.taken == [0]
    assert robot.uplink.acknowledged == 1


def test_sending_never_waits_for_anybody(robot, step):
    steps = [step(i) for i in range(2000)]
    began = time.perf_counter()
    data = [encode(s) for s in steps]
    alone_s = time.perf_counter() - began
    began = time.perf_counter()
    for i, packed in enumerate(data):
        robot.uplink.send(i, packed)
    assert time.perf_counter() - began < alone_s + 0.2


def test_closing_without_a_learner_says_that_something_is_left(robot, step):
    robot.live(step(i) for i in range(10))
    assert not robot.uplink.close(flush_s=0.05)
    assert not robot.uplink._thread.is_alive()


def test_a_run_whose_log_was_emptied_is_said(robot, endpoints, context, step):
    learner = Learner(endpoints, context, expected=500)
    robot.live(step(i) for i in range(3))
    learner.serve(lambda: bool(robot.uplink.fault))
    assert "the learner holds 500 steps of run run, the log only 3" in robot.uplink.fault


def test_only_what_the_log_has_is_forwarded(robot, step):
    robot.log.append(step(0))
    with pytest.raises(ValueError, match="transition 1 is not the one logged last, 0"):
        robot.forwarder.send(step(1))
