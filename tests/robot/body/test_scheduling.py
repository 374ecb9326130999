import os
import subprocess
import sys

import pytest

from robot.body.scheduling import _stay_awake, obtain
from robot.config import Scheduling

SCRIPT = """
import gc, os, sys
from robot.body.scheduling import obtain
from robot.config import Scheduling
got = obtain(Scheduling(realtime_priority={priority}, core={core}))
real = os.sched_getscheduler(0) == os.SCHED_FIFO
assert got.policy.startswith("SCHED_FIFO") == real, got
assert got.gc_off and not gc.isenabled()
assert sys.getswitchinterval() < 0.001
if got.core is not None:
    assert os.sched_getaffinity(0) == {{got.core}}
print(got)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")


def obtained(priority: int, core: int | None) -> str:
    """What a process of its own gets: it must not touch the one that tests."""
    script = SCRIPT.format(priority=priority, core=core)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_what_is_said_is_what_was_obtained():
    core = min(os.sched_getaffinity(0))
    said = obtained(50, core)
    assert f"core {core}, garbage collector off" in said
    assert said.startswith("SCHED_FIFO 50") or "refused: SCHED_FIFO 50: " in said


def test_nothing_is_asked_for_that_was_not_configured():
    assert obtained(0, None) == "SCHED_OTHER, any core, garbage collector off"


def test_a_core_that_is_not_there_is_refused_and_told():
    said = obtained(0, 4000)
    assert said.startswith("SCHED_OTHER, any core")
    assert "refused: core 4000: " in said and f"there are {os.cpu_count()}" in said


def test_a_refused_priority_is_told_not_raised(monkeypatch, tmp_path):
    def refuse(pid, policy, param):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr("robot.body.scheduling.LATENCY_FILE", tmp_path / "none")
    monkeypatch.setattr(sys, "setswitchinterval", lambda seconds: None)
    for name in ("collect", "freeze", "disable"):
        monkeypatch.setattr(f"robot.body.scheduling.gc.{name}", lambda: None)
    got = obtain(Scheduling(realtime_priority=50))
    assert got.policy == "SCHED_OTHER"
    assert not got.awake
    assert got.refused == (
        "SCHED_FIFO 50: Operation not permitted",
        f"{tmp_path / 'none'}: No such file or directory",
    )


def test_cores_are_kept_awake_by_an_open_file_that_says_nought(monkeypatch, tmp_path):
    said = tmp_path / "latency"
    said.write_bytes(b"")
    monkeypatch.setattr("robot.body.scheduling.LATENCY_FILE", said)
    refused = []
    assert _stay_awake(refused) and not refused
    assert said.read_bytes() == bytes(4)
    assert str(said) in {
        os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
    }
