"""`reverie evaluate`: how well a saved policy does, in figures, in a film and in a plot."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from launch.environment_trial import try_in_environment
from launch.gait import Check, Gait, pool, walking_gate
from launch.run_folder import Plan, RunFolder, versions, write_json
from launch.trial import Episode, Trial, open_twin, read_weights, run_trial, trial_plan
from launch.video import captioned, write_video
from robot.clock import SteppedClock
from robot.wire.weights import Weights

REWARDS = ("published", "walk_upright")
PICTURE = (360, 480)


def run_evaluate(run: Path, trial: Trial, out: Path | None = None) -> int:
    """Try the latest policy of a run and write evaluation.json, a film and a reward plot.

    Of a run in an environment, the returns alone (`launch/environment_trial.py`).

    Args:
        run: the run's folder.
        trial: how often, how long, from which start, on which twin.
        out: folder of the results, RUN/evaluation unless given.

    Returns:
        Exit code 0; whether the policy walks is a result, not an error.

    Raises:
        ConfigError, WeightsError: naming what cannot be used; nothing is written then.
    """
    folder, console = RunFolder(run), Console()
    if "environment" in folder.saved_plan():
        return try_in_environment(folder, trial, out or run / "evaluation")
    plan = trial_plan(folder.read_plan(), trial)
    weights = read_weights(folder, plan)
    out = out or run / "evaluation"
    with _progress(console) as progress:
        wanted = run_trial(plan, weights, trial)
        episodes = list(_shown(progress, "acting", wanted, trial.episodes))
        shown = median_episode(episodes)
        out.mkdir(parents=True, exist_ok=True)
        pictures = _shown(progress, "drawing", film(plan, shown), len(shown.states))
        hz = float(plan.robot.control.control_hz)
        video = write_video(out / "evaluation", pictures, PICTURE, hz)
    plot(episodes, hz, out / "evaluation.png")
    result = report(plan, weights, trial, episodes)
    result |= {"run": str(run), "video": video.name, "video_seed": shown.seed}
    write_json(out / "evaluation.json", result)
    _print(console, result)
    console.print(f"Film, plot and all figures: {out}", highlight=False)
    return 0


def report(
    plan: Plan, weights: Weights, trial: Trial, episodes: Sequence[Episode]
) -> dict[str, Any]:
    """All figures, JSON-ready: per episode, overall, and the walking gate."""
    feet = list(plan.robot.legs)
    overall = pool([episode.gait for episode in episodes])
    checks = walking_gate(overall)
    lines = [_line(episode, feet) for episode in episodes]
    return {
        "robot": plan.robot.robot,
        "system": plan.system,
        "preset": plan.preset,
        "trained_for": plan.robot.task.reward,
        "weights": {
            "version": weights.version,
            "updates": weights.updates,
            "sha256": weights.sha256,
        },
        "trial": {**asdict(trial), "twin": plan.twin},
        "gate": {
            "passes": all(check.passes for check in checks),
            "episodes_passed": sum(line["passes"] for line in lines),
            "checks": [asdict(check) for check in checks],
        },
        "overall": {**_rewards(episodes), **_gait(overall, feet)},
        "episodes": lines,
        "command": " ".join(["reverie", *sys.argv[1:]]),
        "versions": versions(),
    }


def median_episode(episodes: Sequence[Episode]) -> Episode:
    """The episode of the middle published return (the lower middle of an even number)."""
    ranked = sorted(episodes, key=lambda episode: float(episode.terms["published"].sum()))
    return ranked[(len(ranked) - 1) // 2]


def film(plan: Plan, episode: Episode) -> Iterator[np.ndarray]:
    """Draw an episode step by step, (H, W, 3) RGB bytes, with its figures in the picture."""
    twin = open_twin(plan, SteppedClock())
    try:
        for step, state in enumerate(episode.states):
            twin.show(state)
            yield captioned(twin.render("chase", *PICTURE), _caption(plan, episode, step))
    finally:
        twin.close()


def plot(episodes: Sequence[Episode], hz: float, path: Path) -> None:
    """Draw both rewards and the estimated forward speed of every episode over time."""
    figure = Figure(figsize=(8, 7), layout="constrained")
    names = (*REWARDS, "forward_m_s")
    labels = ("published reward per step", "walk_upright reward per step", "forward speed, m/s")
    for axes, name, label in zip(figure.subplots(3, sharex=True), names, labels, strict=True):
        lines = np.stack([episode.terms[name] for episode in episodes])  # (E, N)
        seconds = np.arange(lines.shape[1]) / hz
        axes.plot(seconds, lines.T, color="0.75", linewidth=0.7)
        axes.plot(seconds, lines.mean(axis=0), color="tab:blue", linewidth=1.6)
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    figure.axes[-1].set_xlabel(f"seconds (grey: {len(episodes)} episodes, blue: their mean)")
    figure.savefig(path, dpi=110)


def _line(episode: Episode, feet: Sequence[str]) -> dict[str, Any]:
    checks = walking_gate(episode.gait)
    return {
        "seed": episode.seed,
        "passes": all(check.passes for check in checks),
        "fails": [check.name for check in checks if not check.passes],
        **_rewards([episode]),
        "invalid_steps": int((~episode.valid).sum()),
        "body": episode.body,
        **_gait(episode.gait, feet),
    }


def _rewards(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Means over episodes of the return and of the reward per step, under both rewards."""
    of = {name: [episode.terms[name] for episode in episodes] for name in REWARDS}
    return {
        "return": {name: round(float(np.mean([r.sum() for r in of[name]])), 3) for name in of},
        "mean_reward": {name: round(float(np.concatenate(of[name]).mean()), 4) for name in of},
    }


