"""The ledger of a process: written beside the run once a second, without making its loop wait."""

from __future__ import annotations

import json
import logging
import os
import resource
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import numpy as np

from robot.body.scheduling import stay_behind

log = logging.getLogger(__name__)

Figures = Mapping[str, object]


class LedgerWriter:
    """Writes what `collect` returns to a file, each time whole or not at all.

    A thread of its own does it; leaving the context writes a last time. A full disk is logged
    once and does not disturb anybody.

    Args:
        path: of the JSON file; None writes nothing.
        collect: called in the thread; returns plain data.
        period_s: between two writings.
    """

    def __init__(
        self, path: Path | None, collect: Callable[[], Figures], period_s: float = 1.0
    ) -> None:
        self._path = path
        self._collect = collect
        self._period_s = period_s
        self._ended = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)

    def __enter__(self) -> Self:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._path is not None:
            self._ended.set()
            self._thread.join()
            self._write(self._path)

    def _work(self) -> None:
        stay_behind()
        while self._path is not None and not self._ended.wait(self._period_s):
            self._write(self._path)

    def _write(self, path: Path) -> None:
        try:
            write_whole(path, json.dumps(self._collect(), indent=1))
        except OSError as error:
            if not self._failed:
                log.error("cannot write %s: %s", path, error.strerror)
            self._failed = True


class Latencies:
    """The latest `keep` latencies in ns, and their percentiles."""

    def __init__(self, keep: int = 100_000) -> None:
        self._ns = np.zeros(keep, np.int64)
        self._count = 0

    def note(self, latency_ns: int) -> None:
        """Take one in."""
        self._ns[self._count % len(self._ns)] = latency_ns
        self._count += 1

    def report(self) -> dict[str, float]:
        """Median and 99th percentile in ms; 0 while there is none."""
        noted = self._ns[: min(self._count, len(self._ns))]
        p50, p99 = np.percentile(noted / 1e6, (50, 99)) if noted.size else (0.0, 0.0)
        return {"p50": float(p50), "p99": float(p99)}


def write_whole(path: Path, text: str) -> None:
    """Replace a file in one step: readers see the old text or the new one."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text)
    part.replace(path)


def peak_rss_mb() -> float:
    """Most memory that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
