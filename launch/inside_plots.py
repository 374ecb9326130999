"""Plots of what a world model foretold: vectors over the truth, errors by steps of foresight."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from learner.model.open_loop import Errors, Foretold

EPISODES = 3
MOST_ROWS = 9
WORST = 2.0  # errors are drawn up to this


def error_plot(errors: Mapping[str, Errors], hz: float) -> bytes:
    """Open-loop error of every key against the horizon, beside its rivals; a PNG."""
    columns = min(3, len(errors))
    rows = -(-len(errors) // columns)
    figure = Figure(figsize=(4 * columns, 2.6 * rows + 0.7), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, (key, found) in zip(grid, errors.items(), strict=False):
        _draw_errors(axes, key, found, hz)
    for axes in grid[len(errors) :]:
        axes.set_axis_off()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    figure.supxlabel("seconds of foresight")
    figure.supylabel("squared error / variance")
    return _png(figure)


def vector_plot(found: Foretold, hz: float) -> bytes:
    """Vectors and reward of a few episodes: truth, what is decoded while seeing, dreams; a PNG."""
    entries = _entries(found)
    count = min(EPISODES, len(found.live))
    size = 4.2 * count, 1.25 * len(entries) + 0.8
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(entries), count, squeeze=False, sharex=True, sharey="row")
    for row, (key, entry) in zip(grid, entries, strict=True):
        for episode, axes in enumerate(row):
            _draw_entry(axes, found, (key, entry, episode), hz)
        row[0].set_ylabel(f"{key}[{entry}]" if key != "reward" else key, fontsize=8)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    figure.supxlabel("seconds (dotted: from here on the model sees nothing)")
    return _png(figure)


def _draw_errors(axes: Axes, key: str, found: Errors, hz: float) -> None:
    seconds = np.arange(1, len(found.foretold) + 1) / hz
    axes.axhline(1, color="0.6", linestyle=":", label="the mean")
    axes.plot(seconds, found.persistence, color="0.45", linestyle="--", label="nothing changes")
    axes.plot(seconds, found.seen, color="tab:blue", label="seen, not foretold")
    axes.plot(seconds, found.foretold, color="tab:orange", linewidth=2, label="open loop")
    axes.set_ylim(0, WORST)
    axes.set_title(key if np.isfinite(found.foretold).any() else f"{key}: never varies", size=9)
    axes.grid(alpha=0.3)


def _draw_entry(axes: Axes, found: Foretold, which: tuple[str, int, int], hz: float) -> None:
    key, entry, episode = which
    start = found.context
    truth, seen = (part[key][episode, :, entry].numpy() for part in (found.truth, found.seen))
    dreams = found.futures[key][episode, :, :, entry].numpy()  # (K, H)
    lives = int(found.live[episode].sum())
    seconds = np.arange(len(truth)) / hz
    ahead = seconds[start : start + lives]
    for dream in dreams:
        axes.plot(ahead, dream[:lives], color="tab:orange", alpha=0.3, linewidth=0.7)
    axes.plot(seconds[: start + lives], truth[: start + lives], color="black", label="truth")
    axes.plot(
        *(seconds[: start + lives], seen[: start + lives]),
        **{"color": "tab:blue", "linestyle": "--", "linewidth": 1, "label": "seen"},
    )
    axes.plot(ahead, dreams.mean(0)[:lives], color="tab:orange", label="foretold, mean")
    axes.axvline(seconds[start] - 0.5 / hz, color="0.4", linestyle=":")
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)


def _entries(found: Foretold) -> list[tuple[str, int]]:
    """Which entries of which keys are drawn: of each key those that vary most, the reward last."""
    keys = sorted(k for k, v in found.truth.items() if v.ndim == 3 and k != "reward")
    each = max(1, (MOST_ROWS - 1) // max(1, len(keys)))
    chosen: list[tuple[str, int]] = []
    for key in keys[: MOST_ROWS - 1]:
        spread = found.truth[key].flatten(0, 1).std(0).numpy()
        chosen += [(key, int(entry)) for entry in sorted(np.argsort(-spread)[:each])]
    return [*chosen, ("reward", 0)]


def _png(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()
