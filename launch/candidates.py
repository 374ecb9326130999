"""Runs whose policies are tried: our systems' and the model-free rivals', by one face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launch.rival_policy import is_rivals, read_rival_plan, read_rival_policy
from launch.run_folder import Plan, RunFolder
from launch.trial import Trial, mode_policy, read_weights, trial_plan
from robot.config import ConfigError
from robot.policy.interface import Policy


@dataclass(frozen=True)
class Candidate:
    """A run of a robot, and its newest policy.

    Args:
        name: by which reports call it; no two that are tried together have the same.
        path: the run's folder.
        plan: that it was made with.
        policy: makes the policy, by its mode, for a changed plan and a seed.
        weights: what is told of the weights: version, updates, sha256.
    """

    name: str
    path: Path
    plan: Plan
    policy: Callable[[Plan, int], Policy[Any]]
    weights: dict[str, Any]

    @property
    def task(self) -> str:
        """Robot and task; candidates of the same can be compared."""
        return f"{self.plan.robot.robot} {self.plan.robot.task.name}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, for reports."""
        keys = "system", "preset", "seed"
        said = {key: getattr(self.plan, key) for key in keys}
        return {"name": self.name, "path": str(self.path), **said, "weights": self.weights}


def read_candidate(path: Path, trial: Trial, name: str = "") -> Candidate:
    """The newest policy of a run of a robot, checked against the robot as the trial changes it.

    Raises:
        ConfigError, WeightsError: naming what cannot be used.
    """
    folder = RunFolder(path)
    name = name or path.name
    if is_rivals(folder.saved_plan()):
        plan = read_rival_plan(folder)
        policy, about = read_rival_policy(folder, plan)
        trial_plan(plan, trial)
        return Candidate(name, path, plan, lambda _plan, _seed: policy, about)
    plan = folder.read_plan()
    weights = read_weights(folder, changed := trial_plan(plan, trial))
    mode_policy(changed, weights, trial.seed)
    about = {"version": weights.version, "updates": weights.updates, "sha256": weights.sha256}
    return Candidate(name, path, plan, lambda plan, seed: mode_policy(plan, weights, seed), about)


def short_names(paths: Sequence[Path]) -> list[str]:
    """Names of folders, as short as tells them apart: their last parts.

    Raises:
        ConfigError: for a folder that is given twice, naming it.
    """
    whole = [path.resolve() for path in paths]
    twice = [path for i, path in enumerate(paths) if whole[i] in whole[:i]]
    if twice:
        raise ConfigError(f"{twice[0]}: is given twice")
    longest = max(len(path.parts) for path in whole)
    for depth in range(1, longest + 1):
        names = ["/".join(path.parts[-depth:]) for path in whole]
        if len(set(names)) == len(names):
            return names
    raise AssertionError("different paths have different names")
