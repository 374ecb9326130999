"""`reverie learn --offline`: learn from logs alone, at full speed, and tell what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from launch.environments import folder_name
from launch.offline_data import Doing, Show
from launch.offline_plan import CLOCK, OfflinePlan
from launch.offline_report import write_report
from launch.offline_run import Budget, OfflineRun
from launch.run_folder import Plan, RunFolder
from launch.signals import until_signal
from robot.config import ConfigError

UPDATES = 10_000  # unless told otherwise
INTERRUPTED = 130


def make_budget(updates: int | None, minutes: float | None, patience: int) -> Budget:
    """How long to learn, from what was asked for.

    Raises:
        ConfigError: naming the option, the value and what is allowed.
    """
    if updates is not None and minutes is not None:
        raise ConfigError("--updates, --minutes: name one of them")
    if updates is not None and updates < 1:
        raise ConfigError(f"--updates {updates}: allowed is 1 or more")
    if minutes is not None and not 0 < minutes < math.inf:
        raise ConfigError(f"--minutes {minutes:g}: allowed is more than 0")
    if patience < 0:
        raise ConfigError(f"--patience {patience}: allowed is 0 or more")
    if minutes is not None:
        return Budget(minutes=minutes, patience=patience)
    return Budget(updates=updates or UPDATES, patience=patience)


def run_offline(plan: OfflinePlan, run: Path | None, budget: Budget) -> int:
    """Learn world model and behaviour from logs, or go on with such a run.

    Args:
        plan: what to learn from, and how.
        run: the run's folder; made from robot, system and seed unless given.
        budget: how long.

    Returns:
        The exit code.

    Raises:
        ConfigError: for logs that cannot be learnt from, or a folder of another run.
        FloatingPointError: when a loss is no longer finite; the last checkpoint stays.
    """
    folder, console = RunFolder(run or Path("runs") / _name(plan)), Console()
    with folder.hold():
        said = "Going on with" if folder.claim(plan) else "New"
        console.print(f"{said} run in {folder.path}", highlight=False)
        lesson = OfflineRun(plan, folder, budget)
        with until_signal() as stop, _progress(console) as show:
            if not lesson.read(stop, show):
                return INTERRUPTED
            try:
                lesson.learn(stop, show)
            finally:
                summary = lesson.close()
            interrupted = stop() and not lesson.is_over
        if not interrupted:
            console.print(write_report(lesson, summary), highlight=False)
    told = summary["offline"]
    console.print(
        f"{told['taught']} steps taught, {told['held_out']} held out, {summary['updates']} "
        f"updates, {summary['computing_s']:.0f} s of computing; "
        f"weights of update {told['chosen_update']}. Summary: {folder.summary}. "
        f"Try it: reverie evaluate {folder.path}",
        highlight=False,
    )
    return 0


def _name(plan: OfflinePlan) -> str:
    inner = plan.plan
    if isinstance(inner, Plan):
        return f"{inner.name}-{inner.system}-{CLOCK}-{inner.seed}"
    return f"{folder_name(inner)}-{CLOCK}"


@contextmanager
def _progress(console: Console) -> Iterator[Show]:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}")
    rest = TimeRemainingColumn(), TextColumn("{task.fields[figures]}")
    with Progress(*columns, *rest, console=console, transient=True) as progress:
        task = progress.add_task("reading logs", total=None, count="", figures="")

        def show(doing: Doing) -> None:
            count = f"{doing.done:.0f}" + (f" of {doing.total:.0f}" if doing.total else "")
            progress.update(
                task,
                description=doing.what,
                completed=doing.done,
                total=doing.total or None,
                count=count,
                figures=doing.figures,
            )

        yield show
