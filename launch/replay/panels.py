"""One step of a log as a terminal shows it: figures, and small pictures of coloured half blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from rich.color import Color
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.style import Style
from rich.table import Table
from rich.text import Text

from launch.display import sparkline
from launch.environments import AnyPlan
from launch.replay.minds import NO_THOUGHT
from launch.replay.moments import Moment
from launch.replay.strips import pane

CELLS = 32  # columns of a picture; a line of text is two rows of it


def panel(
    plan: AnyPlan,
    moment: Moment,
    views: Mapping[str, np.ndarray],
    rewards: Sequence[float],
) -> RenderableType:
    """One step, drawn.

    Args:
        plan: of the run.
        moment: what is shown.
        views: pictures (H, W, C) by what they show.
        rewards: newest ones, this step's the last.
    """
    step, thought = moment.step, moment.thought
    rows = {
        "time": f"{step.index / plan.control_hz:.2f} s",
        "step": f"{step.step} of episode {step.episode}, {step.index} in all",
        "reward": f"{rewards[-1]:.3f}   {sparkline(list(rewards))}",
        "weights": f"version {step.weights_version}",
        "learnt from": "yes" if step.valid else "no: the body did not follow",
    }
    if thought is not NO_THOUGHT:
        rows["value"], rows["surprise"] = f"{thought.value:.2f}", f"{thought.surprise:.2f} nats"
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", justify="right")
    table.add_column()
    for name, text in rows.items():
        table.add_row(name, Text(text))
    parts: list[RenderableType] = [table, _gallery(views)]
    if "joint_pos" in step.arrays:
        joints = ", ".join(f"{value:+.2f}" for value in step.arrays["joint_pos"])
        parts.append(Text(f"joints {joints}", style="dim"))
    return Panel(Group(*parts), title=plan.name)


def blocks(picture: np.ndarray, cells: int = CELLS) -> Text:
    """A picture (H, W, C) as `cells` columns and half as many lines of half blocks."""
    size = (cells, cells // 2 * 2)
    small = cv2.resize(pane(picture, 240), size, interpolation=cv2.INTER_AREA)
    text = Text()
    for upper, lower in zip(small[::2], small[1::2], strict=True):
        for above, below in zip(upper.tolist(), lower.tolist(), strict=True):
            text.append("▀", Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
        text.append("\n")
    return text


def _gallery(views: Mapping[str, np.ndarray]) -> Table:
    """Pictures side by side, with their names above."""
    table = Table.grid(padding=(0, 2))
    table.add_row(*(Text(name, style="dim") for name in views))
    table.add_row(*(blocks(picture) for picture in views.values()))
    return table
