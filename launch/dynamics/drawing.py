"""The picture of how well models foretell: traces over the truth, and errors by horizon."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from launch.dynamics.score import Test, rmse
from launch.dynamics.series import Group
from launch.whole import write_whole

COLOURS = ("0.55", "tab:green", "tab:blue", "tab:red", "tab:purple")
SHOWN = 4  # predictions that are drawn end to end
STYLES = (":", "-.", "--", "-", "-")


def draw(
    path: Path,
    title: str,
    test: Test,
    told: Mapping[str, np.ndarray],
    groups: Sequence[Group],
) -> None:
    """Draw one row for each group: left, traces of its first joint; right, the group's error.

    Args:
        path: PNG to write.
        title: of the whole.
        test: what was to be foretold.
        told: (B, H, n) by model.
        groups: one row each.
    """
    figure = Figure(figsize=(13, 2.4 * len(groups) + 0.8), layout="constrained")
    figure.suptitle(title, fontsize=10)
    rows = figure.subplots(len(groups), 2, squeeze=False, width_ratios=(2.2, 1))
    for (left, right), group in zip(rows, groups, strict=True):
        _traces(left, test, told, group)
        _errors(right, test, told, group)
    rows[-1][0].set_xlabel("time, s")
    rows[-1][1].set_xlabel("horizon, s")
    rows[0][0].legend(fontsize=7, ncols=len(told) + 1, loc="upper left", frameon=False)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110, format="png")
    write_whole(path, drawn.getvalue())


def _traces(axes: Axes, test: Test, told: Mapping[str, np.ndarray], group: Group) -> None:
    """Predictions end to end, each as long as the horizon, over what happened."""
    column, horizon = group.columns[0], test.horizon
    times = np.arange(horizon) / test.hz
    rows = range(0, min(len(test.states), SHOWN * horizon), horizon)
    for place, row in enumerate(rows):
        at = place * horizon / test.hz + times
        truth = test.future[row, :, column]
        axes.plot(at, truth, color="black", linewidth=1.6, label="truth" if not place else None)
        for (name, values), colour, style in zip(told.items(), COLOURS, STYLES, strict=False):
            label = name if not place else None
            axes.plot(at, values[row, :, column], style, color=colour, linewidth=1.1, label=label)
        axes.axvline(at[0], color="0.9", linewidth=0.8, zorder=0)
    axes.set_title(f"{group.key} of {group.names[0]}, open loop from each grey line", fontsize=8)
    axes.set_ylabel(group.unit, fontsize=8)
    axes.margins(x=0, y=0.2)


def _errors(axes: Axes, test: Test, told: Mapping[str, np.ndarray], group: Group) -> None:
    times = np.arange(1, test.horizon + 1) / test.hz
    for (name, values), colour, style in zip(told.items(), COLOURS, STYLES, strict=False):
        axes.loglog(times, rmse(test, values, group.columns), style, color=colour, label=name)
    axes.set_title(f"{group.key}, {group.kind}: RMSE by horizon", fontsize=8)
    axes.set_ylabel(group.unit, fontsize=8)
    axes.grid(color="0.92", which="both")
