"""One score for many tasks: DreamerV2's four metrics, Control's two, or the normalised mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import Any

from launch.intervals import Metric, over_tasks
from launch.scores import METRICS, read_references


def scores_over_tasks(studies: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Metrics of all tasks together, undisturbed, with intervals; None of a single task.

    Atari games have the four metrics of DreamerV2 (arXiv 2010.02193, section 3.1), tasks of the
    Control Suite mean and median return, and others mean and median of normalised scores, where
    every task has them.
    """
    if len(studies) < 2:
        return None
    metrics, key, why = _metrics([study["task"] for study in studies])
    if any(study["conditions"][0][key] is None for study in studies):
        return None
    runs = {_short(study["task"]): _of_runs(study, key) for study in studies}
    rows = []
    for name, metric in metrics.items():
        value, low, high = over_tasks(runs, metric)
        rows.append({"name": name, "value": value, "low": low, "high": high})
    return {"tasks": len(studies), "why": why, "metrics": rows}


def _metrics(tasks: Sequence[str]) -> tuple[dict[str, Metric], str, str]:
    known = read_references()
    drawn = "Intervals draw runs anew within each task; they need two runs of every task."
    if all(_short(task) in known for task in tasks):
        games = {name: _of_games(metric) for name, metric in METRICS.items()}
        return games, "score", f"Atari games by the metrics of DreamerV2. {drawn}"
    plain: dict[str, Metric] = {
        "mean": lambda scores: mean(scores.values()),
        "median": lambda scores: float(median(scores.values())),
    }
    if all(task.startswith("dmc:") for task in tasks):
        return plain, "score", f"Returns between 0 and 1000. {drawn}"
    return plain, "normalised", f"Normalised scores: 0 is random play, 1 the target. {drawn}"


def _of_games(metric: Any) -> Metric:
    known = read_references()
    return lambda scores: metric(scores, known)


def _of_runs(study: Mapping[str, Any], key: str) -> list[float]:
    """The score of each run, normalised where the key says so."""
    scores = [run["score"] for run in study["conditions"][0]["runs"]]
    if key == "score":
        return scores
    low, high = study["reference"]["random"], study["reference"]["target"]
    return [(score - low) / (high - low) for score in scores]


def _short(task: str) -> str:
    """Name of an Atari game, such as Pong for gym:ALE/Pong-v5; the name of another task."""
    match = re.fullmatch(r"gym:ALE/(\w+)-v\d+", task)
    return match[1] if match else task
