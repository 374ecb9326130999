"""`kill` ends long writers as Ctrl-C does: nothing half made stays, what was there stays."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from launch import cli
from launch.signals import ENDING, Ended, ended_as_by_ctrl_c
from launch.whole import write_whole
from robot.wire.log import LogWriter
from robot.wire.transition import Transition

STEPS = 8


def step(index: int) -> Transition:
    last = index == STEPS - 1
    flags = {"is_first": index == 0, "is_last": last, "is_terminal": last}
    arrays = {
        "joint_pos": np.full(3, index, np.float32),
        "action": np.zeros(2, np.float32),
        "applied": np.zeros(2, np.float32),
        "reward": np.array(index, np.float32),
        **{name: np.array(value) for name, value in flags.items()},
    }
    return Transition("rig", "one", index, 0, index, 1, True, arrays, {"tick": index * 10**8}, {})


@pytest.fixture(autouse=True)
def in_a_terminal() -> Iterator[None]:
    """Signals as a terminal's programs get them, also where the tests run under `nohup`."""
    kept = {number: signal.signal(number, signal.SIG_DFL) for number in ENDING}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run's log, a merge of it, and its episodes as DayDreamer's."""
    monkeypatch.chdir(tmp_path)
    writer = LogWriter(tmp_path / "run/log", "robot", {})
    for index in range(STEPS):
        writer.append_transition(step(index), 0, index)
    writer.note("/episodes", {"return": 1.0}, 0)
    writer.close()
    os.utime(next((tmp_path / "run/log").iterdir()), (0, 0))  # nobody writes to it
    assert cli.main(["logs", "merge", "run", "--out", "old"]) == 0
    assert cli.main(["export", "run", "episodes", "--to", "daydreamer", "--hz", "20"]) == 0
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    "command",
    [
        "export run new --to arrays --hz 20",
        "logs cut run --indices 2:6 --out new",
        "logs merge run --out new",
        "logs merge run --out old --force",
        "logs prune run --topics /episodes --yes",
        "logs import episodes --out new --hz 20 --robot rig",
    ],
)
def test_a_writer_that_is_killed_leaves_everything_as_it_was(
    here: Path, command: str, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
):
    before, synced = contents(here), []

    def killed_in_the_middle(*written: object) -> None:
        synced.append(written)
        assert any(".new." in p or ".old." in p or ".robot-" in p for p in contents(here))
        os.kill(os.getpid(), number)

    monkeypatch.setattr(os, "fsync", killed_in_the_middle)
    monkeypatch.setattr(LogWriter, "append_transition", killed_in_the_middle)
    assert cli.main(command.split()) == 128 + number
    assert len(synced) == 1
    assert contents(here) == before
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_file_that_cannot_be_finished_leaves_the_old_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "result.json"
    write_whole(path, b"old")

    def killed(part: Path, target: Path) -> Path:
        assert part.read_bytes() == b"new"
        os.kill(os.getpid(), signal.SIGTERM)
        return target

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(Ended) as ended, ended_as_by_ctrl_c():
        write_whole(path, b"new")
    assert (ended.value.code, contents(tmp_path)) == (143, {str(path): b"old"})


def test_signals_that_somebody_else_heeds_are_left_to_him():
    heard: list[int] = []
    kept = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with ended_as_by_ctrl_c():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, kept)
    assert heard == [signal.SIGTERM]


def test_beside_the_main_thread_nothing_changes():
    done: list[bool] = []

    def work() -> None:
        with ended_as_by_ctrl_c():
            done.append(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
