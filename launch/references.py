"""What a score is measured between: random play, and what a task lets one hope for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from launch.compose import plan_spec
from launch.environment_trial import live_in_environment
from launch.environments import EnvironmentPlan
from launch.run_folder import Plan
from launch.scores import read_references
from launch.trial import Trial, try_policy
from launch.yardsticks import Yardstick
from robot.policy.random import RandomPolicy

CONTROL_RETURN = 1000.0  # 1000 steps of at most 1 (Tassa et al. 2018, arXiv 1801.00690)


@dataclass(frozen=True)
class Reference:
    """Two scores that stand for 0 and 1.

    Args:
        random: of random play.
        target: None where the task names none.
        why: what both are, in words.
    """

    random: float
    target: float | None
    why: str

    def normalised(self, values: np.ndarray) -> np.ndarray | None:
        """Scores as a share of the way from random play to the target, unbounded; None without."""
        if self.target is None or self.target <= self.random:
            return None
        return (values - self.random) / (self.target - self.random)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        target = None if self.target is None else round(self.target, 4)
        return {"random": round(self.random, 4), "target": target, "why": self.why}


def robot_reference(plan: Plan, trial: Trial, yardstick: Yardstick) -> Reference:
    """Rewards per step of random play, measured as the policies are, and of doing it perfectly.

    Args:
        plan: as the trial changes it, without perturbations.
        trial: how policies are tried; random play lives through the same episodes.
        yardstick: of the same plan and trial.
    """
    random = RandomPolicy(plan_spec(plan), trial.seed)
    episodes = list(try_policy(plan, random, trial))
    reward = yardstick.rewards[0]
    mean = float(np.mean([episode.terms[reward].mean() for episode in episodes]))
    target, why = yardstick.target(episodes)
    return Reference(mean, target, f"0 is random play, tried as the policies are; 1 is {why}")


def environment_reference(plan: EnvironmentPlan, episodes: int, seed: int) -> Reference:
    """Returns of random play and the known yardstick of a task.

    Random play of an Atari game and its gamer are DreamerV2's (arXiv 2010.02193); elsewhere random
    play is measured. The target of a Control task is 1000, and that of another environment is
    the threshold from which Gymnasium counts it as solved, if it names one.
    """
    known = read_references()
    if game := re.fullmatch(r"gym:ALE/(\w+)-v\d+", plan.name):
        if found := known.get(game[1]):
            why = "0 is random play, 1 a professional gamer, as DreamerV2 lists them"
            return Reference(found.random, found.gamer, why)
    policy = RandomPolicy(plan.spec, seed)
    random = float(np.mean(live_in_environment(plan, policy, episodes, seed)))
    target, why = _environment_target(plan)
    return Reference(random, target, f"0 is random play over {episodes} episodes; {why}")


def _environment_target(plan: EnvironmentPlan) -> tuple[float | None, str]:
    kind, _, name = plan.name.partition(":")
    if kind == "dmc":
        limit = plan.environment.time_limit
        return float(limit or CONTROL_RETURN), "1 is a reward of 1 in each step"
    solved = gym.spec(name).reward_threshold
    if solved is None:
        return None, "nothing stands for 1: Gymnasium names no threshold for it"
    return float(solved), "1 is where Gymnasium counts it as solved"
