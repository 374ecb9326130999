"""Learning curves of runs in environments, beside what was published for the same tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from launch.run_folder import write_json
from launch.task_scores import MARKS, Returns, Values, as_markdown, by, published, score_table

DMC = Path("docs/results/anchors/dmc_proprio.json")
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown")
COLUMNS, GRID, SMOOTH = 3, 200, 10


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
