"""Learning curves of runs in environments, beside what was published for the same tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from launch.run_folder import write_json
from robot.config import ConfigError

DMC = Path("docs/results/anchors/dmc_proprio.json")
# Steps at which returns are told, and the window before each over which episodes are averaged:
# those of the published figures.
MARKS = {100_000: 20_000, 250_000: 50_000, 500_000: 50_000}
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown")
COLUMNS, GRID, SMOOTH = 3, 200, 10

Values = dict[str, list[float]]


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


def compare(runs: Sequence[Returns], anchors: Mapping[str, Any], out: Path) -> str:
    """Draw runs beside published figures, and write both as tables.

    Beside `out` (a PNG) come scores_STEM.json and scores_STEM.md.

    Args:
        runs: of any tasks and systems.
        anchors: what docs/results/anchors/dmc_proprio.json holds.
        out: the picture.

    Returns:
        The table in Markdown.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    table = score_table(runs, anchors)
    draw(runs, anchors, out)
    text = as_markdown(table)
    write_json(out.with_name(f"scores_{out.stem}.json"), table)
    out.with_name(f"scores_{out.stem}.md").write_text(text)
    return text


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
            told["end"] = _over_seeds([float(r.returns[-SMOOTH:].mean()) for r in seeds])
            rows.append({"task": task, "method": system, "seeds": len(seeds), "returns": told})
        for method, values in published(task, anchors).items():
            row = {"task": task, "method": anchors["labels"][method], "published": True}
            told = {str(mark): values.get(str(mark)) for mark in MARKS} | {"end": None}
            rows.append({**row, "seeds": anchors["seeds"][method], "returns": told})
    what = (
        "Return, mean and standard deviation over seeds, of the episodes of training that ended in "
        "the window before each number of environment steps, and of the last ten"
    )
    return {"what": what, "windows": MARKS, "rows": rows, "source": anchors["source"]}


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
    return "\n".join(lines) + f"\n\nPublished figures: {table['source']}\n"


def draw(runs: Sequence[Returns], anchors: Mapping[str, Any], path: Path) -> None:
    """One panel a task: every seed thin, a system's mean thick, published figures as marks."""
    tasks = by(runs, "task")
    columns = min(COLUMNS, len(tasks))
    rows = -(-len(tasks) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.4 * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns)).reshape(-1)
    systems = list(by(runs, "system"))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(systems)}
    for panel, (task, here) in zip(panels, tasks.items(), strict=False):
        _draw_task(panel, here, colours)
        _draw_published(panel, published(task, anchors), anchors["labels"])
        panel.set(title=task, xlabel="environment steps", ylabel="return, mean of ten episodes")
        panel.legend(frameon=False, fontsize=7)
    for panel in panels[len(tasks) :]:
        panel.set_axis_off()
    figure.savefig(path, dpi=130)


def smoothed(run: Returns) -> tuple[np.ndarray, np.ndarray]:
    """Means of ten consecutive episodes, each at the end of its tenth; of all, where fewer are."""
    many = min(SMOOTH, len(run.returns))
    return run.steps[many - 1 :], np.convolve(run.returns, np.full(many, 1 / many), "valid")


def _draw_task(panel: Axes, runs: Sequence[Returns], colours: Mapping[str, str]) -> None:
    for system, seeds in by(runs, "system").items():
        curves = [smoothed(run) for run in seeds]
        for steps, returns in curves:
            panel.plot(steps, returns, color=colours[system], linewidth=0.7, alpha=0.6)
        grid = np.linspace(max(c[0][0] for c in curves), min(c[0][-1] for c in curves), GRID)
        middle = np.mean([np.interp(grid, *curve) for curve in curves], axis=0)
        label = f"{system}, {len(seeds)} seed{'s' * (len(seeds) > 1)}"
        panel.plot(grid, middle, color=colours[system], linewidth=2.0, label=label)
    end = max(float(run.steps[-1]) for run in runs)
    beyond = [mark for mark in MARKS if mark >= 0.9 * end]
    panel.set_xlim(0, 1.05 * (min(beyond) if beyond else end))


def _draw_published(panel: Axes, values: Mapping[str, Values], labels: Mapping[str, str]) -> None:
    """Marks with deviations at the steps that the panel shows; the methods' places differ a bit."""
    end = panel.get_xlim()[1]
    for place, (method, told) in enumerate(values.items()):
        points = [(int(step), *value) for step, value in told.items() if int(step) <= end]
        if points:
            steps, means, deviations = np.array(points, float).T
            panel.errorbar(
                steps - 0.006 * place * end,
                means,
                deviations,
                fmt="s" if place == 0 else "x",
                color="black" if place == 0 else str(0.25 + 0.12 * place),
                capsize=2,
                markersize=4,
                label=f"{labels[method]}, published",
            )
