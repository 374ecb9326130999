"""Time: the wall clock, the stepped clock of lock-step, and a pace keeper that counts misses."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

NS = 1_000_000_000


class Clock(Protocol):
    """Where time comes from. Everything that needs the time is handed one of these."""

    def now_ns(self) -> int:
        """Monotonic time in ns."""
        ...

    def sleep_until(self, stamp_ns: int) -> None:
        """Return at `stamp_ns` or, when that is past, at once."""
        ...


class RealClock:
    """The computer's monotonic clock (CLOCK_MONOTONIC, shared by a host's processes)."""

    def __init__(self, spin_ns: int = 60_000) -> None:
        self.spin_ns = spin_ns

    def now_ns(self) -> int:
        """Monotonic time in ns."""
        return time.monotonic_ns()

    def sleep_until(self, stamp_ns: int) -> None:
        """Sleep, then spin for the last `spin_ns`: a kernel wake-up alone is 50-100 us late."""
        rest_ns = stamp_ns - time.monotonic_ns() - self.spin_ns
        if rest_ns > 0:
            time.sleep(rest_ns / NS)
        while time.monotonic_ns() < stamp_ns:
            pass


class SteppedClock:
    """Time that moves only when told: the clock of lock-step runs and of tests."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        """Time in ns since the run began."""
        return self._now_ns

    def advance(self, step_ns: int) -> None:
        """Move time forward by `step_ns`."""
        self._now_ns += step_ns

    def sleep_until(self, stamp_ns: int) -> None:
        """Jump to `stamp_ns`; time never goes back."""
        self._now_ns = max(self._now_ns, stamp_ns)


@dataclass
class Pace:
    """Holds a loop to a rate and keeps the ledger of how well that went.

    Args:
        hz: loops per second.
        clock: where time comes from.
        keep: how many of the latest lateness samples are kept for percentiles.
    """

    hz: float
    clock: Clock
    keep: int = 400_000
    ticks: int = 0
    missed: int = 0
    _next_ns: int = 0
    _late_ns: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.period_ns = round(NS / self.hz)
        self._late_ns = np.zeros(self.keep, np.int64)

    def wait(self) -> int:
        """Wait for the next tick and return its lateness in ns.

        A tick that comes a whole period late or more is missed: it is counted, and the schedule
        starts anew from now instead of hurrying to catch up.
        """
        if self._next_ns == 0:
            self._next_ns = self.clock.now_ns()
        self.clock.sleep_until(self._next_ns)
        late_ns = self.clock.now_ns() - self._next_ns
        self._late_ns[self.ticks % self.keep] = late_ns
        self.ticks += 1
        if late_ns >= self.period_ns:
            self.missed += late_ns // self.period_ns
            self._next_ns += late_ns
        self._next_ns += self.period_ns
        return late_ns

    def report(self) -> dict[str, float | int | dict[str, float]]:
        """Rate, ticks, missed ticks, and lateness percentiles in microseconds."""
        late_us = self._late_ns[: min(self.ticks, self.keep)] / 1e3
        marks = {"p50": 50.0, "p99": 99.0, "p999": 99.9, "max": 100.0}
        jitter = {
            k: float(np.percentile(late_us, q)) if late_us.size else 0.0 for k, q in marks.items()
        }
        return {"hz": self.hz, "ticks": self.ticks, "missed": int(self.missed), "jitter_us": jitter}
