"""Runs in one environment, tried and described as runs of robots are (`launch/study.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from launch.environment_trial import trial
from launch.environments import EnvironmentPlan
from launch.intervals import estimate
from launch.references import Reference, environment_reference
from launch.run_folder import RunFolder
from launch.study import told
from launch.trial import read_weights
from learner.behaviour.noise import ModeNoise
from robot.wire.weights import Weights


@dataclass(frozen=True)
class EnvironmentCandidate:
    """A run in an environment, and its newest policy.

    Args:
        name: by which reports call it.
        path: the run's folder.
        plan: that it was made with.
        weights: of the policy.
    """

    name: str
    path: Path
    plan: EnvironmentPlan
    weights: Weights

    @classmethod
    def read(cls, path: Path, name: str, plan: EnvironmentPlan) -> EnvironmentCandidate:
        """The newest policy of a run.

        Raises:
            ConfigError, WeightsError: naming what cannot be used.
        """
        return cls(name, path, plan, read_weights(RunFolder(path), plan))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, for reports."""
        weights = self.weights
        return {
            "name": self.name,
            "path": str(self.path),
            "system": self.plan.system,
            "preset": self.plan.preset,
            "seed": self.plan.seed,
            "weights": {
                "version": weights.version,
                "updates": weights.updates,
                "sha256": weights.sha256,
            },
        }


def describe_environment(
    group: Sequence[EnvironmentCandidate],
    episodes: int,
    seed: int,
    tick: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Try runs in one environment by their modes; all figures, JSON-ready.

    Args:
        group: the runs.
        episodes: of each.
        seed: of the episodes' starts.
        tick: called once for each episode, after it.
    """
    returns = []
    for one in group:
        returns.append(np.array(trial(one.plan, one.weights, ModeNoise(seed), episodes, seed)))
        for _ in range(episodes):
            tick()
    plan = group[0].plan
    reference = environment_reference(plan, episodes, seed)
    for _ in range(episodes):
        tick()
    clean = _condition(group, returns, reference)
    return {
        "task": plan.name,
        "question": "What does it earn?",
        "answer": f"{clean['score']['mean']:.1f}",
        "measure": "return of an episode",
        "reference": reference.as_dict(),
        "trial": {"episodes": episodes, "seed": seed},
        "conditions": [clean],
        "course": None,
        "runs": [one.as_dict() for one in group],
        "left_out": {},
    }


def _condition(
    group: Sequence[EnvironmentCandidate], returns: Sequence[np.ndarray], reference: Reference
) -> dict[str, Any]:
    shares = [reference.normalised(values) for values in returns]
    known = [share for share in shares if share is not None]
    runs = [
        {
            "name": one.name,
            "score": round(float(values.mean()), 4),
            "passed": None,
            "episodes": [{"score": round(float(value), 4)} for value in values],
        }
        for one, values in zip(group, returns, strict=True)
    ]
    return {
        "name": "clean",
        "kind": "clean",
        "about": "as trained",
        "score": told(estimate(returns)),
        "normalised": told(estimate(known)) if known else None,
        "passed": None,
        "gate": None,
        "figures": {},
        "runs": runs,
    }
