"""The live view of a run in the terminal; one line per episode where there is no terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

BARS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class View:
    """What is shown of a run in progress.

    Args:
        robot_minutes: robot time so far, and `minutes` of it wanted.
        wall_s: seconds of computing in this call, in which `done_minutes` of robot time passed.
        episodes: lines of the journal.
        figures: further rows, name to text, in order.
    """

    robot_minutes: float
    minutes: float
    wall_s: float
    done_minutes: float
    episodes: Sequence[dict[str, Any]]
    figures: dict[str, str] = field(default_factory=dict)

    @property
    def left_s(self) -> float:
        """Seconds until the end, by the pace so far; inf while nothing is known."""
        left = max(0.0, self.minutes - self.robot_minutes)
        return left * self.wall_s / self.done_minutes if self.done_minutes > 0 else math.inf


class Display:
    """Shows views of a run while it lasts.

    Args:
        title: of the panel.
        console: where to; the terminal unless given.
    """

    def __init__(self, title: str, console: Console | None = None) -> None:
        self.title = title
        self.console = console or Console()
        self._live = Live(console=self.console, refresh_per_second=4, transient=True)
        self._told = 0

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, view: View) -> None:
        """Show the newest view."""
        if self.console.is_terminal:
            self._live.update(draw(self.title, view))
            return
        for episode in view.episodes[self._told :]:
            self.console.print(tell(episode), highlight=False)
        self._told = len(view.episodes)


def draw(title: str, view: View) -> RenderableType:
    """A panel with figures, a curve of rewards and a bar of time."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", justify="right")
    table.add_column()
    rows = {"robot time": f"{view.robot_minutes:.1f} of {view.minutes:g} min"}
    if view.episodes:
        last = view.episodes[-1]
        recent = [e["mean_reward"] for e in view.episodes[-10:]]
        rows["last episode"] = f"return {last['return']:.0f}, {last['mean_reward']:.2f} per step"
        rows["last ten"] = f"{sum(recent) / len(recent):.2f} per step"
        rows["rewards"] = sparkline([e["mean_reward"] for e in view.episodes])
    for name, text in {**rows, **view.figures, "time left": clock(view.left_s)}.items():
        table.add_row(name, Text(text))
    bar = ProgressBar(total=view.minutes, completed=view.robot_minutes)
    return Panel(Group(table, bar), title=title, subtitle="Ctrl-C stops the motors, then saves")


def tell(episode: dict[str, Any]) -> str:
    """One line of one episode."""
    when = f"minute {episode['robot_minutes']:6.2f}"
    if "env_steps" in episode:
        when = f"step {episode['env_steps']:8d}"
    return f"{when}  return {episode['return']:8.1f}  reward {episode['mean_reward']:6.3f} per step"


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """Values averaged into at most `width` bars."""
    count = min(width, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)]
    means = [
        sum(values[a:b]) / (b - a) for a, b in zip(edges[:-1], edges[1:], strict=True) if b > a
    ]
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    return "".join(BARS[1 + round((m - low) / span * (len(BARS) - 2))] for m in means)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    if not math.isfinite(seconds):
        return "unknown yet"
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
