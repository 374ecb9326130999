"""The real-time link against a body's ends of the streams, over real sockets."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from robot.clock import RealClock
from robot.config import load_config
from robot.policy.link import ZmqLink
from robot.wire.codec import decode, encode
from robot.wire.link import Sample
from robot.wire.messages import Command, Frame, OperatorAck, OperatorWord, Reading, Status
from robot.wire.sockets import open_receiver, open_sender
from robot.wire.streams import Endpoints

CONFIG = load_config(
    "hardware_configs/a1.yaml",
    [
        "control={inner_hz: 1000, control_hz: 100, sensors_hz: 200, clip_to_measured_rad: 0.2,"
        " filter: {order: 2, cutoff_hz: 1.5}}",
        "cameras.front.observed=true",
    ],
)


def sample(stamp_ns: int) -> Sample:
    vector = np.zeros(12)
    reading = Reading(
        stamp_ns,
        np.array((1.0, 0, 0, 0)),
        np.zeros(3),
        np.array((0, 0, 9.81)),
        vector,
        vector,
        vector,
        np.full(4, 30.0),
        vector,
        24.0,
    )
    return Sample(reading, Status("active", "", vector, -1))


class BodyEnd:
    """The other ends: says what it is told to, in a thread, until closed; keeps what it hears."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.sensors = open_sender(endpoints, "sensors")
        self.frames = open_sender(endpoints, "frames-front")
        self.command = open_receiver(endpoints, "command")
        self.operator = open_receiver(endpoints, "operator")
        self.commands: list[Command] = []
        self.words: list[OperatorWord] = []
        self.deaf = 0
        self.noise = b""
        self.told = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while not self._ended.wait(0.005):
            self.told += 1
            self.sensors.send(self.noise or encode(sample(self.told)))
            picture = np.full((64, 64, 3), self.told % 256, np.uint8)
            self.frames.send(encode(Frame("front", self.told, picture)))
            self.commands += [decode(data, Command) for data in self.command.take()]
            for peer, data in self.operator.take_from():
                self._hear(peer, decode(data, OperatorWord))

    def _hear(self, peer: bytes, word: OperatorWord) -> None:
        self.words.append(word)
        if len(self.words) > self.deaf:
            answer = OperatorAck(word.word, word.stamp_ns, "stopped")
            self.operator.send_to(peer, encode(answer))

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        for port in (self.sensors, self.frames, self.command, self.operator):
            port.close()


@pytest.fixture
def body(endpoints) -> Iterator[BodyEnd]:
    end = BodyEnd(endpoints)
    yield end
    end.close()


@pytest.fixture
def link(endpoints, body) -> Iterator[ZmqLink]:
    link = ZmqLink(CONFIG, endpoints, RealClock())
    link.open()
    yield link
    link.close()


def test_samples_come_in_order_and_none_twice(link):
    stamps = [s.reading.stamp_ns for _ in range(30) for s in link.next_tick()]
    assert stamps == sorted(set(stamps))
    assert len(stamps) > 30
    assert link.pace.ticks == 30
    assert link.health()["sensors"].valid


def test_commands_arrive_as_they_were_sent(link, body):
    for number in range(20):
        link.next_tick()
        link.send(Command(number, link.now_ns(), number, np.full(12, number / 10)))
    for _ in range(20):
        link.next_tick()
    heard = [c.sequence for c in body.commands]
    assert heard == sorted(set(heard)) and heard[-1] == 19
    np.testing.assert_array_equal(body.commands[-1].position, np.full(12, 1.9))


def test_pictures_are_the_latest(link, body):
    for _ in range(20):
        link.next_tick()
        frames = link.frames()
    stamp, picture = frames["front"]
    assert body.told - stamp < 10
    assert picture.shape == (64, 64, 3) and picture[0, 0, 0] == stamp % 256


def test_damaged_messages_are_counted_and_passed_over(link, body):
    body.noise = b"not a message"
    seen = [len(link.next_tick()) for _ in range(10)]
    assert seen[-1] == 0
    assert link.damaged > 0
    assert not link.health()["sensors"].valid


def test_a_word_is_said_again_until_the_body_answers(link, body):
    body.deaf = 3
    link.say(OperatorWord("stop", "test", 77))
    for _ in range(40):
        link.next_tick()
    assert [w.stamp_ns for w in body.words] == [77] * 4


def test_closing_waits_until_the_last_word_was_heard(endpoints, body):
    link = ZmqLink(CONFIG, endpoints, RealClock())
    link.open()
    link.say(OperatorWord("stop", "test", link.now_ns()))
    link.close()
    link.close()
    assert [w.word for w in body.words] == ["stop"]


def test_a_missing_body_is_named(endpoints):
    link = ZmqLink(CONFIG, endpoints, RealClock(), patience_s=0.05)
    with pytest.raises(TimeoutError, match="no body answers at ipc://.*sensors"):
        link.open()
    link.close()


def test_a_link_that_is_not_open_says_so(endpoints):
    with pytest.raises(RuntimeError, match="not open"):
        ZmqLink(CONFIG, endpoints, RealClock()).frames()


def test_a_camera_that_is_only_logged_is_heard_too(endpoints):
    changes = ["cameras.front.observed=false", "cameras.front.logged=jpeg"]
    config = load_config("hardware_configs/a1.yaml", changes)
    assert set(ZmqLink(config, endpoints, RealClock()).health()) == {"sensors", "frames-front"}
