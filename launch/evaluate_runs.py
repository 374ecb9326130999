"""`reverie evaluate RUN...`: several runs, several conditions, one report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from launch.beside import FILM_HZ, Scene, as_webp, beside, frames_of, size_of, strip
from launch.candidates import Candidate, read_candidate, short_names
from launch.conditions import CLEAN, Conditions, read_conditions
from launch.environment_study import (
    EnvironmentCandidate,
    describe_environment,
    film_environment,
    try_environment,
)
from launch.environments import read_environment_plan
from launch.intervals import CONFIDENCE, RESAMPLES
from launch.over_tasks import scores_over_tasks
from launch.references import robot_reference
from launch.report import Media, write_report
from launch.run_folder import RunFolder, versions, write_json
from launch.study import Outcome, by_condition, describe, try_candidate
from launch.trial import Episode, Trial, trial_plan
from launch.video import write_web_video
from robot.config import ConfigError

MOST_TILES = 6


@dataclass(frozen=True)
class Asked:
    """What a command line asks for, checked.

    Args:
        trial: how policies are tried.
        robots: runs of robots, by robot and task.
        conditions: of each of these.
        environments: runs in environments, by name.
    """

    trial: Trial
    robots: dict[str, list[Candidate]]
    conditions: dict[str, Conditions]
    environments: dict[str, list[EnvironmentCandidate]]

    def episodes(self) -> int:
        """Episodes to be lived, random play of each task counted in."""
        tries = sum(
            len(self.conditions[task].wanted) * len(group) + 1
            for task, group in self.robots.items()
        )
        tries += sum(len(group) + 1 for group in self.environments.values())
        return tries * self.trial.episodes


def evaluate_runs(
    paths: Sequence[Path], trial: Trial, words: Sequence[str], out: Path | None = None
) -> int:
    """Try the latest policies of runs under conditions; write evaluation.json and report.html.

    Args:
        paths: folders of runs, of robots or in environments, trained by anyone.
        trial: how often, how long, from which start, on which twin.
        words: perturbations, as `--perturb` says them.
        out: folder of the results; RUN/evaluation of a single run, else `evaluation` beside the
            first run.

    Returns:
        Exit code 0; whether the policies can do their tasks is a result, not an error.

    Raises:
        ConfigError, WeightsError: naming what cannot be used; nothing is written then.
    """
    asked = read_asked(paths, trial, words)
    out = out or (paths[0] if len(paths) == 1 else paths[0].parent) / "evaluation"
    console = Console()
    with _progress(console) as progress:
        task = progress.add_task("acting", total=asked.episodes())

        def tick() -> None:
            progress.advance(task)

        lived = {name: _live(asked, name, tick) for name in asked.robots}
        studies = [study for study, _ in lived.values()]
        tried = [
            try_environment(group, trial.episodes, trial.seed, tick)
            for group in asked.environments.values()
        ]
        for outcomes in tried:
            studies.append(describe_environment(outcomes, trial.seed))
            progress.advance(task, trial.episodes)
        told = whole(studies) | {"configuration": _configuration(asked)}
        write_json(out / "evaluation.json", told)
        media = [film(outcomes, out, progress) for _, outcomes in lived.values()]
        media += [film_environment(outcomes, out) for outcomes in tried]
    write_report(out / "report.html", told, media)
    for study in studies:
        _print(console, study)
    console.print(f"Look at it: {out / 'report.html'}", highlight=False, soft_wrap=True)
    return 0


def read_asked(paths: Sequence[Path], trial: Trial, words: Sequence[str]) -> Asked:
    """Check everything before anything is tried.

    Raises:
        ConfigError, WeightsError: naming what cannot be used.
    """
    trial.check()
    robots: dict[str, list[Candidate]] = {}
    environments: dict[str, list[EnvironmentCandidate]] = {}
    for path, name in zip(paths, short_names(paths), strict=True):
        if "environment" in RunFolder(path).saved_plan():
            one = _environment(path, name, trial, words)
            environments.setdefault(one.plan.name, []).append(one)
        else:
            candidate = read_candidate(path, trial, name)
            robots.setdefault(candidate.task, []).append(candidate)
    conditions = {}
    for task, group in robots.items():
        conditions[task] = read_conditions(words, trial_plan(group[0].plan, trial).robot)
        for candidate in group:
            for condition in conditions[task].wanted:
                perturbed = replace(trial, perturbations=condition.perturbations)
                trial_plan(candidate.plan, perturbed)
    return Asked(trial, robots, conditions, environments)


def whole(studies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What `evaluation.json` holds: all studies, and how they were made."""
    over = studies[0]["conditions"][0]["score"]["over"]
    return {
        "title": ", ".join(study["task"] for study in studies),
        "studies": studies,
        "scores": scores_over_tasks(studies),
        "method": (
            "A policy acts by its mode, in lock-step, and every condition has the same seeds. A "
            "score is the mean over runs of each run's mean over episodes; its spread the standard "
            "deviation of runs, or of the episodes of a single run. Intervals: "
            f"{CONFIDENCE:.0%}, percentile bootstrap with {RESAMPLES} resamples of {over}."
        ),
        "command": " ".join(["reverie", *sys.argv[1:]]),
        "versions": versions(),
    }


