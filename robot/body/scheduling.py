"""Asks the operating system for regular time, and tells what it granted."""

from __future__ import annotations

import gc
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from robot.config import Scheduling

# A thread that wants Python's interpreter waits this long for another one to give it up. The
# default of 5 ms is five inner periods.
SWITCH_INTERVAL_S = 1e-4
# While this file is held open at 0, no core sleeps so deeply that waking costs a part of a period.
LATENCY_FILE = Path("/dev/cpu_dma_latency")


@dataclass(frozen=True)
class Obtained:
    """What a process got.

    Args:
        policy: "SCHED_FIFO 50" or "SCHED_OTHER".
        core: that the thread is pinned to, None for any.
        gc_off: whether Python's garbage collector is off.
        awake: whether cores are kept from deep sleep.
        refused: what was asked for and not granted, with the reason.
    """

    policy: str
    core: int | None
    gc_off: bool
    awake: bool
    refused: tuple[str, ...]

    def __str__(self) -> str:
        core = "any core" if self.core is None else f"core {self.core}"
        got = f"{self.policy}, {core}, garbage collector {'off' if self.gc_off else 'on'}"
        got += ", cores kept awake" if self.awake else ""
        return f"{got}; refused: {'; '.join(self.refused)}" if self.refused else got


def obtain(asked: Scheduling) -> Obtained:
    """Make the calling thread as regular as the system permits; never raises for a refusal.

    Call it after all other threads were started, for those begun later inherit priority and core.
    """
    refused: list[str] = []
    policy = f"SCHED_FIFO {asked.realtime_priority}"
    if not asked.realtime_priority or not _set_fifo(asked.realtime_priority, refused):
        policy = "SCHED_OTHER"
    core = asked.core
    if core is not None and not _pin(core, refused):
        core = None
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    gc.disable()
    awake = asked.realtime_priority > 0 and _stay_awake(refused)
    return Obtained(policy, core, not gc.isenabled(), awake, tuple(refused))


def stay_behind() -> None:
    """Give the calling thread the lowest real-time priority, where that is permitted.

    A thread that helps a real-time one must not lose its turn to other processes while it holds
    the interpreter, or the real-time thread would wait for all of them.
    """
    _set_fifo(1, [])


def _set_fifo(priority: int, refused: list[str]) -> bool:
    if sys.platform != "linux":
        refused.append(f"SCHED_FIFO: not on {sys.platform}")
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        refused.append(f"SCHED_FIFO {priority}: {error.strerror}")
        return False
    return True


def _stay_awake(refused: list[str]) -> bool:
    """Hold the kernel's latency file at 0 us until this process ends."""
    try:
        os.write(os.open(LATENCY_FILE, os.O_WRONLY), struct.pack("i", 0))
    except OSError as error:
        refused.append(f"{LATENCY_FILE}: {error.strerror}")
        return False
    return True


def _pin(core: int, refused: list[str]) -> bool:
    if sys.platform != "linux":
        refused.append(f"core {core}: not on {sys.platform}")
        return False
    try:
        os.sched_setaffinity(0, {core})
    except OSError as error:
        refused.append(f"core {core}: {error.strerror}; there are {os.cpu_count()}")
        return False
    return True
