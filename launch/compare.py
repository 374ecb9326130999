"""`reverie compare`: systems side by side on one task, with the same computing for each."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from itertools import product
from multiprocessing import active_children, get_context
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from launch.bench import machine
from launch.lanes import Entry, Task, run_lane
from launch.run_folder import versions, write_json
from launch.signals import Ended
from launch.whole import write_whole
from robot.config import ConfigError

Lanes = Sequence[Mapping[str, Any]]


def run_compare(
    task: Task, entries: Sequence[str], seeds: Sequence[int], jobs: int, out: Path
) -> int:
    """Let every entry learn with every seed; a table, and OUT.json, OUT.md and OUT.png.

    Lanes that OUT.json holds already, of the same task, are kept and not run again.

    Args:
        task: what is learnt, and how it is graded.
        entries: who takes part; see `Entry`.
        seeds: of everything that is random.
        jobs: lanes at a time, each on one core.
        out: the results' path without its suffix.

    Returns:
        Exit code 0; who reached the goal is a result.

    Raises:
        ConfigError: naming what is not allowed, before anything is run.
    """
    check(task, entries, seeds, jobs)
    kept = kept_lanes(out.with_suffix(".json"), task)
    console = Console(stderr=True)
    wanted = list(product(entries, seeds))
    missing = [(e, s) for e, s in wanted if (e, s) not in kept]
    with Progress(console=console) as progress:
        bar = progress.add_task(f"{len(missing)} lanes, {jobs} at a time", total=len(missing))
        for lane in lanes(task, missing, jobs):
            kept[lane["entry"], lane["seed"]] = lane
            write(task, list(kept.values()), out)
            progress.advance(bar)
            progress.console.print(tell(lane), highlight=False)
    shown = [kept[key] for key in wanted]
    Console().print(table(task, shown))
    write(task, list(kept.values()), out)
    return 0


def check(task: Task, entries: Sequence[str], seeds: Sequence[int], jobs: int) -> None:
    """Refuse what cannot be compared.

    Raises:
        ConfigError: naming the option, the value and what is allowed.
    """
    for name, least in (("cpu_minutes", 0.01), ("every_s", 0.01), ("episodes", 1), ("goal", 0.0)):
        if getattr(task, name) < least:
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} {getattr(task, name)}: allowed is {least} or more")
    if not entries or not seeds or jobs < 1:
        raise ConfigError("compare: name at least one system, one seed and one job")
    for entry in entries:
        task.grade(task.plan(Entry.read(entry), seeds[0]))


def lanes(task: Task, wanted: Sequence[tuple[str, int]], jobs: int) -> Iterator[dict[str, Any]]:
    """Outcomes of the lanes, as they end; each runs in a process of its own."""
    with ProcessPoolExecutor(jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        running = [pool.submit(run_lane, asdict(task), entry, seed) for entry, seed in wanted]
        try:
            for future in as_completed(running):
                yield future.result()
        except Ended:  # Ctrl-C reaches the lanes by itself
            for number in [lane.pid for lane in active_children() if lane.pid]:
                os.kill(number, signal.SIGINT)
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def kept_lanes(path: Path, task: Task) -> dict[tuple[str, int], Mapping[str, Any]]:
    """Lanes of an earlier call.

    Raises:
        ConfigError: when the file is of another task.
    """
    if not path.exists():
        return {}
    found = json.loads(path.read_text())
    if found.get("task") != json.loads(json.dumps(asdict(task))):
        raise ConfigError(f"--out {path}: holds a comparison of another task; name another file")
    return {(lane["entry"], lane["seed"]): lane for lane in found["lanes"]}


def summary(lanes: Lanes) -> dict[str, dict[str, Any]]:
    """Per entry: how many seeds reached the goal, the median of computing, the shares."""
    names = list(dict.fromkeys(lane["entry"] for lane in lanes))
    mine = {name: [lane for lane in lanes if lane["entry"] == name] for name in names}
    return {
        name: {
            "reached": sum(lane["reached"] for lane in of),
            "seeds": len(of),
            "cpu_s": [lane["cpu_s"] for lane in of],
            "robot_minutes": [lane["robot_minutes"] for lane in of],
            "best": [lane["best"] for lane in of],
            "median_cpu_s": float(np.median([lane["cpu_s"] for lane in of])),
        }
        for name, of in mine.items()
    }


def tell(lane: Mapping[str, Any]) -> str:
    """One line on a lane that ended."""
    verb = "reached the goal" if lane["reached"] else f"came to {lane['best']:.2f}"
    after = f"{lane['cpu_s']:.0f} s of computing, {lane['robot_minutes']:.1f} robot minutes"
    return f"{lane['entry']}, seed {lane['seed']}: {verb} after {after}"


TITLE = 40  # letters of a panel's title in one line
HEAD = ("system", "seeds that reached it", "CPU s", "robot minutes", "best share")


def rows(lanes: Lanes) -> list[tuple[str, ...]]:
    """Cells of the table, a row per entry."""
    return [
        (
            name,
            f"{found['reached']} of {found['seeds']}",
            ", ".join(f"{value:.0f}" for value in found["cpu_s"]),
            ", ".join(f"{value:.1f}" for value in found["robot_minutes"]),
            ", ".join(f"{value:.2f}" for value in found["best"]),
        )
        for name, found in summary(lanes).items()
    ]


def table(task: Task, lanes: Lanes) -> Table:
    """For the terminal."""
    drawn = Table(*HEAD, title=f"{task.target}: {task.goal:.0%} of the best return")
    for row in rows(lanes):
        drawn.add_row(*row)
    return drawn


def write(task: Task, lanes: Lanes, out: Path) -> None:
    """Write the three files, each whole or not at all."""
    command = " ".join(["reverie", *sys.argv[1:]])
    facts = {"command": command, "task": asdict(task), "entries": summary(lanes), "lanes": lanes}
    write_json(out.with_suffix(".json"), {**facts, "machine": machine(), "versions": versions()})
    lines = ["| " + " | ".join(row) + " |" for row in (HEAD, ("---",) * len(HEAD), *rows(lanes))]
    write_whole(out.with_suffix(".md"), ("\n".join(lines) + "\n").encode())
    picture(task, lanes, out.with_suffix(".png"))


def picture(task: Task, lanes: Lanes, path: Path) -> None:
    """Shares over seconds of computing, a panel for each entry."""
    names = list(dict.fromkeys(lane["entry"] for lane in lanes))
    width = min(len(names), 3)
    height = -(-len(names) // width)
    figure = Figure(figsize=(3.4 * width, 2.5 * height), layout="constrained")
    panels = figure.subplots(height, width, sharey=True, squeeze=False).flat
    for axes, name in zip(panels, names, strict=False):
        for lane in (lane for lane in lanes if lane["entry"] == name):
            points = [(point["cpu_s"], point["share"]) for point in lane["curve"]]
            axes.plot(*zip(*points, strict=True), label=f"seed {lane['seed']}")
        axes.axhline(task.goal, color="0.5", linewidth=0.8, linestyle="--")
        axes.set_title(fill(name.replace("+", " +"), TITLE), fontsize=8)
        axes.set_ylim(-0.1, 1.1)
        axes.grid(alpha=0.3)
    figure.supxlabel("seconds of computing", fontsize=9)
    figure.supylabel("share of the best return, by the mode", fontsize=9)
    figure.savefig(path, dpi=110)
