"""`reverie export`: gives a log to other people's tools."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from launch.exchange.fresh import fresh, need
from launch.exchange.outline import Outline
from launch.exchange.source import Source
from robot.config import ConfigError
from robot.wire.transition import Transition


@dataclass(frozen=True)
class Export:
    """What is wanted.

    Args:
        log: a run's folder, a folder of log files, or one file.
        to: in whose words.
        out: what to make.
        pictures: how LeRobot's data set keeps them: video, lossless or png.
        hz: steps per second; what the log says unless given.
        task: what was to be done; what the log says unless given.
    """

    log: Path
    to: str
    out: Path
    pictures: str = "video"
    hz: float | None = None
    task: str = ""


class Writer(Protocol):
    """Takes in episodes, and makes of them what was wanted."""

    def add(self, steps: Sequence[Transition]) -> None:
        """Take in one episode: its steps, the closing one too unless it was cut."""
        ...

    def close(self) -> list[str]:
        """Finish; what a user should know of it."""
        ...


# Part of what is made, source, outline, and what is wanted.
Make = Callable[[Path, Source, Outline, Export], Writer]


def run_export(export: Export) -> int:
    """Make it; the exit code.

    Raises:
        ConfigError: when there is no log, `out` exists, or an extra is missing.
    """
    return write_export(Source(export.log), export, WRITERS[export.to])


def write_export(source: Source, export: Export, make: Make) -> int:
    """Make it of a source, by a writer that `make` gives; the exit code.

    Raises:
        ConfigError: when `out` exists, or an extra is missing.
    """
    if export.hz is not None and not 0 < export.hz < math.inf:
        raise ConfigError(f"--hz {export.hz}: allowed is a number above 0")
    outline = source.outline(export.hz, export.task)
    faults = list(source.faults)
    with fresh(export.out) as part:
        faults += _write(source, outline, make(part, source, outline, export))
    console = Console()
    for fault in faults:
        console.print(fault, highlight=False, soft_wrap=True)
    console.print(
        f"{export.out}: {outline.episodes} episodes, {outline.steps} steps at {outline.hz:g} Hz",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _write(source: Source, outline: Outline, writer: Writer) -> list[str]:
    """Give every episode to the writer, and show how far it is."""
    columns = (TextColumn("steps"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("steps", total=outline.steps)
        for steps in source.episodes(outline.steps):
            writer.add(steps)
            progress.advance(bar, len(steps))
        return writer.close()


def _lerobot(part: Path, source: Source, outline: Outline, export: Export) -> Writer:
    need("pyarrow", "lerobot")
    if export.pictures != "png":
        need("av", "lerobot")
    from launch.exchange.lerobot_write import LeRobotWriter

    return LeRobotWriter(part, outline, export.pictures)


def _arrays(part: Path, source: Source, outline: Outline, export: Export) -> Writer:
    from launch.exchange.arrays_write import ArraysWriter

    return ArraysWriter(part, outline)


def _daydreamer(part: Path, source: Source, outline: Outline, export: Export) -> Writer:
    from launch.exchange.arrays_write import DayDreamerWriter

    return DayDreamerWriter(part, outline)


def _rerun(part: Path, source: Source, outline: Outline, export: Export) -> Writer:
    need("rerun", "rerun")
    if export.out.suffix != ".rrd":
        raise ConfigError(f"{export.out}: rerun only opens files that end in .rrd")
    from launch.exchange.rerun_write import RerunWriter

    return RerunWriter(part, source, outline)


def _minari(part: Path, source: Source, outline: Outline, export: Export) -> Writer:
    need("minari", "minari")
    from launch.exchange.minari_write import MinariWriter

    return MinariWriter(part, export.out.name, outline)


WRITERS: dict[str, Make] = {
    "lerobot": _lerobot,
    "rerun": _rerun,
    "arrays": _arrays,
    "daydreamer": _daydreamer,
    "minari": _minari,
}