def _gait(gait: Gait, feet: Sequence[str]) -> dict[str, Any]:
    figures = asdict(gait)
    per_foot = zip(feet, figures.pop("feet"), strict=True)
    rounded = {name: round(value, 4) for name, value in figures.items()}
    return {**rounded, "feet": {name: _rounded(foot) for name, foot in per_foot}}


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def _caption(plan: Plan, episode: Episode, step: int) -> list[str]:
    terms = {name: values[step] for name, values in episode.terms.items()}
    _, x, y, _ = episode.states[step, 3:7]
    return [
        f"{step / plan.robot.control.control_hz:.2f} s   reward {terms['published']:.2f}   "
        f"forward {terms['forward_m_s']:+.2f} m/s",
        f"up {1 - 2 * (x * x + y * y):+.2f}   height {episode.states[step, 2]:.2f} m   "
        f"walk_upright {terms['walk_upright']:.2f}",
    ]


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}")
    total = TextColumn("of {task.total:.0f}")
    return Progress(*columns, total, TimeRemainingColumn(), console=console, transient=True)


def _shown(progress: Progress, name: str, items: Iterator, total: int) -> Iterator:
    """Pass items on and show how far they are."""
    yield from progress.track(items, total=total, description=name)


def _print(console: Console, result: Mapping[str, Any]) -> None:
    overall, gate = result["overall"], result["gate"]
    table = Table("", "figure", "needed", "", title="Does it walk?", title_justify="left")
    for row in gate["checks"]:
        check = Check(**row)
        mark = "[green]yes[/]" if check.passes else "[red]no[/]"
        table.add_row(check.name, f"{check.figure:.3f}", check.needed, mark)
    console.print(table)
    rewards = ", ".join(f"{name} {overall['mean_reward'][name]:.2f}" for name in REWARDS)
    console.print(
        f"{'It walks' if gate['passes'] else 'It does not walk'}: {gate['episodes_passed']} of "
        f"{len(result['episodes'])} episodes pass. Mean reward per step: {rewards}.",
        highlight=False,
    )