def film(outcomes: Sequence[Outcome], out: Path, progress: Progress) -> Media:
    """Films beside each other of runs, and of conditions, and frames of a clean episode."""
    groups, first = by_condition(outcomes), outcomes[0]
    label = first.plan.robot.robot
    scenes: dict[str, list[Scene]] = {}
    if len(groups[CLEAN]) > 1:
        runs = [Scene(o.name, o, o.episodes[0]) for o in groups[CLEAN][:MOST_TILES]]
        scenes["runs"] = runs
    if len(groups) > 1:
        hardest = {group[0].condition.kind: group[0] for group in groups.values()}
        shown = list(hardest.values())[:MOST_TILES]
        scenes["conditions"] = [Scene(o.condition.name, o, o.episodes[0]) for o in shown]
    films = []
    for name, tiles in scenes.items():
        pictures = progress.track(beside(tiles), frames_of(tiles), description="drawing")
        hz = min(FILM_HZ, first.plan.control_hz)
        path = write_web_video(out / f"{label}_{name}", pictures, size_of(tiles), hz)
        films.append((", ".join(tile.title for tile in tiles), path))
    return Media(frames_from(first, first.episodes[0]), films)


def frames_from(outcome: Outcome, episode: Episode) -> list[tuple[str, bytes]]:
    """Labelled pictures of an episode."""
    return [(f"{second:.1f} s", as_webp(frame)) for second, frame in strip(outcome, episode)]


def _live(
    asked: Asked, task: str, tick: Callable[[], None]
) -> tuple[dict[str, Any], list[Outcome]]:
    def watch(episodes: Iterable[Episode]) -> Iterator[Episode]:
        for episode in episodes:
            yield episode
            tick()

    group, conditions = asked.robots[task], asked.conditions[task]
    outcomes = [
        try_candidate(candidate, condition, asked.trial, watch)
        for condition in conditions.wanted
        for candidate in group
    ]
    clean = outcomes[0]
    reference = robot_reference(clean.plan, clean.trial, clean.yardstick)
    for _ in range(asked.trial.episodes):
        tick()
    runs = [candidate.as_dict() for candidate in group]
    study = describe(outcomes, reference)
    return {**study, "runs": runs, "left_out": conditions.left_out}, outcomes


def _environment(path: Path, name: str, trial: Trial, words: Sequence[str]) -> EnvironmentCandidate:
    plan = read_environment_plan(RunFolder(path))
    if trial != Trial(episodes=trial.episodes, seed=trial.seed):
        raise ConfigError(f"{plan.name} is an environment: allowed is --episodes, --seed and --out")
    if any(entry not in ("", CLEAN) for word in words for entry in word.split(",")):
        raise ConfigError(f"--perturb: {plan.name} is an environment; only twins are perturbed")
    return EnvironmentCandidate.read(path, name, plan)


def _configuration(asked: Asked) -> dict[str, Any]:
    """Resolved configuration of the first run of each task."""
    firsts = {task: group[0].plan for task, group in asked.robots.items()}
    more = {name: group[0].plan for name, group in asked.environments.items()}
    return {task: plan.as_dict() for task, plan in {**firsts, **more}.items()}


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}")
    total = TextColumn("of {task.total:.0f}")
    return Progress(*columns, total, TimeRemainingColumn(), console=console, transient=True)


def _print(console: Console, study: dict[str, Any]) -> None:
    said = f"{study['task']}: {study['question']} {study['answer']}."
    table = Table(title=said, title_justify="left")
    table.add_column("", no_wrap=True)
    for head in (study["measure"], "95% interval", "normalised", "episodes that pass"):
        table.add_column(head, justify="right")
    for row in study["conditions"]:
        score, normal, passed = row["score"], row["normalised"], row["passed"]
        ends = f"{score['low']:.2f} to {score['high']:.2f}" if score["low"] is not None else "-"
        table.add_row(
            row["name"],
            f"{score['mean']:.2f}",
            ends,
            f"{normal['mean']:.2f}" if normal else "-",
            f"{passed['mean']:.0%}" if passed else "-",
        )
    console.print(table)
    for name, why in study["left_out"].items():
        console.print(f"Left out: {name}, for {why}.", highlight=False)
