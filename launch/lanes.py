"""One lane of a comparison: one system with one seed learns a task until its computing is spent."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from launch.environment_trial import trial
from launch.environments import EnvironmentPlan
from launch.lockstep import LockstepRun
from launch.run_folder import Plan, RunFolder
from launch.train import make_any_plan
from launch.trial import Trial, run_trial
from launch.yardsticks import Reaching
from learner.behaviour.noise import ModeNoise
from robot.config import ConfigError, ReachTask
from robot.wire.weights import Weights

FOREVER_MINUTES = 1e6
FORM = re.compile(r"([a-z0-9_]+)(?::([a-z0-9_]+))?(?:@([0-9.]+))?((?:\+[^+]+=[^+]+)*)")
Grade = Callable[[Weights], float]


@dataclass(frozen=True)
class Entry:
    """Who takes part: SYSTEM[:PRESET][@CPU_MINUTES][+KEY=VALUE]..., such as planet@5+dynamics=ssm.

    Args:
        label: as it was written.
        system: learning system.
        preset: its settings.
        cpu_minutes: that it may compute; 0 for as long as all others.
        changes: of its settings.
    """

    label: str
    system: str
    preset: str = "cpu"
    cpu_minutes: float = 0.0
    changes: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> Entry:
        """Take a text apart.

        Raises:
            ConfigError: for one of another form.
        """
        if (match := FORM.fullmatch(text)) is None:
            form = "SYSTEM[:PRESET][@CPU_MINUTES][+KEY=VALUE]..."
            raise ConfigError(f"entry {text}: allowed is {form}")
        system, preset, minutes, rest = match.groups()
        changes = tuple(f"learner.{change}" for change in rest.split("+")[1:])
        return cls(text, system, preset or "cpu", float(minutes or 0), changes)


@dataclass(frozen=True)
class Task:
    """What all of them learn, and how they are graded.

    Args:
        target: a robot's YAML file, or an environment.
        cpu_minutes: of computing for each.
        goal: grade at which a lane ends.
        best: return of best play; 0 where the task's own yardstick knows it.
        episodes: of each grading.
        every_s: seconds of computing between two gradings.
        changes: `key=value` of the robot or the environment.
    """

    target: str
    cpu_minutes: float = 5.0
    goal: float = 0.9
    best: float = 0.0
    episodes: int = 20
    every_s: float = 10.0
    changes: tuple[str, ...] = ()

    def plan(self, entry: Entry, seed: int) -> Plan | EnvironmentPlan:
        """The run of one lane.

        Raises:
            ConfigError: naming the key, the value and what is allowed.
        """
        twin = "" if ":" in self.target else "mujoco"
        changes = [*self.changes, *entry.changes]
        name, preset = entry.system, entry.preset
        return make_any_plan(self.target, twin, "lockstep", name, preset, seed, changes)

    def grade(self, plan: Plan | EnvironmentPlan) -> Grade:
        """Judge of weights by the mode: share of the best return, 1 for best play.

        Raises:
            ConfigError: for a task whose best return is not known.
        """
        seed = 10_000 + plan.seed  # starts and targets that the run itself does not draw
        if isinstance(plan, Plan) and isinstance(plan.robot.task, ReachTask):
            asked = Trial(episodes=self.episodes, seed=seed)
            yardstick = Reaching(plan, asked)
            return lambda weights: float(
                yardstick.figures(list(run_trial(plan, weights, asked)))["share_of_best"]
            )
        if isinstance(plan, EnvironmentPlan) and self.best:
            noise = ModeNoise(seed)
            return lambda weights: float(
                np.mean(trial(plan, weights, noise, self.episodes, seed)) / self.best
            )
        raise ConfigError(f"{self.target}: its best return is not known; name it with --best")


class Lane:
    """Lets one entry learn, and grades it now and then; the grading's computing is not counted."""

    def __init__(self, task: Task, entry: Entry, seed: int) -> None:
        self._task, self._entry, self._seed = task, entry, seed
        self._limit_s = 60 * (entry.cpu_minutes or task.cpu_minutes)
        self._plan = task.plan(entry, seed)
        self._grade = task.grade(self._plan)
        self._graded_s = 0.0
        self._next_s = task.every_s
        self._curve: list[dict[str, float]] = []

    def run(self) -> dict[str, Any]:
        """Learn until the goal is reached or the computing is spent; what came of it."""
        with tempfile.TemporaryDirectory(prefix="reverie-") as folder:
            place = RunFolder(Path(folder))
            place.claim(self._plan)
            run = LockstepRun(self._plan, place)
            self._began_s = time.process_time()
            try:
                run.run(FOREVER_MINUTES, lambda: self._over(run), lambda view: None)
                if self._computed_s < self._limit_s and not self._reached:
                    raise RuntimeError(f"{self._entry.label}: ended before its computing was spent")
                if not self._reached:
                    self._look(run)
            finally:
                run.close()
        return self._outcome(run)

    @property
    def _computed_s(self) -> float:
        return time.process_time() - self._began_s - self._graded_s

    @property
    def _reached(self) -> bool:
        return bool(self._curve) and self._curve[-1]["share"] >= self._task.goal

    def _over(self, run: LockstepRun) -> bool:
        """Asked before and after every step."""
        if self._computed_s >= self._next_s:
            self._next_s = self._computed_s + self._task.every_s
            self._look(run)
        return self._reached or self._computed_s >= self._limit_s

    def _look(self, run: LockstepRun) -> None:
        """Grade the present policy, without touching what the run itself draws."""
        computed_s, before_s = self._computed_s, time.process_time()
        with torch.random.fork_rng():
            share = self._grade(run.trainer.weights(0)) if run.trainer.updates else 0.0
        self._curve.append(
            {
                "cpu_s": round(computed_s, 1),
                "steps": run.start.index,
                "robot_minutes": round(run.journal.robot_minutes(run.start.index), 3),
                "share": round(share, 4),
            }
        )
        self._graded_s += time.process_time() - before_s

    def _outcome(self, run: LockstepRun) -> dict[str, Any]:
        last = self._curve[-1]
        return {
            "entry": self._entry.label,
            "seed": self._seed,
            "reached": self._reached,
            **{key: last[key] for key in ("cpu_s", "steps", "robot_minutes")},
            "updates": run.trainer.updates,
            "best": max(point["share"] for point in self._curve),
            "curve": self._curve,
        }


def run_lane(task: Mapping[str, Any], entry: str, seed: int) -> dict[str, Any]:
    """One lane in a process of its own; arguments as they travel there."""
    torch.set_num_threads(1)
    return Lane(Task(**task), Entry.read(entry), seed).run()
