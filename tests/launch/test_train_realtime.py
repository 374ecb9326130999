"""Whole runs in real time with every process real: killed, stopped, resumed, left alone."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree

import psutil
import pytest
import zmq

from launch import cli
from launch.learn import LOG_NAME as INGEST
from robot.policy.journal import LOG_NAME as ROBOT
from robot.wire.codec import decode
from robot.wire.link import Sample
from robot.wire.log import LogReader
from robot.wire.sockets import RobotLock, open_receiver
from robot.wire.streams import Endpoints

A1 = str(Path(__file__).parents[2] / "hardware_configs/a1.yaml")
SMALL = (
    *("learner.prefill=40", "learner.pretrain=2", "learner.batch=2", "learner.length=8"),
    *("learner.units=16", "learner.deter=16", "learner.layers=1", "learner.starts=4"),
    *("learner.stoch=2", "learner.classes=4", "learner.bins=15", "learner.publish_s=0.3"),
    *("learner.checkpoint_s=1", "task.episode_steps=30", "twin.start=standing"),
)
SETS = [word for change in SMALL for word in ("--set", change)]
KEYS = {
    *("robot_minutes", "transitions", "updates", "weights", "episodes", "mean_reward_last10"),
    *("policy_loop", "inner_loop", "latency_ms", "peak_rss_mb", "versions", "seed", "config"),
}
PATIENCE_S = 240.0  # for a computer that has other things to do; far less is needed


class Stage:
    """A run in real time, its processes and its files."""

    def __init__(self, path: Path) -> None:
        self.run = path / "run"
        self.endpoints = Endpoints("a1", directory=path)
        self.words = ["train", A1, "--twin", "mujoco", "--run", str(self.run), *SETS]
        self._trains: list[subprocess.Popen[bytes]] = []

    def train(self, minutes: float) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "launch.cli", *self.words, "--minutes", str(minutes)]
        self._trains.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        return self._trains[-1]

    def ledger(self, process: str) -> dict:
        path = self.run / f"{process}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def summary(self) -> dict:
        return json.loads((self.run / "summary.json").read_text())

    def logged(self) -> int:
        return self.ledger("act").get("logged", 0)

    def keeps_up(self) -> bool:
        ledger = self.ledger("act")
        return ledger.get("uplink", {}).get("acknowledged", -1) >= ledger.get("logged", 0) - 10 > 0

    def learns(self) -> bool:
        applied = self.ledger("act").get("weights", {}).get("applied", 0)
        return applied > 0 and self.ledger("learn").get("updates", 0) > 0

    def kill(self, process: str) -> Callable[[], bool]:
        """Kill a process; returns whether another one has taken its place and works."""
        old = self.ledger(process)["pid"]
        os.kill(old, signal.SIGKILL)
        return lambda: self.ledger(process).get("pid", old) != old

    def processes(self) -> list[psutil.Process]:
        found = psutil.process_iter(["cmdline"])
        return [p for p in found if str(self.run) in (p.info["cmdline"] or [])]

    def indices(self, folder: str, name: str) -> list[int]:
        return [step.index for step in LogReader(self.run / folder, name).transitions()]

    def close(self) -> None:
        for running in self._trains:
            if running.poll() is None:
                running.kill()
                running.wait()
        _, left = psutil.wait_procs(self.processes(), 20)
        for process in left:
            process.kill()


def wait_for(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, "did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the sockets of this test; pytest's own are too long for them."""
    path = Path(tempfile.mkdtemp(prefix="rv"))
    monkeypatch.setenv("REVERIE_SOCKETS", str(path))
    yield path
    rmtree(path)


@pytest.fixture
def stage(sockets: Path) -> Iterator[Stage]:
    made = Stage(sockets)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_processes_come_back_and_every_logged_step_is_ingested_once(stage: Stage) -> None:
    chance = random.Random(0)
    train = stage.train(minutes=30)
    wait_for(stage.learns)
    for victims in (["learn"], ["act"], ["learn", "act"]):
        time.sleep(chance.uniform(0.0, 1.0))  # kills come when they come
        before = stage.logged()
        replaced = [stage.kill(victim) for victim in victims]
        wait_for(lambda gone=replaced: all(again() for again in gone))
        wait_for(lambda steps=before: stage.logged() > steps + 20)
    wait_for(stage.learns)
    steps = all_is_ingested_once(stage, train)
    said = stage.summary()
    assert said["weights"]["applied"] >= 2 and said["weights"]["rejected"] == 0

    again = stage.train(minutes=said["robot_minutes"] + 3 / 60)
    assert again.wait(PATIENCE_S) == 0  # it ends by itself
    assert stage.processes() == []
    logged, ingested = stage.indices("log", ROBOT), stage.indices("ingest", INGEST)
    assert logged == list(range(len(logged))) and len(logged) >= steps + 60
    assert ingested == logged[: len(ingested)] and len(ingested) >= steps
    now = stage.summary()
    assert now["updates"] > said["updates"]
    assert now["transitions"]["logged"] == len(logged)
    assert len(now["episodes"]) > len(said["episodes"])


