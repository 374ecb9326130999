"""Tries a policy in the environment that it was learnt in: by its mode, and as it was learnt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from launch.compose import PolicyMaker
from launch.environments import EnvironmentPlan, read_environment_plan
from launch.inside import look_at_run
from launch.run_folder import RunFolder, versions, write_json
from launch.trial import Trial, read_weights
from launch.worlds import EnvironmentWorld
from learner.behaviour.noise import ModeNoise, Noise, SeededNoise
from robot.config import ConfigError
from robot.policy.interface import Policy
from robot.policy.rollout import FixedPilot, Start, rollout
from robot.wire.weights import Weights

# Apart from the seeds of training, so that no start was seen before.
FRESH = 1_000_000


def try_in_environment(folder: RunFolder, asked: Trial, out: Path) -> int:
    """Write evaluation.json: returns of episodes by the policy's mode, and with sampled actions.

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
    weights = read_weights(folder, plan)
    kinds = {"mode": ModeNoise(seed), "sampled": SeededNoise(seed)}
    tried = {name: trial(plan, weights, noise, episodes, seed) for name, noise in kinds.items()}
    result: dict[str, Any] = {
        "environment": plan.environment.model_dump(mode="json"),
        "system": plan.system,
        "preset": plan.preset,
        "seed": seed,
        "weights": {"version": weights.version, "updates": weights.updates},
        **{name: summary(returns) for name, returns in tried.items()},
        "versions": versions(),
    }
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
    console.print(f"All figures: {out}", highlight=False)
    return 0


def summary(returns: list[float]) -> dict[str, Any]:
    """Mean and standard deviation of returns, and all of them."""
    mean, std = round(float(np.mean(returns)), 3), round(float(np.std(returns)), 3)
    return {"mean": mean, "std": std, "returns": [round(value, 3) for value in returns]}


def trial(
    plan: EnvironmentPlan, weights: Weights, noise: Noise, episodes: int, seed: int
) -> list[float]:
    """Returns of episodes; equal arguments give equal ones."""
    return live_in_environment(plan, PolicyMaker(plan, noise)(weights), episodes, seed)


def live_in_environment(
    plan: EnvironmentPlan, policy: Policy[Any], episodes: int, seed: int
) -> list[float]:
    """Returns of episodes by any policy; equal seeds give equal starts, none of them trained on."""
    world = EnvironmentWorld(replace(plan, seed=FRESH + seed))
    try:
        return _live(world, policy, episodes)
    finally:
        world.close()


def _live(world: EnvironmentWorld, policy: Policy[Any], episodes: int) -> list[float]:
    returns: list[float] = []
    rewards: list[float] = []
    start = Start("trial", "trial")
    for step in rollout(world, FixedPilot(policy), start, lambda: len(returns) >= episodes):
        rewards.append(float(step.arrays["reward"]))
        if step.arrays["is_last"]:
            returns.append(sum(rewards))
            rewards.clear()
    return returns
