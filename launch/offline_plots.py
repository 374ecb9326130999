"""The picture of a report: losses, foresight, values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def plot(report: Mapping[str, Any], path: Path) -> None:
    """Draw losses over updates, errors over steps of foresight, and values beside returns."""
    figure = Figure(figsize=(13, 4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _losses(left, report["losses"], report["summary"]["offline"]["chosen_update"])
    _foresight(middle, report["foresight"])
    _values(right, report["values"])
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110, format="png")


def _losses(axes: Axes, losses: Sequence[Mapping[str, Any]], chosen: int) -> None:
    updates, lowest = [row["update"] for row in losses], np.inf
    for name, label in (("train", "taught"), ("validation", "held out")):
        values = [row[name]["loss"] for row in losses]
        axes.plot(updates, values, label=label)
        lowest = min([lowest, *values])
    axes.axvline(chosen, color="0.6", linestyle=":", label="weights given out")
    scale = "log" if lowest > 0 else "linear"
    axes.set(xlabel="updates", ylabel="loss of the world model", yscale=scale)
    axes.legend(frameon=False)


def _foresight(axes: Axes, foresight: Mapping[str, Any]) -> None:
    for number, (key, found) in enumerate(foresight.items()):
        steps = np.arange(1, len(found["foretold"]) + 1)
        colour = f"C{number % 10}"
        axes.plot(steps, np.array(found["foretold"], float), color=colour, label=key)
        axes.plot(steps, np.array(found["persistence"], float), color=colour, linestyle=":")
    axes.axhline(1, color="0.6", linewidth=0.8)
    axes.set(xlabel="steps of foresight (dotted: nothing changes)", ylim=(0, 2))
    axes.set_ylabel("squared error, 1 is foretelling the mean")
    axes.legend(frameon=False, fontsize=8)


def _values(axes: Axes, values: Mapping[str, Any] | None) -> None:
    axes.set(xlabel="value promised", ylabel="return realised")
    if values is None:
        axes.text(0.5, 0.5, "no critic", transform=axes.transAxes, ha="center")
        return
    said, came, spread = (
        np.array([b[name] for b in values["bins"]])
        for name in ("predicted", "realised", "realised_std")
    )
    ends = [min(said.min(), came.min()), max(said.max(), came.max())]
    axes.plot(ends, ends, color="0.6", linewidth=0.8)
    axes.errorbar(said, came, yerr=spread, fmt="o", markersize=4)