def all_is_ingested_once(stage: Stage, train: subprocess.Popen[bytes]) -> int:
    """Press Ctrl-C once the learner keeps up; how many steps the run has in all.

    One that lags far behind when the run ends would be sent the rest by the next run.
    """
    wait_for(stage.keeps_up)
    train.send_signal(signal.SIGINT)
    assert train.wait(PATIENCE_S) == 0
    assert stage.processes() == []
    said, logged = stage.summary()["transitions"], stage.indices("log", ROBOT)
    assert logged == list(range(len(logged)))
    assert stage.indices("ingest", INGEST) == logged
    assert said["logged"] == said["ingested"] == len(logged)
    assert said["invalid"] == 0
    return len(logged)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_stop_and_resume_and_ctrl_c_and_a_killed_supervisor(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    train = stage.train(minutes=30)
    wait_for(stage.learns)
    refuses_a_second_run(stage, capsys)

    assert cli.main(["stop", A1]) == 0
    assert "a1: stopped" in capsys.readouterr().out
    wait_for(lambda: stage.ledger("body")["state"] == "stopped")
    wait_for((stage.run / "summary.json").exists)
    assert "stopped by" in stage.ledger("body")["reason"]
    wait_for(lambda: stage.ledger("act")["state"] == "stopped")
    stood = stage.logged()
    assert train.poll() is None

    assert cli.main(["resume", A1]) == 0
    wait_for(lambda: stage.logged() > stood + 20)
    stops_motors_first(stage, train)
    assert train.wait(PATIENCE_S) == 0
    said = stage.summary()
    tells_all(said)
    assert stage.processes() == []

    again = stage.train(minutes=30)
    wait_for(lambda: stage.logged() > said["transitions"]["logged"] + 20)
    again.kill()  # it could say nothing to anybody
    wait_for(lambda: stage.processes() == [])
    assert stage.ledger("body")["left"] == "SIGTERM"


def refuses_a_second_run(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = stage.run.with_name("other")
    plan = (stage.run / "plan.json").read_bytes()
    for run in (stage.run, elsewhere):
        words = ["train", A1, "--twin", "mujoco", "--run", str(run), *SETS]
        assert cli.main(words) == 2
        said = capsys.readouterr().err
        assert said.startswith("reverie train: robot 'a1' already has a train process")
        assert said.count("\n") == 1
    assert not elsewhere.exists()
    assert (stage.run / "plan.json").read_bytes() == plan


def stops_motors_first(stage: Stage, train: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C; when the body is heard to be stopped, the learner still lives."""
    learner = psutil.Process(stage.ledger("learn")["pid"])
    sensors = open_receiver(stage.endpoints, "sensors", zmq.Context())
    try:
        assert sensors.wait(10)
        wait_for(stage.keeps_up)
        train.send_signal(signal.SIGINT)
        wait_for(lambda: "stopped" in [state(data) for data in sensors.take()])
        assert learner.is_running() and learner.status() != psutil.STATUS_ZOMBIE
    finally:
        sensors.close()


def state(data: bytes) -> str:
    return decode(data, Sample).status.state


def tells_all(said: dict) -> None:
    """Check that the summary has every key and measured numbers."""
    assert said.keys() >= KEYS
    assert said["transitions"]["logged"] == said["transitions"]["ingested"] > 60
    assert said["robot_minutes"] == pytest.approx(said["transitions"]["logged"] / 1200, abs=1e-3)
    assert said["weights"]["published"] >= said["weights"]["applied"] > 0
    assert said["updates"] > 0 and said["seed"] == 0
    for episode in said["episodes"]:
        assert {"robot_minutes", "steps", "return", "mean_reward"} <= episode.keys()
        assert 4.0 <= episode["mean_reward"] <= 14.0
    for loop, hz in (("policy_loop", 20), ("inner_loop", 1000)):
        assert said[loop]["hz"] == hz and said[loop]["ticks"] > 3 * hz
        marks = [said[loop]["jitter_us"][mark] for mark in ("p50", "p99", "p999", "max")]
        assert marks == sorted(marks) and marks[-1] > 0
    for kind in ("sensor_to_command", "weights"):
        assert 0 < said["latency_ms"][kind]["p50"] <= said["latency_ms"][kind]["p99"]
    for process in ("body", "act", "learn", "camera-front", "train"):
        assert 10 < said["peak_rss_mb"][process] < 4000
    assert said["config"]["robot"]["robot"] == "a1"


def refused(
    capsys: pytest.CaptureFixture[str], sockets: Path, words: list[str], *named: str
) -> None:
    """Check that a run is refused in one line, and that nothing was begun."""
    run = sockets / "run"
    assert cli.main([*words, "--run", str(run)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("reverie train: ") and said.count("\n") == 1
    for name in named:
        assert name in said
    assert not run.exists()


def test_a_port_in_use_is_refused_before_anything_starts(
    sockets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = zmq.Context.instance().socket(zmq.PUB)
    port = taken.bind_to_random_port("tcp://127.0.0.1")
    change = f"endpoints.transitions=tcp://127.0.0.1:{port}"
    words = ["train", A1, "--twin", "mujoco", "--set", change]
    try:
        refused(capsys, sockets, words, f"tcp://127.0.0.1:{port} is in use")
    finally:
        taken.close(0)


def test_an_endpoint_beyond_this_computer_needs_keys(
    sockets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", A1, "--twin", "mujoco", "--set", "endpoints.weights=tcp://0.0.0.0:5555"]
    refused(capsys, sockets, words, "weights at tcp://0.0.0.0:5555", "keys")


@pytest.mark.parametrize("role", ["body", "robot", "learner", "train"])
def test_a_robot_that_has_such_a_process_already_is_refused(
    sockets: Path, capsys: pytest.CaptureFixture[str], role: str
) -> None:
    with RobotLock(Endpoints("a1"), role):
        words = ["train", A1, "--twin", "mujoco"]
        refused(capsys, sockets, words, f"robot 'a1' already has a {role} process")


@pytest.mark.parametrize("answer", ["", "yes\n", "a2\n"])
def test_hardware_does_not_move_before_a_person_typed_its_name(
    sockets: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    refused(capsys, sockets, ["train", A1], "'a1' was not confirmed; nothing moved")
