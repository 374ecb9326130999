"""What a robot process leaves in its log: exact, enough to replay it, and readable by others."""

import json
import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mcap.reader import make_reader

from robot.clock import SteppedClock
from robot.config import load_config
from robot.policy.aside import at_once
from robot.policy.plots import Plots
from robot.policy.random import RandomPolicy
from robot.policy.recording import RecordingLink, RecordingPilot
from robot.policy.robot import Robot
from robot.policy.rollout import FixedPilot, Start, rollout
from robot.policy.tick_log import TickLog, compressed
from robot.tasks import make_task
from robot.wire.codec import decode, encode
from robot.wire.link import BodyLink, Sample
from robot.wire.log import LogReader, LogWriter
from robot.wire.messages import Command, OperatorAck, OperatorWord, Reading, Status
from robot.wire.transition import Transition

CHANGES = ("cameras.front.observed=true", "cameras.front.height=8", "cameras.front.width=8")
CONFIG = load_config("hardware_configs/a1.yaml", CHANGES)
PERIOD_NS, SAMPLE_NS = 50_000_000, 5_000_000
STEPS = 8
TICKS = STEPS + 1  # the first tick finds out whether the body is there


class NoisyLink:
    """A body that senses noise, shows a new picture every second tick, and answers every word."""

    def __init__(self) -> None:
        self.clock = SteppedClock(1_000_000_000)
        self.heard: list[Sample] = []
        self.sent: list[Command] = []
        self.ticks = 0
        self._rng = np.random.default_rng(0)
        self._answers: list[OperatorAck] = []
        self._picture = np.zeros((8, 8, 3), np.uint8)

    def open(self) -> None: ...

    def next_tick(self) -> list[Sample]:
        start = self.clock.now_ns() // PERIOD_NS * PERIOD_NS
        self.clock.sleep_until(start + PERIOD_NS)
        self.ticks += 1
        stamps = range(start + SAMPLE_NS, start + PERIOD_NS + 1, SAMPLE_NS)
        samples = [self._sample(stamp) for stamp in stamps]
        samples = [] if self.ticks == 5 else samples[: 10 - self.ticks % 3]
        self.heard += samples
        return samples

    def _sample(self, stamp_ns: int) -> Sample:
        turn = np.array((1.0, *self._rng.normal(0, 0.1, 3)))
        vectors = [self._rng.normal(0, 1, n) for n in (3, 3, 12, 12, 12, 4, 12)]
        reading = Reading(stamp_ns, turn / np.linalg.norm(turn), *vectors, voltage=24.0)
        state = ("active", "") if self.ticks < 4 else ("hold", "no command for 200 ms")
        return Sample(reading, Status(*state, self._rng.normal(0, 1, 12), 3, {"empty": 1}))

    def frames(self) -> dict[str, tuple[int, np.ndarray]]:
        if self.ticks % 2:
            self._picture = self._rng.integers(0, 256, (8, 8, 3), np.uint8)
        return {"front": ((self.ticks - 1) // 2 * 2 + 1, self._picture)} if self.ticks > 2 else {}

    def send(self, command: Command) -> None:
        self.sent.append(command)

    def say(self, word: OperatorWord) -> None:
        self._answers.append(OperatorAck(word.word, word.stamp_ns, "stopped"))

    def take_answers(self) -> list[OperatorAck]:
        answers, self._answers = self._answers, []
        return answers

    def now_ns(self) -> int:
        self.clock.advance(1 + int(self._rng.integers(1000)))
        return self.clock.now_ns()

    def close(self) -> None: ...


class Played:
    """A minimal player: gives what a log says was heard, and nothing else."""

    def __init__(self, folder: Path) -> None:
        reader = LogReader(folder, "robot")
        self.samples = [decode(r.data, Sample) for r in reader.records("/sensors")]
        self.ticks = list(reader.notes("/ticks"))
        self.pictures = {stamp: picture for stamp, picture in pictures(folder)}
        self.sent: list[Command] = []
        self._at, self._shown, self._clock, self._ages = -1, {}, [], []

    def open(self) -> None: ...

    def next_tick(self) -> list[Sample]:
        self._at += 1
        tick = self.ticks[self._at]
        self._clock, self._ages = list(tick["clock_ns"]), list(tick["age_ns"])
        self._shown |= {n: (at, self.pictures[at]) for n, at in tick["frames"].items()}
        return self.samples[slice(*tick["samples"])]

    def frames(self) -> dict[str, tuple[int, np.ndarray]]:
        return dict(self._shown)

    def send(self, command: Command) -> None:
        self.sent.append(command)

    def say(self, word: OperatorWord) -> None: ...

    def now_ns(self) -> int:
        return self._clock.pop(0)

    def age_ns(self) -> int:
        return self._ages.pop(0)

    def close(self) -> None: ...


class Ageing(FixedPilot):
    """A pilot whose weights grow older."""

    age = 0

    def age_ns(self) -> int:
        self.age += 7
        return self.age


class Replayed(FixedPilot):
    """A pilot that tells the ages of a log."""

    def __init__(self, policy: RandomPolicy, played: Played) -> None:
        super().__init__(policy)
        self.age_ns = played.age_ns


def pictures(folder: Path) -> list[tuple[int, np.ndarray]]:
    """Capture stamp and RGB of each logged picture, by the decoder of others."""
    decoder = pytest.importorskip("mcap_ros2.decoder")
    found = []
    with open(folder / "robot-0000.mcap", "rb") as file:
        reader = make_reader(file, decoder_factories=[decoder.DecoderFactory()])
        for _, _, _, m in reader.iter_decoded_messages(topics=["/frames/front"]):
            data = np.frombuffer(m.data, np.uint8)
            stamp = m.header.stamp.sec * 10**9 + m.header.stamp.nanosec
            found.append((stamp, cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)))
    return found


def live(link: BodyLink, pilot: FixedPilot, log: LogWriter | None = None) -> list[Transition]:
    """Some steps of a robot; in a log, with their figures."""
    robot, steps = Robot(CONFIG, link, make_task(CONFIG)), []
    plots = Plots(log) if log else None
    for step in rollout(robot, pilot, Start("a1", "run"), lambda: False):
        steps.append(step)
        if log and plots and robot.verdict:
            log.append_transition(step, 0, step.stamps_ns["tick"])
            plots.write(step, robot.verdict.terms, step.stamps_ns["tick"])
        if len(steps) == STEPS:
            return steps
    raise AssertionError("ended early")


class Recorded:
    """A run of some ticks, its log, and what its body knows of it."""

    def __init__(self, folder: Path, config=CONFIG) -> None:
        self.folder, self.body = folder, NoisyLink()
        self.log = LogWriter(folder, "robot", {})
        keeper = TickLog(self.log, config, at_once)
        link = RecordingLink(self.body, keeper, answers=self.body.take_answers)
        link.open()
        pilot = RecordingPilot(Ageing(policy()), link)
        self.steps = live(link, pilot, self.log)  # pyright: ignore[reportArgumentType]
        link.say(OperatorWord("stop", "test", 5))
        link.close()
        link.close()
        self.log.close()
        self.reader = LogReader(folder, "robot")


def policy() -> RandomPolicy:
    return RandomPolicy(Robot(CONFIG, NoisyLink(), make_task(CONFIG)).spec, 3)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("recorded"))


