"""The ledgers of a run: what its processes wrote of themselves, in this life and in earlier ones.

A process replaces its own ledger once a second. Before it is started again, the ledger of its last
life is put away, so that counts go on where a killed process left them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launch.run_folder import Plan, RunFolder
from launch.summary import NO_LATENCY, NO_LOOP, Outcome, peak_rss_mb

Ledger = dict[str, Any]


class Ledgers:
    """Reads the ledgers of one run.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def put_away(self, process: str) -> None:
        """Keep the ledger of a process that has ended, before the next one writes its own."""
        path = self._folder.ledger(process)
        if path.exists():
            earlier = self._folder.path / "ledgers"
            earlier.mkdir(exist_ok=True)
            path.rename(earlier / f"{process}-{len(self._earlier(process)):04d}.json")

    def latest(self, process: str) -> Ledger:
        """What the process that runs now, or ran last, wrote; empty before it did."""
        return _read(self._folder.ledger(process))

    def lives(self, process: str) -> list[Ledger]:
        """All ledgers of a process, oldest first; those that say nothing are left out."""
        found = [_read(path) for path in self._earlier(process)]
        return [ledger for ledger in (*found, self.latest(process)) if ledger]

    def last(self, process: str, key: str) -> Any:
        """The newest value of a key, also of an earlier life; None when there is none."""
        for ledger in (self.latest(process), *reversed(self.lives(process))):
            if key in ledger:
                return ledger[key]
        return None

    def _earlier(self, process: str) -> list[Path]:
        return sorted((self._folder.path / "ledgers").glob(f"{process}-[0-9][0-9][0-9][0-9].json"))


def _read(path: Path) -> Ledger:
    """A ledger; an empty one when there is none, or a cut power line left half of one."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def gather(plan: Plan, folder: RunFolder) -> Outcome:
    """Put the ledgers of all processes together.

    Counts are those of the whole run, however often a process was started; percentiles are those
    of its last life, the largest jitter that of all.
    """
    ledgers = Ledgers(folder)
    act, learn, body = (ledgers.lives(name) for name in ("act", "learn", "body"))
    cameras = {name: ledgers.lives(name) for name in camera_names(plan)}
    return Outcome(
        steps=_newest(act, "logged", 0),
        transitions={
            "logged": _newest(act, "logged", 0),
            "ingested": _newest(learn, "transitions", {}).get("ingested", 0),
            "duplicates": total(learn, "transitions", "duplicates"),
            "invalid": total(learn, "transitions", "invalid"),
        },
        updates=_newest(learn, "updates", 0),
        weights={
            "published": total(learn, "published"),
            "applied": total(act, "weights", "applied"),
            "rejected": total(act, "weights", "rejected"),
        },
        episodes=_newest(act, "episodes", []),
        policy_loop=loop(act, "policy_loop"),
        inner_loop=loop(body, "inner_loop"),
        latency_ms=_latencies(act, body),
        peak_rss_mb=_memory({"body": body, "act": act, "learn": learn, **cameras}),
        more={"scheduling": {"body": _granted(body), "act": _granted(act)}},
    )


def camera_names(plan: Plan) -> list[str]:
    """Names of the run's camera processes."""
    return [f"camera-{camera}" for camera in plan.robot.cameras]


def total(lives: Sequence[Mapping[str, Any]], *keys: str) -> int:
    """A count, added up over all lives of a process."""
    count = 0
    for ledger in lives:
        value: Any = ledger
        for key in keys:
            value = value.get(key, {})
        count += value or 0
    return count


def loop(lives: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """Report of a loop over all lives of its process."""
    reports = [ledger[name] for ledger in lives if name in ledger]
    if not reports:
        return NO_LOOP
    worst = max(report["jitter_us"]["max"] for report in reports)
    return {
        "hz": reports[-1]["hz"],
        "ticks": total(reports, "ticks"),
        "missed": total(reports, "missed"),
        "jitter_us": {**reports[-1]["jitter_us"], "max": worst},
    }


def _newest(lives: Sequence[Mapping[str, Any]], key: str, default: Any) -> Any:
    return next((ledger[key] for ledger in reversed(lives) if key in ledger), default)


def _latencies(act: Sequence[Ledger], body: Sequence[Ledger]) -> dict[str, Any]:
    """From sensing to the body's taking the command; in the policy; and of new weights."""
    acting, owning = _newest(act, "latency_ms", {}), _newest(body, "latency_ms", {})
    return {
        "sensor_to_command": owning.get("sensor_to_command", NO_LATENCY),
        "inference": acting.get("inference", NO_LATENCY),
        "weights": acting.get("weights", NO_LATENCY),
    }


def _memory(processes: Mapping[str, Sequence[Ledger]]) -> dict[str, float]:
    peaks = {
        name: [ledger["peak_rss_mb"] for ledger in lives if "peak_rss_mb" in ledger]
        for name, lives in processes.items()
    }
    return {n: round(max(mb), 1) for n, mb in peaks.items() if mb} | {"train": peak_rss_mb()}


def _granted(lives: Sequence[Ledger]) -> str:
    return _newest(lives, "scheduling", "unknown")
