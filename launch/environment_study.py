"""Runs in one environment, tried and described as runs of robots are (`launch/study.py`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from launch.environment_film import Onlooker, frames_of_episode, side_by_side
from launch.environment_trial import trial
from launch.environments import EnvironmentPlan
from launch.intervals import estimate
from launch.references import Reference, environment_reference
from launch.report import Media
from launch.run_folder import RunFolder
from launch.study import told
from launch.trial import read_weights
from launch.video import write_web_video
from learner.behaviour.noise import ModeNoise
from robot.wire.weights import Weights

MOST_TILES = 6  # of a film


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


@dataclass(frozen=True)
class Tried:
    """What came of one run.

    Args:
        candidate: the run.
        returns: (E,) of the episodes.
        pictures: of the first of them, (h, w, 3) each; none where the environment draws nothing.
    """

    candidate: EnvironmentCandidate
    returns: np.ndarray
    pictures: list[np.ndarray]


def try_environment(
    group: Sequence[EnvironmentCandidate],
    episodes: int,
    seed: int,
    tick: Callable[[], None] = lambda: None,
) -> list[Tried]:
    """Try runs in one environment by their modes.

    Args:
        group: the runs.
        episodes: of each.
        seed: of the episodes' starts.
        tick: called once for each episode, after it.
    """
    tried = []
    for one in group:
        look = Onlooker()
        returns = trial(one.plan, one.weights, ModeNoise(seed), episodes, seed, look)
        tried.append(Tried(one, np.array(returns), look.pictures))
        for _ in range(episodes):
            tick()
    return tried


def describe_environment(tried: Sequence[Tried], seed: int) -> dict[str, Any]:
    """All figures of runs in one environment, JSON-ready; random play is measured beside them.

    Args:
        tried: the runs.
        seed: of the episodes' starts.
    """
    group, returns = [one.candidate for one in tried], [one.returns for one in tried]
    plan, episodes = group[0].plan, len(returns[0])
    reference = environment_reference(plan, episodes, seed)
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


def film_environment(tried: Sequence[Tried], out: Path) -> Media:
    """A film of the runs beside each other, and frames of the first; nothing where none is drawn.

    Raises:
        OSError: when the film cannot be written.
    """
    shown = {one.candidate.name: one.pictures for one in tried if one.pictures}
    tiles = dict(list(shown.items())[:MOST_TILES])
    if not tiles:
        return Media()
    plan = tried[0].candidate.plan
    label = re.sub(r"[^A-Za-z0-9._-]+", "-", plan.name)
    first, *rest = side_by_side(tiles)
    size = (first.shape[0] // 2 * 2, first.shape[1])
    pictures = (picture[: size[0]] for picture in (first, *rest))
    path = write_web_video(out / f"{label}_runs", pictures, size, plan.control_hz)
    frames = frames_of_episode(next(iter(tiles.values())), plan.control_hz)
    return Media(frames, [(", ".join(tiles), path)])


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
