"""Commands for robots that explore first, and are told later what for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from launch.commands.options import Changes, Run, Seed
from launch.waiting import loading


@dataclass(frozen=True)
class Adapt:
    """Learn another task from a finished run, in dreams alone.

    Example: reverie adapt runs/explored --set env.options.goal=5

    Args:
        run: the run's folder.
        changes: what is asked for now; task.KEY of a robot, or env.options.KEY.
        updates: training steps.
        out: folder of the new run; RUN-adapted unless given. Made again, it practises further.
    """

    run: Run
    changes: Changes = ()
    updates: int = 2000
    out: Path | None = None

    def __call__(self) -> int:
        """Run it."""
        with loading("adapting"):
            from launch.adapt import run_adapt

        return run_adapt(self.run, self.changes, self.updates, self.out)


@dataclass(frozen=True)
class Exploration:
    """Compare ways to explore, and what a task learns from them later.

    Example: reverie exploration --steps 20000 --json

    Args:
        target: environment.
        task: the change that makes the task, given afterwards.
        ways: disagreement, retrospective, prediction_error, random, or task, which is paid for the
            task from the start.
        steps: that each lives.
        updates: that each practises the task afterwards.
        episodes: of each evaluation.
        seed: of everything that is random.
        preset: of plan2explore.
        out: folder of the runs; made again, it goes on.
        json: print one JSON object as the last line instead of a table.
        changes: change one key for all; learner.KEY or env.KEY.
    """

    target: Annotated[Positional[str], arg(metavar="TARGET")] = "gym:reverie/Maze-v0"
    task: str = "env.options.goal=5"
    ways: tuple[str, ...] = ("disagreement", "random", "task")
    steps: int = 20_000
    updates: int = 2000
    episodes: int = 5
    seed: Seed = 0
    preset: str = "cpu"
    out: Path = Path("runs/exploration")
    json: bool = False
    changes: Changes = ()

    def __call__(self) -> int:
        """Run it."""
        with loading("exploring"):
            from launch.exploration import Study, run_exploration

        study = Study(
            self.target,
            self.task,
            self.ways,
            self.steps,
            self.updates,
            self.episodes,
            self.seed,
            self.preset,
            self.changes,
        )
        return run_exploration(study, self.out, self.json)
