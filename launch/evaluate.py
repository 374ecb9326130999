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

from launch.beside import FILM_HZ, Scene, beside, size_of
from launch.candidates import Candidate, read_candidate
from launch.conditions import Condition
from launch.environment_evaluate import try_in_environment
from launch.evaluate_runs import evaluate_runs, frames_from, whole
from launch.gait import Check
from launch.inside import look_at_run
from launch.report import Media, write_report
from launch.rival_policy import is_rivals
from launch.run_folder import Plan, RunFolder, versions, write_json
from launch.study import Outcome, describe
from launch.trial import Episode, Trial, open_twin, trial_plan, try_policy
from launch.video import captioned, write_video, write_web_video
from launch.yardsticks import Yardstick, yardstick_of
from robot.clock import SteppedClock
from robot.config import ConfigError

PICTURE = (360, 480)


def run_evaluate(
    runs: Sequence[Path], trial: Trial, out: Path | None = None, perturb: Sequence[str] = ()
) -> int:
    """Try the latest policies of runs.

    One run, undisturbed, is told in full (`evaluate_run`); several runs, or perturbations, are
    compared (`launch/evaluate_runs.py`).

    Args:
        runs: folders of runs.
        trial: how often, how long, from which start, on which twin.
        out: folder of the results.
        perturb: words of `--perturb`.

    Returns:
        Exit code 0; whether the policies can do their tasks is a result, not an error.

    Raises:
        ConfigError, WeightsError: naming what cannot be used; nothing is written then.
    """
    if not runs:
        raise ConfigError("RUN: allowed is one folder of a run, or more")
    if len(runs) == 1 and not perturb:
        return evaluate_run(runs[0], trial, out)
    return evaluate_runs(runs, trial, perturb, out)


def evaluate_run(run: Path, trial: Trial, out: Path | None = None) -> int:
    """Try the latest policy of a run and write evaluation.json, film, reward plot and report.

    Of a run in an environment see `launch/environment_evaluate.py`.

    Args:
        run: the run's folder.
        trial: how often, how long, from which start, on which twin.
        out: folder of the results, RUN/evaluation unless given.

    Returns:
        Exit code 0; whether the policy can do its task is a result, not an error.

    Raises:
        ConfigError, WeightsError: naming what cannot be used; nothing is written then.
    """
    folder, console = RunFolder(run), Console()
    if "environment" in folder.saved_plan():
        return try_in_environment(folder, trial, out or run / "evaluation")
    candidate = read_candidate(run, trial)
    plan = trial_plan(candidate.plan, trial)
    trial, out = trial.on(plan.robot), out or run / "evaluation"
    with _progress(console) as progress:
        wanted = try_policy(plan, candidate.policy(plan, trial.seed), trial)
        episodes = list(_shown(progress, "acting", wanted, trial.episodes))
        yardstick = yardstick_of(plan, trial)
        shown = median_episode(episodes, yardstick.rewards[0])
        out.mkdir(parents=True, exist_ok=True)
        pictures = _shown(progress, "drawing", film(plan, yardstick, shown), len(shown.states))
        hz = float(plan.robot.control.control_hz)
        video = write_video(out / "evaluation", pictures, PICTURE, hz)
    plot(episodes, yardstick, hz, out / "evaluation.png")
    result = report(plan, yardstick, episodes) | {
        "trial": {**trial.as_dict(), "twin": plan.twin},
        "weights": candidate.weights,
    }
    result |= {"run": str(run), "video": video.name, "video_seed": shown.seed}
    write_json(out / "evaluation.json", result)
    outcome = Outcome(candidate.name, Condition(), trial, plan, yardstick, episodes)
    _write_report(out / "report.html", candidate, outcome, shown)
    _print(console, yardstick, result)
    if not is_rivals(folder.saved_plan()):  # those have no model to look into
        look_at_run(folder, out / "inside")
    console.print(f"Film, plot and all figures: {out}", highlight=False)
    return 0


def report(plan: Plan, yardstick: Yardstick, episodes: Sequence[Episode]) -> dict[str, Any]:
    """All figures, JSON-ready: per episode, overall, and the gate."""
    checks = yardstick.gate(episodes)
    lines = [_line(yardstick, episode) for episode in episodes]
    return {
        "robot": plan.robot.robot,
        "system": plan.system,
        "preset": plan.preset,
        "trained_for": yardstick.trained_for,
        "gate": {
            "passes": all(check.passes for check in checks),
            "episodes_passed": sum(line["passes"] for line in lines),
            "checks": [asdict(check) for check in checks],
        },
        "overall": {**_rewards(yardstick, episodes), **yardstick.figures(episodes)},
        "episodes": lines,
        "command": " ".join(["reverie", *sys.argv[1:]]),
        "versions": versions(),
    }


