"""`reverie exploration`: what ways to explore reach, and what a task learns from it afterwards.

Each way lives `steps` steps without knowing of the task, but for `task`, which is paid for it from
the start. Then the task is given: all others learn it from what they have seen, in dreams alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from launch.adapt import adapt, changed_plan
from launch.bench import machine
from launch.display import Display
from launch.environment_trial import trial
from launch.environments import AnyPlan, EnvironmentPlan, make_environment
from launch.lockstep import LockstepRun
from launch.run_folder import RunFolder, versions, write_json
from launch.signals import until_signal
from launch.train import make_any_plan
from launch.trial import read_weights
from learner.behaviour.noise import ModeNoise
from robot.config import ConfigError
from robot.policy.journal import LOG_NAME
from robot.wire.log import LogReader
from sim.mazes import Maze

SYSTEM = "plan2explore"
NEVER = 10**9  # steps after which exploration would end
MARKS = 10  # points of a curve of coverage

EXPLORES = f"learner.explore_steps={NEVER}"
WAYS: Mapping[str, tuple[str, ...]] = {
    "disagreement": (EXPLORES,),
    "retrospective": (EXPLORES, "learner.look=1", "learner.look_gamma=0"),
    "prediction_error": (EXPLORES, "learner.explorer=prediction_error"),
    "random": (EXPLORES, "learner.explorer=random"),
    "task": ("learner.explore_steps=0",),
}
Cover = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Study:
    """What is compared.

    Args:
        target: environment.
        task: the change that makes the task, given afterwards.
        ways: names from `WAYS`.
        steps: that each lives.
        updates: that each practises the task afterwards.
        episodes: of each evaluation.
        seed: of everything that is random.
        preset: of the system.
        changes: `key=value` for all, `learner.KEY` or `env.KEY`.
    """

    target: str = "gym:reverie/Maze-v0"
    task: str = "env.options.goal=5"
    ways: tuple[str, ...] = ("disagreement", "random", "task")
    steps: int = 20_000
    updates: int = 2000
    episodes: int = 5
    seed: int = 0
    preset: str = "cpu"
    changes: tuple[str, ...] = ()

    def check(self) -> None:
        """Refuse what cannot be studied.

        Raises:
            ConfigError: naming the option, the value and what is allowed.
        """
        if unknown := [way for way in self.ways if way not in WAYS]:
            raise ConfigError(f"--ways {unknown[0]}: allowed is {', '.join(WAYS)}")
        if self.target not in COVERS:
            raise ConfigError(f"target {self.target}: allowed is {', '.join(COVERS)}")
        for name in ("steps", "updates", "episodes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} {getattr(self, name)}: allowed is 1 or more")
        for way in self.ways:
            self.asked(self.plan(way))

    def asked(self, plan: AnyPlan) -> EnvironmentPlan:
        """A run's plan with the task that is given afterwards.

        Raises:
            ConfigError: for a task that its environment does not know.
        """
        asked = changed_plan(plan, [self.task])
        assert isinstance(asked, EnvironmentPlan)
        make_environment(asked.environment).close()
        return asked

    def plan(self, way: str) -> AnyPlan:
        """The run of one way; that of `task` is paid from the start."""
        paid = (self.task,) if way == "task" else ()
        changes = [*self.changes, *paid, *WAYS[way]]
        return make_any_plan(self.target, "", "", SYSTEM, self.preset, self.seed, changes)


def run_exploration(study: Study, out: Path, as_json: bool = False) -> int:
    """Let each way live and learn the task; a table, or with `as_json` one JSON object at the end.

    Args:
        study: what is compared.
        out: folder of the runs, and of exploration.json; made again, it goes on.
        as_json: print the object too.

    Returns:
        Exit code 0.

    Raises:
        ConfigError: naming what is not allowed.
        KeyboardInterrupt: when it was stopped; what was lived is kept.
    """
    study.check()
    console = Console(stderr=as_json)
    with until_signal() as stop:
        found = {way: _live_and_learn(study, way, out, console, stop) for way in study.ways}
    facts = {"bench": "exploration", "study": study.__dict__, "ways": found}
    facts |= {"compared": compare(found), "machine": machine(), "versions": versions()}
    write_json(out / "exploration.json", facts)
    print(json.dumps(facts)) if as_json else _print(console, facts)
    return 0


def compare(found: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Shares by which disagreement is judged, where the ways for them were there.

    `coverage_over_WAY` of disagreement's coverage to another's, and `zero_shot` of its return in
    the task to that of who was paid from the start.
    """
    ours = found.get("disagreement")
    if ours is None:
        return {}
    others = {way: facts for way, facts in found.items() if way != "disagreement"}
    shares = {
        f"coverage_over_{way}": ours["coverage"] / max(facts["coverage"], 1e-9)
        for way, facts in others.items()
    }
    if "task" in others:
        shares["zero_shot"] = ours["return"] / max(others["task"]["return"], 1e-9)
    return {name: round(share, 4) for name, share in shares.items()}


def _live_and_learn(
    study: Study, way: str, out: Path, console: Console, stop: Callable[[], bool]
) -> dict[str, Any]:
    plan, folder = study.plan(way), RunFolder(out / way)
    with folder.hold():
        folder.claim(plan)
        run = LockstepRun(plan, folder)
        try:
            with Display(f"{study.target}, {way}", console) as display:
                run.run(study.steps / plan.steps_hz / 60, stop, display.show)
        finally:
            summary = run.close()
    if stop():
        raise KeyboardInterrupt
    curve = coverage(folder, COVERS[study.target](plan))
    if way != "task":
        asked, adapted = study.asked(plan), RunFolder(out / f"{way}-adapted")
        adapt(folder, adapted, plan, asked, study.updates)
        plan, folder = asked, adapted
    assert isinstance(plan, EnvironmentPlan)
    weights = read_weights(folder, plan)
    returns = trial(plan, weights, ModeNoise(study.seed), study.episodes, study.seed)
    return {
        "coverage": curve["share"][-1],
        "coverage_curve": curve,
        "return": round(float(np.mean(returns)), 4),
        "returns": returns,
        "updates": summary["updates"],
        "computing_s": summary["computing_s"],
    }


def coverage(folder: RunFolder, cover: Cover) -> dict[str, list[float]]:
    """How much of its world a run has seen, at ten marks along its log: steps and shares."""
    steps = LogReader(folder.log, LOG_NAME).transitions()
    places = np.array([step.arrays["vector"] for step in steps])
    marks = np.linspace(0, len(places), MARKS + 1).round().astype(int)[1:]
    return {
        "step": [int(mark) for mark in marks],
        "share": [round(cover(places[:mark]), 4) for mark in marks],
    }


def maze_cover(plan: AnyPlan) -> Cover:
    """Share of the free cells of a maze in which the point has been."""
    assert isinstance(plan, EnvironmentPlan)
    maze = make_environment(plan.environment).unwrapped
    assert isinstance(maze, Maze)
    return maze.coverage


COVERS: Mapping[str, Callable[[AnyPlan], Cover]] = {"gym:reverie/Maze-v0": maze_cover}


def _print(console: Console, facts: Mapping[str, Any]) -> None:
    study: Mapping[str, Any] = facts["study"]
    title = f"{study['target']}, {study['steps']} steps, then {study['task']}"
    table = Table("way to explore", "coverage", "return in the task", title=title)
    for way, found in facts["ways"].items():
        table.add_row(way, f"{found['coverage']:.0%}", f"{found['return']:.1f}")
    console.print(table)
    for name, share in facts["compared"].items():
        console.print(f"{name.replace('_', ' ')}: {share:.2f}", highlight=False)
