"""Which weights drove a robot: noted, kept beside the log, and refused ones told."""

import hashlib
import os
import threading

import numpy as np
import pytest

from robot.clock import SteppedClock
from robot.config import load_config
from robot.policy.aside import Aside, at_once
from robot.policy.observe import robot_spec
from robot.policy.pilot import LivePilot
from robot.policy.random import RandomPolicy
from robot.policy.recording import RecordingLink
from robot.policy.tick_log import TickLog
from robot.policy.weights_log import PilotNotes, WeightsLog
from robot.tasks import make_task
from robot.wire.log import LogReader, LogWriter
from robot.wire.weights import Weights

CONFIG = load_config("hardware_configs/a1.yaml")
SPEC = robot_spec(CONFIG, make_task(CONFIG))


class Mailbox:
    age_ns = -1

    def __init__(self, *weights: Weights) -> None:
        self._weights = list(weights)

    def take(self) -> Weights | None:
        return self._weights.pop(0) if self._weights else None


class Still:
    """A link on which nothing happens."""

    def now_ns(self) -> int:
        return 5


def made(version: int) -> Weights:
    return Weights({"a": np.full(50, version, np.float32)}, version, "spec", version * 10, 77)


def make_policy(weights: Weights) -> RandomPolicy:
    if weights.version == 3:
        raise ValueError("a does not fit")
    return RandomPolicy(SPEC)


@pytest.fixture
def log(tmp_path) -> LogWriter:
    return LogWriter(tmp_path, "robot", {})


def notes(log: LogWriter, topic: str) -> list[dict]:
    log.close()
    return list(LogReader(log.path.parent, "robot").notes(topic))


def test_weights_are_noted_when_a_pilot_takes_them_and_can_be_found(log):
    kept = WeightsLog(log, None)
    link = RecordingLink(Still(), TickLog(log, CONFIG, at_once))  # pyright: ignore
    come = [made(version) for version in (1, 2, 3)]
    for weights in come:
        kept.accepted(weights, weights.to_bytes())
    told = PilotNotes(kept, link, lambda: 9)
    pilot = LivePilot(RandomPolicy(SPEC), Mailbox(*come), make_policy, SteppedClock(), told)
    for _ in range(4):
        pilot.take()
    (refused,) = notes(log, "/events")
    first, second = notes(log, "/weights")
    assert (first["version"], second["version"]) == (1, 2)
    digest = hashlib.sha256(made(2).to_bytes()).hexdigest()
    facts = {"bytes": 200, "updates": 20, "stamp_ns": 77, "tick": -1}
    assert second == {"version": 2, "sha256": digest, **facts}
    assert (kept.store.get(digest).arrays["a"] == 2).all()
    assert refused["event"] == "weights_refused" and refused["kind"] == "no policy"
    assert refused["reason"] == "version 3: a does not fit"


def test_room_for_weights_is_kept_to(log):
    size = len(made(1).to_bytes())
    kept = WeightsLog(log, 12 * size / 1e6)
    for version in range(1, 31):
        kept.accepted(made(version), made(version).to_bytes())
    assert 9 <= len(kept.store.kept()) <= 12
    none = WeightsLog(log, 0)
    before = len(none.store.kept())
    none.accepted(made(99), made(99).to_bytes())
    assert len(none.store.kept()) == before


def test_a_full_disk_keeps_no_weights_and_disturbs_nobody(log, monkeypatch, caplog):
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    kept = WeightsLog(log, None)
    kept.accepted(made(1), made(1).to_bytes())
    assert "weights are not kept" in caplog.text and kept.store.kept() == []
    kept.taken(made(1), 4, 9)
    assert notes(log, "/weights")[0]["tick"] == 4


def test_work_aside_is_done_in_order_and_finished_at_the_end(caplog):
    done: list[int] = []

    def fail() -> None:
        raise OSError("no room")

    aside = Aside("test", room=100)
    assert aside(fail)
    assert all(aside(lambda at=at: done.append(at)) for at in range(50))
    aside.close()
    aside.close()
    assert done == list(range(50)) and "no room" in caplog.text


def test_work_aside_is_refused_when_there_is_no_room():
    aside = Aside("test", room=2)
    gate = threading.Event()
    taken = [aside(gate.wait) for _ in range(5)]
    gate.set()
    aside.close()
    assert taken[:2] == [True, True] and taken[-2:] == [False, False]