def test_every_sample_and_command_is_there_bit_for_bit(run):
    samples = list(run.reader.records("/sensors"))
    assert [record.sequence for record in samples] == list(range(len(run.body.heard)))
    back = [encode(decode(record.data, Sample)) for record in samples]
    assert back == [encode(sample) for sample in run.body.heard]
    sent = [decode(record.data, Command) for record in run.reader.records("/commands")]
    assert [encode(c) for c in sent] == [encode(c) for c in run.body.sent]
    assert run.reader.faults == []


def test_the_log_is_enough_to_replay_the_process_bit_for_bit(run):
    played = Played(run.folder)
    again = live(played, Replayed(policy(), played))
    assert [encode(step) for step in again] == [encode(step) for step in run.steps]
    assert [encode(c) for c in played.sent] == [encode(c) for c in run.body.sent]
    assert any(step.arrays["image_front"].any() for step in again)


def test_ticks_say_what_came_with_them(run):
    ticks = list(run.reader.notes("/ticks"))
    assert [tick["tick"] for tick in ticks] == list(range(TICKS))
    ends = [tick["samples"] for tick in ticks]
    assert [b[0] for b in ends[1:]] == [a[1] for a in ends[:-1]] and ends[4][0] == ends[4][1]
    assert [len(tick["frames"]) for tick in ticks] == [0, 0, 1, 0, 1, 0, 1, 0, 1]
    assert [tick["commands"] for tick in ticks] == [0] + [1] * STEPS
    assert [tick["words"] for tick in ticks] == [0] * (TICKS - 1) + [1]
    assert sum(len(tick["age_ns"]) for tick in ticks) == STEPS
    assert [t["clock_ns"][0] for t in ticks[1:]] == [s.stamps_ns["tick"] for s in run.steps]