def median_episode(episodes: Sequence[Episode], reward: str = "published") -> Episode:
    """The episode of the middle return (the lower middle of an even number)."""
    ranked = sorted(episodes, key=lambda episode: float(episode.terms[reward].sum()))
    return ranked[(len(ranked) - 1) // 2]


def film(plan: Plan, yardstick: Yardstick, episode: Episode) -> Iterator[np.ndarray]:
    """Draw an episode step by step, (H, W, 3) RGB bytes, with its figures in the picture."""
    twin = open_twin(plan, SteppedClock())
    try:
        for step, state in enumerate(episode.states):
            twin.show(state)
            first, *more = yardstick.caption(episode, step)
            lines = [f"{step / plan.robot.control.control_hz:.2f} s   {first}", *more]
            yield captioned(twin.render("chase", *PICTURE), lines)
    finally:
        twin.close()


def plot(episodes: Sequence[Episode], yardstick: Yardstick, hz: float, path: Path) -> None:
    """Draw what the yardstick names of every episode over time."""
    figure = Figure(figsize=(8, 7), layout="constrained")
    drawn = yardstick.plotted
    rows = figure.subplots(len(drawn), sharex=True)
    for axes, (name, label) in zip(rows, drawn.items(), strict=True):
        lines = np.stack([episode.terms[name] for episode in episodes])  # (E, N)
        seconds = np.arange(lines.shape[1]) / hz
        axes.plot(seconds, lines.T, color="0.75", linewidth=0.7)
        axes.plot(seconds, lines.mean(axis=0), color="tab:blue", linewidth=1.6)
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    figure.axes[-1].set_xlabel(f"seconds (grey: {len(episodes)} episodes, blue: their mean)")
    figure.savefig(path, dpi=110)


def _write_report(path: Path, candidate: Candidate, outcome: Outcome, shown: Episode) -> None:
    """The same figures, and the same episode in frames and as a film that browsers play."""
    told = whole([{**describe([outcome]), "runs": [candidate.as_dict()], "left_out": {}}])
    told |= {"configuration": {outcome.plan.robot.robot: outcome.plan.as_dict()}}
    scenes = [Scene(f"seed {shown.seed}", outcome, shown)]
    hz = min(FILM_HZ, outcome.plan.control_hz)
    moving = write_web_video(path.with_suffix(""), beside(scenes), size_of(scenes), hz)
    films = [(f"{candidate.name}, the episode of the middle return", moving)]
    write_report(path, told, [Media(frames_from(outcome, shown), films)])


def _line(yardstick: Yardstick, episode: Episode) -> dict[str, Any]:
    checks = yardstick.gate([episode])
    return {
        "seed": episode.seed,
        "passes": all(check.passes for check in checks),
        "fails": [check.name for check in checks if not check.passes],
        **_rewards(yardstick, [episode]),
        "invalid_steps": int((~episode.valid).sum()),
        "body": episode.body,
        **yardstick.figures([episode]),
    }


def _rewards(yardstick: Yardstick, episodes: Sequence[Episode]) -> dict[str, Any]:
    """Means over episodes of the return and of the reward per step, under every reward."""
    of = {name: [episode.terms[name] for episode in episodes] for name in yardstick.rewards}
    return {
        "return": {name: round(float(np.mean([r.sum() for r in of[name]])), 3) for name in of},
        "mean_reward": {name: round(float(np.concatenate(of[name]).mean()), 4) for name in of},
    }


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}")
    total = TextColumn("of {task.total:.0f}")
    return Progress(*columns, total, TimeRemainingColumn(), console=console, transient=True)


def _shown(progress: Progress, name: str, items: Iterator, total: int) -> Iterator:
    """Pass items on and show how far they are."""
    yield from progress.track(items, total=total, description=name)


def _print(console: Console, yardstick: Yardstick, result: Mapping[str, Any]) -> None:
    overall, gate = result["overall"], result["gate"]
    table = Table("", "figure", "needed", "", title=yardstick.question, title_justify="left")
    for row in gate["checks"]:
        check = Check(**row)
        mark = "[green]yes[/]" if check.passes else "[red]no[/]"
        table.add_row(check.name, f"{check.figure:.3f}", check.needed, mark)
    console.print(table)
    rewards = ", ".join(f"{name} {value:.2f}" for name, value in overall["mean_reward"].items())
    console.print(
        f"{'Yes' if gate['passes'] else 'No'}, by all episodes together; {gate['episodes_passed']} "
        f"of {len(result['episodes'])} pass alone. Mean reward per step: {rewards}.",
        highlight=False,
    )
