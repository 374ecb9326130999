"""Evaluates one run in an environment: by its mode, as it was learnt, in a film and on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from launch.environment_study import (
    EnvironmentCandidate,
    describe_environment,
    film_environment,
    try_environment,
)
from launch.environment_trial import trial
from launch.environments import read_environment_plan
from launch.evaluate_runs import whole
from launch.inside import look_at_run
from launch.report import write_report
from launch.run_folder import RunFolder, versions, write_json
from launch.trial import Trial
from learner.behaviour.noise import SeededNoise
from robot.config import ConfigError


def try_in_environment(folder: RunFolder, asked: Trial, out: Path) -> int:
    """Write evaluation.json, film and report: by the policy's mode, and with sampled actions.

    Args:
        folder: of the run.
        asked: how many episodes of each kind, and from which seed; nothing else can be asked for.
        out: folder of the results.

    Returns:
        Exit code 0.

    Raises:
        ConfigError, WeightsError: naming what cannot be used; nothing is written then.
    """
    plan, episodes, seed = read_environment_plan(folder), asked.episodes, asked.seed
    if asked != Trial(episodes=episodes, seed=seed):
        raise ConfigError(f"{plan.name} is an environment: allowed is --episodes, --seed and --out")
    asked.check()
    candidate = EnvironmentCandidate.read(folder.path, folder.path.resolve().name, plan)
    weights = candidate.weights
    (by_mode,) = try_environment([candidate], episodes, seed)
    sampled = trial(plan, weights, SeededNoise(seed), episodes, seed)
    kinds = {"mode": by_mode.returns.tolist(), "sampled": sampled}
    result: dict[str, Any] = {
        "environment": plan.environment.model_dump(mode="json"),
        "system": plan.system,
        "preset": plan.preset,
        "seed": seed,
        "weights": {"version": weights.version, "updates": weights.updates},
        **{name: summary(returns) for name, returns in kinds.items()},
        "versions": versions(),
    }
    out.mkdir(parents=True, exist_ok=True)
    media = film_environment([by_mode], out)
    told = whole([describe_environment([by_mode], seed)])
    told |= {"configuration": {plan.name: plan.as_dict()}}
    write_report(out / "report.html", told, [media])
    write_json(out / "evaluation.json", result)
    console = Console()
    for name in kinds:
        said = result[name]
        console.print(
            f"{plan.name}, {name} actions: return {said['mean']:.1f} +- {said['std']:.1f} "
            f"over {episodes} episodes",
            highlight=False,
        )
    look_at_run(folder, out / "inside")
    if not media.films:
        console.print(f"{plan.name} draws nothing here, so there is no film", highlight=False)
    console.print(f"Look at it: {out / 'report.html'}", highlight=False, soft_wrap=True)
    return 0


def summary(returns: list[float]) -> dict[str, Any]:
    """Mean and standard deviation of returns, and all of them."""
    mean, std = round(float(np.mean(returns)), 3), round(float(np.std(returns)), 3)
    return {"mean": mean, "std": std, "returns": [round(value, 3) for value in returns]}