def test_words_answers_and_changes_of_state_are_noted(run):
    said = list(run.reader.notes("/operator"))
    assert said[0] == {"kind": "word", "word": "stop", "who": "test", "stamp_ns": 5}
    assert said[1]["kind"] == "ack" and said[1]["state"] == "stopped"
    events = list(run.reader.notes("/events"))
    assert [(e["event"], e["before"], e["state"], e["reason"]) for e in events] == [
        ("state", "", "active", ""),
        ("state", "active", "hold", "no command for 200 ms"),
    ]
    held = [s.status.state for s in run.body.heard].index("hold")
    assert events[1]["sample"] == held


def test_others_read_all_that_is_meant_for_them(run):
    decoder = pytest.importorskip("mcap_ros2.decoder")
    found: dict[str, list] = {}
    with open(run.log.path, "rb") as file:
        reader = make_reader(file, decoder_factories=[decoder.DecoderFactory()])
        topics = Counter(c.topic for _, c, _ in reader.iter_messages())
        wanted = ["/joint_states", "/imu", "/step"]
        for _, channel, _, message in reader.iter_decoded_messages(topics=wanted):
            found.setdefault(channel.topic, []).append(message)
        for schema, channel, message in reader.iter_messages():
            if channel.message_encoding == "json":
                assert schema is not None and json.loads(message.data)
    assert (topics["/ticks"], topics["/step"]) == (TICKS, STEPS)
    assert topics["/imu"] == topics["/joint_states"] == TICKS - 1  # one tick heard nothing
    newest = decode(list(run.reader.records("/sensors"))[-1].data, Sample).reading
    assert found["/joint_states"][0].name == list(CONFIG.joints)
    np.testing.assert_array_equal(found["/joint_states"][-1].position, newest.joint_pos)
    assert found["/imu"][-1].angular_velocity.z == newest.gyro[2]
    rewards = [float(step.arrays["reward"]) for step in run.steps]
    assert [message.reward for message in found["/step"]] == rewards
    assert found["/step"][0].weights_age_s == run.steps[0].ledger_ns["weights_age"] / 1e9


def test_without_raw_records_what_is_learnt_from_and_events_stay(tmp_path):
    quiet = load_config("hardware_configs/a1.yaml", (*CHANGES, "log.raw=false"))
    run = Recorded(tmp_path, quiet)
    topics = Counter(record.topic for record in run.reader.records())
    assert topics == {"/transitions": STEPS, "/step": STEPS, "/events": 2}


def test_a_disk_with_little_room_loses_what_is_raw_first_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("robot.policy.tick_log.LOOK_EVERY", 2)
    room = iter((10**9, 100, 100, 10**9, 10**9))

    def look(path: Path) -> SimpleNamespace:
        return SimpleNamespace(f_frsize=1, f_bavail=next(room))

    monkeypatch.setattr(os, "statvfs", look)
    run = Recorded(tmp_path)
    assert [tick["tick"] for tick in run.reader.notes("/ticks")] == [0, 1, 6, 7, 8]
    assert [s.index for s in run.reader.transitions()] == list(range(STEPS))
    told = [e for e in run.reader.notes("/events") if e["event"] == "recording"]
    assert [(e["raw"], e["dropped_ticks"]) for e in told] == [(False, 0), (True, 4)]
    assert "log.reserve_mb is 256" in told[0]["reason"]


def test_a_tick_that_cannot_be_written_disturbs_nobody(tmp_path, monkeypatch):
    write = os.write

    def refuse_batches(handle: int, data) -> int:
        if len(data) > 7000:
            raise OSError(28, "No space left on device")
        return write(handle, data)

    monkeypatch.setattr(os, "write", refuse_batches)
    run = Recorded(tmp_path)
    assert list(run.reader.notes("/ticks")) == []
    assert [s.index for s in run.reader.transitions()] == list(range(STEPS))
    (told,) = [e for e in run.reader.notes("/events") if e["event"] == "recording"]
    assert not told["raw"] and "No space left" in told["reason"]


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_is_exact_with_distance_too(channels):
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, channels), np.uint8)
    data = np.frombuffer(compressed(picture, "png"), np.uint8)
    back = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert back is not None
    turned = cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGRA2RGBA
    np.testing.assert_array_equal(cv2.cvtColor(back, turned), picture)


def test_a_jpeg_is_small_and_looks_alike():
    across = np.linspace(0, 255, 64)
    picture = np.stack(np.broadcast_arrays(across, across[:, None], 100.0), -1).astype(np.uint8)
    data = compressed(picture, "jpeg")
    back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert back is not None and len(data) < picture.nbytes / 4
    assert np.abs(back.astype(int) - picture).mean() < 4
