"""`reverie curves`: learning curves beside the real robot's, and when each passed a mark."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from launch.run_folder import write_json
from launch.task_curves import DMC, compare
from launch.task_scores import read_returns
from robot.config import ConfigError

REAL = Path("docs/results/anchors/a1_real.json")
A1 = Path("docs/results/a1_learning.png")
TASKS = Path("docs/results/dmc_learning.png")
EPISODES = 10
MARKS = (6, 7, 8, 9, 10, 11, 12)
GRID_MINUTES = 0.1
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple")
REAL_STYLE = {"dreamer": ("real A1, DayDreamer", "black"), "sac": ("real A1, SAC", "0.55")}
# What a reward of the walk task means (robot/tasks/walk.py).
MEANINGS = {5: "on its back", 9: "stands still", 14: "walks at 0.3 m/s"}

Milestones = dict[str, float | None]


@dataclass(frozen=True)
class Curve:
    """Mean reward per step of ten episodes, by the robot time at the end of the tenth.

    Args:
        system: what learnt.
        label: of this curve.
        minutes: (N,) robot time.
        reward: (N,) under the published reward.
        command: that made it.
    """

    system: str
    label: str
    minutes: np.ndarray
    reward: np.ndarray
    command: str = ""


def run_curves(results: Sequence[Path], out: Path | None = None, real: Path = REAL) -> int:
    """Draw runs over the real robot's curves, and write when each passed a mark.

    Beside `out` (a PNG) come milestones_STEM.json and milestones_STEM.md. Runs in environments are
    drawn beside published figures instead (`launch/task_curves.py`).

    Args:
        results: JSON files of runs: {"seed", "system", "episodes": [{"robot_minutes",
            "mean_reward" or "published"}], "command"}.
        out: the picture; A1 or TASKS unless given.
        real: the real robot's curves.

    Returns:
        Exit code 0.

    Raises:
        ConfigError: naming the file and what is wrong with it; nothing is written then.
    """
    if not results:
        raise ConfigError("curves: name at least one result, such as docs/results/a1_*.json")
    data = {path: _read(path, ("seed", "system", "episodes")) for path in results}
    tasks = [path for path in results if "environment" in data[path]]
    if tasks:
        return _compare_tasks({path: data[path] for path in tasks}, results, out or TASKS)
    out = out or A1
    curves = [read_result(path) for path in results]
    anchors = read_real(real)
    out.parent.mkdir(parents=True, exist_ok=True)
    draw(curves, anchors, out)
    table = milestone_table(curves, anchors)
    write_json(out.with_name(f"milestones_{out.stem}.json"), table)
    text = as_markdown(table)
    out.with_name(f"milestones_{out.stem}.md").write_text(text)
    print(text)
    print(f"Picture: {out}")
    return 0


def _compare_tasks(tasks: Mapping[Path, dict[str, Any]], results: Sequence[Path], out: Path) -> int:
    """Draw runs in environments, when there are no others."""
    others = [path for path in results if path not in tasks]
    if others:
        raise ConfigError(f"{others[0]}: is of a robot, {next(iter(tasks))} of an environment")
    runs = [read_returns(path, data) for path, data in tasks.items()]
    print(compare(runs, _read(DMC, ("tasks", "labels", "seeds", "source")), out))
    print(f"Picture: {out}")
    return 0


def smoothed(minutes: Sequence[float], rewards: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Means of ten consecutive episodes, each at the end of its tenth: two arrays (N - 9,)."""
    mean = np.convolve(rewards, np.full(EPISODES, 1 / EPISODES), "valid")
    return np.asarray(minutes, float)[EPISODES - 1 :], mean


