"""The robot process as a process: body on a twin, signals, restarts, and its ledger."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import pytest

from launch.run_folder import RunFolder
from launch.stop import say
from launch.train import make_plan
from robot.policy.journal import EPISODES, LOG_NAME
from robot.wire.codec import decode
from robot.wire.log import LogReader
from robot.wire.messages import Command
from robot.wire.streams import Endpoints

CONFIG = Path("hardware_configs/a1.yaml")
CHANGES = ("task.episode_steps=15", "scheduling.realtime_priority=0", "twin.start=standing")
BODY = "from launch.body import Robot, run_body; from pathlib import Path; import sys; "
BODY += "sys.exit(run_body(Robot(Path({config!r}), {twin!r}, Path({run!r}), {changes!r})))"
ACT = "from launch.act import run_act; from pathlib import Path; import sys; "
ACT += "sys.exit(run_act(Path({config!r}), Path({run!r}), changes={changes!r}))"


class Home:
    """Sockets and run folder of one test."""

    def __init__(self, path: Path) -> None:
        self.path, self.run = path, path / "run"
        plan = make_plan(CONFIG, "mujoco", "realtime", "reverie", "cpu", 0, CHANGES)
        self.folder = RunFolder(self.run)
        self.folder.claim(plan)
        self.endpoints = Endpoints("a1", directory=path)

    @contextmanager
    def process(self, code: str, twin: str = "fake") -> Iterator[subprocess.Popen]:
        told = dict(config=str(CONFIG), run=str(self.run), twin=twin, changes=CHANGES)
        environment = {**os.environ, "REVERIE_SOCKETS": str(self.path), "OMP_NUM_THREADS": "1"}
        running = subprocess.Popen([sys.executable, "-c", code.format(**told)], env=environment)
        try:
            yield running
        finally:
            running.terminate()
            running.wait(30)

    def ledger(self, process: str) -> dict:
        path = self.folder.ledger(process)
        return json.loads(path.read_text()) if path.exists() else {}

    def indices(self) -> list[int]:
        return [s.index for s in LogReader(self.folder.log, LOG_NAME).transitions()]


@pytest.fixture
def home() -> Iterator[Home]:
    path = Path(tempfile.mkdtemp(prefix="rv"))
    yield Home(path)
    rmtree(path)


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "did not happen in time"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("twin", ["fake", "mujoco"])
def test_a_robot_acts_is_recorded_and_stops_its_motors_on_sigterm(home, twin):
    with home.process(BODY, twin):
        wait_for(lambda: home.ledger("body").get("state") == "ready")
        with home.process(ACT) as act:
            wait_for(lambda: home.ledger("act").get("logged", 0) >= 40)
            act.send_signal(signal.SIGTERM)
            assert act.wait(20) == 0
        wait_for(lambda: home.ledger("body").get("state") == "stopped")
        assert "robot process" in home.ledger("body")["reason"]
    ledger = home.ledger("act")
    steps = list(LogReader(home.folder.log, LOG_NAME).transitions())
    assert [s.index for s in steps] == list(range(ledger["logged"]))
    assert sum(s.valid for s in steps) > 0.9 * len(steps)
    assert ledger["policy_loop"]["ticks"] >= len(steps)
    assert 0 < ledger["latency_ms"]["sensor_to_command"]["p50"] < 50
    check_the_rest(home.folder.log, steps)
    notes = list(LogReader(home.folder.log, LOG_NAME).notes(EPISODES))
    assert notes == ledger["episodes"] and notes[0]["steps"] == 16


def check_the_rest(folder: Path, steps: list) -> None:
    """What was heard, sent and said is in the log too."""
    reader = LogReader(folder, LOG_NAME)
    sent = {decode(r.data, Command).sequence for r in reader.records("/commands")}
    assert sent >= set(range(sum("command" in step.ledger_ns for step in steps)))
    numbers = [record.sequence for record in reader.records("/sensors")]
    ticks = list(reader.notes("/ticks"))
    assert numbers == list(range(ticks[-1]["samples"][1])) and numbers
    said = list(reader.notes("/operator"))
    assert [(line["kind"], line["word"]) for line in said] == [("word", "stop"), ("ack", "stop")]
    events = [event["event"] for event in reader.notes("/events")]
    assert events[0] == events[-1] == "process" and "state" in events and "stream" in events
    assert reader.faults == []


@pytest.mark.slow
def test_a_killed_robot_process_goes_on_where_its_log_ends(home):
    with home.process(BODY):
        wait_for(lambda: home.ledger("body").get("state") == "ready")
        for least in (25, 50):
            with home.process(ACT) as act:
                wait_for(lambda at=least: len(home.indices()) >= at)
                act.kill()
                act.wait()
            wait_for(lambda: home.ledger("body").get("state") == "damping")
            assert say("resume", home.endpoints).state == "rising"
    steps = list(LogReader(home.folder.log, LOG_NAME).transitions())
    assert [s.index for s in steps] == list(range(len(steps)))
    firsts = [s for s in steps if s.arrays["is_first"]]
    assert [s.episode for s in firsts] == list(range(len(firsts)))
    assert all(s.step == 0 for s in firsts)


@pytest.mark.slow
def test_a_second_robot_process_is_refused(home):
    with home.process(BODY):
        wait_for(lambda: home.ledger("body").get("state") == "ready")
        with home.process(ACT):
            wait_for(lambda: home.ledger("act").get("logged", 0) > 0)
            with home.process(ACT) as second:
                assert second.wait(60) != 0
        assert home.indices() == list(range(len(home.indices())))


@pytest.mark.slow
def test_without_a_body_nothing_is_sent_and_the_reason_is_said(home):
    with home.process(ACT) as act:
        assert act.wait(60) == 1
    assert home.indices() == []
