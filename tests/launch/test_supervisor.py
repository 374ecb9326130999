"""The supervisor's decisions, with processes that only say that they live."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path

import pytest
from rich.console import Console

from launch import realtime
from launch.ledgers import Ledgers, gather
from launch.realtime import RESTARTS, Supervisor
from launch.run_folder import Plan, RunFolder
from launch.train import make_plan
from robot.config import ConfigError

A1 = Path(__file__).parents[2] / "hardware_configs/a1.yaml"
LOOP = {"hz": 20, "jitter_us": {"p50": 1.0, "p99": 2.0, "p999": 3.0, "max": 9.0}}


@cache
def plan(observed: bool) -> Plan:
    """A plan whose camera the agent sees, or does not."""
    changes = [f"cameras.front.observed={str(observed).lower()}"]
    return make_plan(A1, "mujoco", "realtime", "reverie", "cpu", 0, changes)


class Pretender:
    """A process that does what the test says."""

    def __init__(self, name: str, heard: list[str]) -> None:
        self.name, self.heard = name, heard
        self.output = Path(name)
        self.alive, self.code, self.starts = False, None, 0
        self.words = "gone"

    def start(self) -> None:
        self.alive, self.code = True, None
        self.starts += 1

    def die(self, code: int = -9) -> None:
        self.alive, self.code = False, code

    def stop(self) -> None:
        self.heard.append(f"end {self.name}")
        self.alive = False

    def starts_within(self, seconds: float) -> int:
        return self.starts

    def last_words(self) -> str:
        return self.words


class Stage:
    """A supervisor over pretenders, and what it says to the body."""

    def __init__(self, folder: RunFolder, monkeypatch: pytest.MonkeyPatch, observed: bool) -> None:
        self.plan = plan(observed)
        self.heard: list[str] = []
        self.folder, self.screen = folder, io.StringIO()
        self.boss = Supervisor(self.plan, folder, Console(file=self.screen, width=200))
        self.processes = {name: Pretender(name, self.heard) for name in self.boss.children}
        self.boss.children = self.processes  # pyright: ignore[reportAttributeAccessIssue]
        monkeypatch.setattr(realtime, "say", lambda word, _: self.heard.append(word))
        monkeypatch.setattr(realtime, "LOOK_S", 0.0)

    def write(self, process: str, **figures: object) -> None:
        self.folder.ledger(process).write_text(json.dumps({"pid": 1, **figures}))

    def look(self, times: int = 1) -> None:
        """Let the supervisor look so often."""
        rounds = iter([False] * times + [True] * 2)
        self.boss.watch(10.0, lambda: next(rounds), lambda view: None)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage(RunFolder(tmp_path), monkeypatch, observed=False)
    for process in made.processes.values():
        process.start()
    made.write("body", state="active")
    return made


def test_stop_reaches_the_motors_before_any_process_is_ended(stage: Stage) -> None:
    stage.boss.stop()
    assert stage.heard == ["stop", "end act", "end learn", "end camera-front", "end body"]


def test_what_dies_is_started_again_and_its_ledger_put_away(stage: Stage) -> None:
    stage.write("learn", updates=7)
    stage.processes["learn"].die()
    stage.look()
    assert stage.processes["learn"].starts == 2
    assert Ledgers(stage.folder).latest("learn") == {}
    assert [ledger["updates"] for ledger in Ledgers(stage.folder).lives("learn")] == [7]
    assert "learn ended (gone); starting it again" in stage.screen.getvalue()


@pytest.mark.parametrize("name", ["learn", "act"])
def test_what_dies_again_and_again_ends_the_run(stage: Stage, name: str) -> None:
    for _ in range(RESTARTS):
        stage.processes[name].die()
        stage.look()
    stage.processes[name].die()
    with pytest.raises(ChildProcessError, match="gone"):
        stage.look()


def test_a_camera_that_nobody_observes_is_given_up_and_the_run_goes_on(stage: Stage) -> None:
    for _ in range(RESTARTS + 3):
        stage.processes["camera-front"].die()
        stage.look()
    assert stage.processes["camera-front"].starts == RESTARTS + 1
    assert stage.screen.getvalue().count("going on without it") == 1


def test_a_camera_that_the_agent_observes_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(RunFolder(tmp_path), monkeypatch, observed=True)
    for process in stage.processes.values():
        process.start()
    stage.processes["camera-front"].starts = RESTARTS + 1
    stage.processes["camera-front"].die()
    with pytest.raises(ChildProcessError):
        stage.look()


def test_a_body_that_dies_ends_the_run_at_once(stage: Stage) -> None:
    stage.processes["body"].die()
    with pytest.raises(ChildProcessError):
        stage.look()
    assert stage.processes["body"].starts == 1


def test_a_process_that_refuses_to_work_is_not_asked_again(stage: Stage) -> None:
    stage.processes["learn"].words = "none of 2 checkpoints can be loaded"
    stage.processes["learn"].die(code=2)
    with pytest.raises(ConfigError, match="none of 2 checkpoints"):
        stage.look()


def test_a_refusing_learner_is_told_before_the_body_is_started(stage: Stage) -> None:
    for process in stage.processes.values():
        process.alive, process.starts = False, 0
    stage.processes["learn"].start = lambda: stage.processes["learn"].die(code=2)
    with pytest.raises(ConfigError):
        stage.boss.start(lambda: False)
    assert stage.processes["body"].starts == 0


def test_a_soft_twin_is_resumed(stage: Stage) -> None:
    stage.write("body", state="damping", reason="commands are stale")
    stage.look()
    assert stage.heard == ["resume"]


def test_a_twin_stopped_by_its_dying_robot_process_is_resumed(stage: Stage) -> None:
    stage.processes["act"].die(code=1)
    stage.write("body", state="stopped", reason="stopped by robot process")
    stage.look()
    assert stage.heard == ["resume"]


def test_a_robot_stopped_by_an_operator_stays_so_and_the_summary_is_written(stage: Stage) -> None:
    stage.write("body", state="stopped", reason="stopped by ana")
    stage.look(3)
    assert stage.heard == []
    assert stage.screen.getvalue().count("stopped by ana; reverie resume goes on") == 1
    assert stage.folder.summary.exists()
    stage.processes["act"].die()
    stage.look()
    assert stage.heard == []  # it was stopped before its robot process died


def test_counts_of_all_lives_are_added_up(stage: Stage) -> None:
    for life, missed in ((1, 2), (2, 3)):
        Ledgers(stage.folder).put_away("act")
        weights = {"applied": 5 * life, "rejected": 1}
        loop = {**LOOP, "ticks": 100, "missed": missed}
        stage.write("act", logged=100 * life, weights=weights, policy_loop=loop)
    done = gather(stage.plan, stage.folder)
    assert done.transitions["logged"] == 200
    assert done.weights == {"published": 0, "applied": 15, "rejected": 2}
    assert done.policy_loop["ticks"] == 200 and done.policy_loop["missed"] == 5
    assert done.inner_loop["ticks"] == 0