def read_result(path: Path) -> Curve:
    """Read one run's result.

    The published reward counts, whatever the run was trained for: where an episode tells it beside
    its `mean_reward`, that is taken.

    Raises:
        ConfigError: naming the file and what is wrong with it.
    """
    data = _read(path, ("seed", "system", "episodes"))
    try:
        minutes = [float(episode["robot_minutes"]) for episode in data["episodes"]]
        rewards = [float(e.get("published", e["mean_reward"])) for e in data["episodes"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{path}: episodes: {error!r} in one of them") from error
    if len(rewards) < EPISODES:
        raise ConfigError(f"{path}: has {len(rewards)} episodes; at least {EPISODES} are needed")
    label = f"{data['system']}, seed {data['seed']}"
    return Curve(data["system"], label, *smoothed(minutes, rewards), data.get("command", ""))


def read_real(path: Path) -> dict[str, Curve]:
    """The real robot's curves by method.

    Raises:
        ConfigError: naming the file and what is wrong with it.
    """
    data = _read(path, ("control_hz", "series"))
    curves = {}
    for name, series in data["series"].items():
        minutes = [step / data["control_hz"] / 60 for step in series["steps"]]
        label, _ = REAL_STYLE[name]
        curves[name] = Curve(name, label, *smoothed(minutes, series["mean_reward"]))
    return curves


def _read(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON: {error}") from error
    missing = [key for key in keys if not isinstance(data, dict) or key not in data]
    if missing:
        raise ConfigError(f"{path}: is no result: it lacks {', '.join(missing)}")
    return data


def milestones(curve: Curve) -> Milestones:
    """Minute at which the curve first lies above each mark, None where it never does."""
    found: Milestones = {}
    for mark in MARKS:
        above = np.flatnonzero(curve.reward > mark)
        found[str(mark)] = round(float(curve.minutes[above[0]]), 3) if len(above) else None
    return found


def median_milestones(found: Sequence[Milestones]) -> Milestones:
    """Median over seeds of each milestone; one that was never passed counts as infinitely late."""
    medians: Milestones = {}
    for mark in found[0]:
        minutes = [float("inf") if (m := f[mark]) is None else m for f in found]
        middle = median(minutes)
        medians[mark] = round(middle, 3) if middle < float("inf") else None
    return medians


def median_curve(curves: Sequence[Curve]) -> Curve:
    """Median over seeds, as far as all of them reach."""
    start = max(curve.minutes[0] for curve in curves)
    end = min(curve.minutes[-1] for curve in curves)
    grid = np.arange(start, end, GRID_MINUTES)
    values = [np.interp(grid, curve.minutes, curve.reward) for curve in curves]
    label = f"{curves[0].system}, median of {len(curves)} seeds"
    return Curve(curves[0].system, label, grid, np.median(values, axis=0))


def by_system(curves: Sequence[Curve]) -> dict[str, list[Curve]]:
    """Curves of each system, in the order in which systems appear."""
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        groups.setdefault(curve.system, []).append(curve)
    return groups


def milestone_table(curves: Sequence[Curve], real: Mapping[str, Curve]) -> dict[str, Any]:
    """Milestones and best value of every run, of each system's median, and of the real robot."""
    rows = [_row(curve) for curve in real.values()]
    for group in by_system(curves).values():
        if len(group) > 1:
            best = round(median(float(curve.reward.max()) for curve in group), 2)
            passed = median_milestones([milestones(curve) for curve in group])
            label = f"{group[0].system}, median of {len(group)} seeds"
            rows.append({"label": label, "minutes": passed, "best": best})
        rows += [_row(curve) for curve in group]
    what = "robot minutes until the mean reward per step of ten episodes first exceeds each mark"
    return {"what": what, "marks": list(MARKS), "rows": rows}


def _row(curve: Curve) -> dict[str, Any]:
    best = round(float(curve.reward.max()), 2)
    row = {"label": curve.label, "minutes": milestones(curve), "best": best}
    return row | ({"command": curve.command} if curve.command else {})


def as_markdown(table: Mapping[str, Any]) -> str:
    """The milestone table in Markdown."""
    marks = [str(mark) for mark in table["marks"]]
    lines = [
        f"{table['what'].capitalize()}.\n",
        f"| | {' | '.join(f'>{mark}' for mark in marks)} | best |",
        f"|---|{'---|' * (len(marks) + 1)}",
    ]
    for row in table["rows"]:
        found = [row["minutes"][mark] for mark in marks]
        cells = " | ".join("-" if minute is None else f"{minute:.2f}" for minute in found)
        lines.append(f"| {row['label']} | {cells} | {row['best']:.2f} |")
    return "\n".join(lines) + "\n"


def draw(curves: Sequence[Curve], real: Mapping[str, Curve], path: Path) -> None:
    """Draw all curves: every seed thin, each system's median thick, the real robot dark."""
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    for name, curve in real.items():
        label, colour = REAL_STYLE[name]
        axes.plot(curve.minutes, curve.reward, color=colour, linewidth=1.6, label=label)
    groups = by_system(curves)
    for colour, group in zip(COLOURS * len(groups), groups.values(), strict=False):
        single = len(group) == 1
        for curve in group:
            label = curve.label if single else None
            width = 1.8 if single else 0.7
            axes.plot(curve.minutes, curve.reward, color=colour, linewidth=width, label=label)
        if not single:
            middle = median_curve(group)
            axes.plot(
                middle.minutes, middle.reward, color=colour, linewidth=2.4, label=middle.label
            )
    end = max(60.0, *(float(curve.minutes[-1]) for curve in curves))
    for reward, meaning in MEANINGS.items():
        axes.axhline(reward, color="0.8", linewidth=0.8, zorder=0)
        axes.text(end, reward, meaning, color="0.4", fontsize=8, ha="right", va="bottom")
    axes.set(xlim=(0, end), ylim=(4.5, 14.6), xlabel="robot time, minutes")
    axes.set_ylabel("published reward per step, mean of ten episodes")
    axes.legend(loc="upper left", frameon=False)
    figure.savefig(path, dpi=130)
