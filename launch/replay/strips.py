"""Figures over time as a picture, with a line that moves along; and panes of equal size."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

WIDTH = 400
NOW = (220, 60, 40)


class Strips:
    """A plot (H, W, 3) whose panels share their time.

    Args:
        picture: the plot, RGB bytes.
        ends: columns of the first and the last step.
        count: N, steps.

    Attributes:
        width: W.
    """

    def __init__(self, picture: np.ndarray, ends: tuple[float, float], count: int) -> None:
        self.width = picture.shape[1]
        self._picture, self._ends, self._count = picture, ends, count

    def at(self, step: int) -> np.ndarray:
        """(H, W, 3) with a line at step `step`."""
        first, last = self._ends
        column = round(first + (last - first) * step / max(1, self._count - 1))
        done = self._picture.copy()
        done[:, column : column + 2] = NOW
        return done


def draw_strips(lines: Mapping[str, np.ndarray], hz: float, height: int, first: int = 0) -> Strips:
    """Draw every line (N,) that has a number in a panel of its own.

    Args:
        lines: by name; what is nan throughout is left out.
        hz: steps per second.
        height: H of the picture, pixels.
        first: step at which they begin.
    """
    shown = {name: line for name, line in lines.items() if not np.isnan(line).all()}
    figure = Figure(figsize=(WIDTH / 100, height / 100), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(len(shown), sharex=True, squeeze=False)[:, 0]
    count = len(next(iter(shown.values())))
    seconds = (first + np.arange(count)) / hz
    for axes, (name, line) in zip(panels, shown.items(), strict=True):
        axes.plot(seconds, line, linewidth=1.0)
        axes.set_ylabel(name, fontsize=7)
        axes.tick_params(labelsize=6)
        axes.grid(alpha=0.3)
    panels[-1].set_xlabel("seconds", fontsize=7)
    canvas.draw()
    to_pixels = panels[0].transData.transform
    ends = to_pixels((seconds[0], 0))[0], to_pixels((seconds[-1], 0))[0]
    picture = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return Strips(picture, ends, count)


def pane(picture: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 3) of a picture (H, W, C): grey and RGB as they are, distance left out."""
    colour = picture[..., :3] if picture.shape[2] >= 3 else picture[..., :1].repeat(3, axis=2)
    return cv2.resize(np.ascontiguousarray(colour), (side, side), interpolation=cv2.INTER_NEAREST)
