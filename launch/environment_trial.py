"""Tries a policy in the environment that it was learnt in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from launch.compose import PolicyMaker
from launch.environments import EnvironmentPlan
from launch.worlds import EnvironmentWorld
from learner.behaviour.noise import Noise
from robot.config import ConfigError
from robot.policy.interface import Policy
from robot.policy.rollout import FixedPilot, Start, rollout
from robot.wire.weights import Weights

# What a world and the arrays of its step are shown to.
Look = Callable[[EnvironmentWorld, Mapping[str, np.ndarray]], None]
# Apart from the seeds of training, so that no start was seen before.
FRESH = 1_000_000


def trial(
    plan: EnvironmentPlan,
    weights: Weights,
    noise: Noise,
    episodes: int,
    seed: int,
    look: Look | None = None,
) -> list[float]:
    """Returns of episodes; equal arguments give equal ones."""
    return live_in_environment(plan, PolicyMaker(plan, noise)(weights), episodes, seed, look)


def live_in_environment(
    plan: EnvironmentPlan, policy: Policy[Any], episodes: int, seed: int, look: Look | None = None
) -> list[float]:
    """Returns of episodes by any policy; equal seeds give equal starts, none of them trained on.

    Args:
        plan: of the environment.
        policy: that acts.
        episodes: how many.
        seed: of the episodes' starts.
        look: called after each step; the world draws itself for it, if it can.
    """
    world = _open(replace(plan, seed=FRESH + seed), drawn=look is not None)
    try:
        return _live(world, policy, episodes, look or _blind)
    finally:
        world.close()


def _open(plan: EnvironmentPlan, drawn: bool) -> EnvironmentWorld:
    try:
        return EnvironmentWorld(plan, drawn=drawn)
    except ConfigError:
        if not drawn:
            raise
        return EnvironmentWorld(plan)  # one that cannot be drawn


def _blind(world: EnvironmentWorld, arrays: Mapping[str, np.ndarray]) -> None:
    """Look at nothing."""


def _live(world: EnvironmentWorld, policy: Policy[Any], episodes: int, look: Look) -> list[float]:
    returns: list[float] = []
    rewards: list[float] = []
    start = Start("trial", "trial")
    for step in rollout(world, FixedPilot(policy), start, lambda: len(returns) >= episodes):
        look(world, step.arrays)
        rewards.append(float(step.arrays["reward"]))
        if step.arrays["is_last"]:
            returns.append(sum(rewards))
            rewards.clear()
    return returns
