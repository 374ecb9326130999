"""RUN/summary.json: what came of a run, written at its end and on every stop."""

from __future__ import annotations

import resource
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from launch.run_folder import Described, RunFolder, versions, write_json

NO_LOOP = {
    "hz": 0.0,
    "ticks": 0,
    "missed": 0,
    "jitter_us": {"p50": 0.0, "p99": 0.0, "p999": 0.0, "max": 0.0},
}
NO_LATENCY = {"p50": 0.0, "p99": 0.0}


@dataclass
class Outcome:
    """What is known of a run, from one process in lock-step or gathered from several.

    Args:
        steps: transitions made, in the whole run.
        transitions: counts logged, ingested, duplicates, invalid.
        updates: of the learner, in the whole run.
        weights: counts published, applied, rejected.
        episodes: lines of the journal.
        policy_loop: report of the policy's pace.
        inner_loop: report of the body's pace.
        latency_ms: percentiles of sensor_to_command and of weights.
        peak_rss_mb: per process.
        more: further keys.
    """

    steps: int = 0
    transitions: Mapping[str, int] = field(default_factory=dict)
    updates: int = 0
    weights: Mapping[str, int] = field(default_factory=dict)
    episodes: Sequence[Mapping[str, Any]] = ()
    policy_loop: Mapping[str, Any] = field(default_factory=lambda: NO_LOOP)
    inner_loop: Mapping[str, Any] = field(default_factory=lambda: NO_LOOP)
    latency_ms: Mapping[str, Any] = field(
        default_factory=lambda: {"sensor_to_command": NO_LATENCY, "weights": NO_LATENCY}
    )
    peak_rss_mb: Mapping[str, float] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


class Counted(Described, Protocol):
    """A plan of a run whose steps are so many per second."""

    @property
    def control_hz(self) -> float:
        """Decisions per second."""
        ...

    @property
    def seed(self) -> int:
        """Of everything that is random."""
        ...


def write_summary(folder: RunFolder, plan: Counted, outcome: Outcome) -> dict[str, Any]:
    """Write the summary whole or not at all, and return it."""
    rewards = [episode["mean_reward"] for episode in outcome.episodes[-10:]]
    summary = {
        "robot_minutes": round(outcome.steps / plan.control_hz / 60, 4),
        "transitions": dict(outcome.transitions),
        "updates": outcome.updates,
        "weights": dict(outcome.weights),
        "episodes": list(outcome.episodes),
        "mean_reward_last10": round(float(np.mean(rewards)), 4) if rewards else None,
        "policy_loop": dict(outcome.policy_loop),
        "inner_loop": dict(outcome.inner_loop),
        "latency_ms": dict(outcome.latency_ms),
        "peak_rss_mb": dict(outcome.peak_rss_mb),
        "versions": versions(),
        "seed": plan.seed,
        "config": plan.as_dict(),
        "command": shlex.join(["reverie", *sys.argv[1:]]),
        **outcome.more,
    }
    write_json(folder.summary, summary)
    return summary


def recent_reward(summary: Mapping[str, Any]) -> str:
    """What a run's last words say of its reward, also when it ended within its first episode."""
    recent = summary["mean_reward_last10"]
    return "no episode ended yet" if recent is None else f"last ten episodes {recent} per step"


def peak_rss_mb() -> float:
    """Most memory that this process has held so far, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
