"""Returns of runs in environments as a table, beside what was published for the same tasks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import numpy as np

from launch.scores import atari_scores, control_scores, read_references
from robot.config import ConfigError

# Steps at which returns are told, and the window before each over which episodes are averaged:
# those of the published figures.
MARKS = {100_000: 20_000, 250_000: 50_000, 500_000: 50_000}
LAST = 10  # episodes, for the return at a run's end

Values = dict[str, list[float]]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Returns:
    """One run's episodes.

    Args:
        task: the environment's name.
        system: what learnt.
        seed: of the run.
        steps: (N,) environment steps at the end of each episode.
        returns: (N,) sum of its rewards.
    """

    task: str
    system: str
    seed: int
    steps: np.ndarray
    returns: np.ndarray

    def before(self, mark: int, window: int) -> float | None:
        """Mean return of the episodes that ended in the window before a mark; None if none did.

        A run that ended before the mark has no value there.
        """
        inside = (self.steps > mark - window) & (self.steps <= mark)
        reached = len(self.steps) > 0 and self.steps[-1] > mark - window / 2
        return float(self.returns[inside].mean()) if reached and inside.any() else None


def read_returns(path: Path, data: Mapping[str, Any]) -> Returns:
    """Returns of a result file that `reverie result` wrote.

    Raises:
        ConfigError: naming the file and what is wrong with it.
    """
    try:
        steps = np.array([line["env_steps"] for line in data["episodes"]], float)
        returns = np.array([line["return"] for line in data["episodes"]], float)
        name = str(data["environment"]["name"])
        made = Returns(name, str(data["system"]), int(data["seed"]), steps, returns)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: is no result of an environment: {error!r}") from error
    if not len(steps):
        raise ConfigError(f"{path}: has no finished episode")
    return made


def by(runs: Sequence[Returns], field: str) -> dict[Any, list[Returns]]:
    """Runs in groups of an equal field, in the order in which values appear."""
    groups: dict[Any, list[Returns]] = {}
    for run in runs:
        groups.setdefault({"task": run.task, "system": run.system}[field], []).append(run)
    return groups


def published(task: str, anchors: Mapping[str, Any]) -> dict[str, Values]:
    """Published [mean, standard deviation] of a task by method and mark; {} where there is none."""
    name = task.removeprefix("dmc:").replace("-", "_")
    return anchors["tasks"].get(name, {}) if task.startswith("dmc:") else {}


def score_table(runs: Sequence[Returns], anchors: Mapping[str, Any]) -> dict[str, Any]:
    """Return of every system and published method on every task at every mark."""
    rows = []
    for task, here in by(runs, "task").items():
        for system, seeds in by(here, "system").items():
            told = {str(m): _over_seeds([r.before(m, w) for r in seeds]) for m, w in MARKS.items()}
            told["end"] = _over_seeds([float(r.returns[-LAST:].mean()) for r in seeds])
            rows.append({"task": task, "method": system, "seeds": len(seeds), "returns": told})
        for method, values in published(task, anchors).items():
            row = {"task": task, "method": anchors["labels"][method], "published": True}
            told = {str(mark): values.get(str(mark)) for mark in MARKS} | {"end": None}
            rows.append({**row, "seeds": anchors["seeds"][method], "returns": told})
    what = (
        "Return, mean and standard deviation over seeds, of the episodes of training that ended in "
        "the window before each number of environment steps, and of the last ten"
    )
    table = {"what": what, "windows": MARKS, "rows": rows, "overall": overall(rows)}
    return {**table, "source": anchors["source"]}


def overall(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Mean and median over Control tasks at every mark, and DreamerV2's four over Atari games.

    Of the methods that have a value on all of the tasks that the rows are about.
    """
    found = []
    control = [row for row in rows if row["task"].startswith("dmc:")]
    for column in (*map(str, MARKS), "end"):
        found += [
            {"method": method, "at": column, "tasks": len(returns), **control_scores(returns)}
            for method, returns in _on_all(control, column).items()
            if len(returns) > 1
        ]
    references = read_references()
    atari = [row for row in rows if _atari(row["task"]) in references]
    for method, returns in _on_all(atari, "end").items():
        games = {_atari(task): value for task, value in returns.items()}
        scores = atari_scores(games, references)
        found.append({"method": method, "at": "end", "tasks": len(games), **scores})
    return found


def _on_all(rows: Sequence[Row], column: str) -> dict[str, dict[str, float]]:
    """Return by method and task, of the methods that have one on all tasks of the rows."""
    tasks = {row["task"] for row in rows}
    methods: dict[str, dict[str, float]] = {}
    for row in rows:
        name = f"{row['method']}, published" if row.get("published") else row["method"]
        if (value := row["returns"][column]) is not None:
            methods.setdefault(name, {})[row["task"]] = value[0]
    return {name: returns for name, returns in methods.items() if returns.keys() == tasks}


def _atari(task: str) -> str:
    """Name of an Atari game, such as Pong for gym:ALE/Pong-v5; "" for another task."""
    match = re.fullmatch(r"gym:ALE/(\w+)-v\d+", task)
    return match[1] if match else ""


def _over_seeds(values: Sequence[float | None]) -> list[float] | None:
    """Mean and standard deviation, None where a seed has no value."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return [round(mean(known), 1), round(pstdev(known), 1)]


def as_markdown(table: Mapping[str, Any]) -> str:
    """The table in Markdown; published rows name themselves."""
    marks = [f"{int(mark) // 1000}k" for mark in table["windows"]]
    lines = [f"{table['what']}.\n", f"| task | method | seeds | {' | '.join(marks)} | end |"]
    lines.append(f"|---|---|---|{'---|' * (len(marks) + 1)}")
    for row in table["rows"]:
        told = row["returns"].values()
        cells = " | ".join("-" if v is None else f"{v[0]:.0f} ± {v[1]:.0f}" for v in told)
        method = f"{row['method']}, published" if row.get("published") else row["method"]
        lines.append(f"| {row['task']} | {method} | {row['seeds']} | {cells} |")
    for row in table["overall"]:
        scores = {key: v for key, v in row.items() if key not in ("method", "at", "tasks")}
        said = ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
        when = row["at"] if row["at"] == "end" else f"{int(row['at']) // 1000}k"
        lines.append(f"\nAll {row['tasks']} tasks, {row['method']}, {when}: {said}.")
    return "\n".join(lines) + f"\n\nPublished figures: {table['source']}\n"
