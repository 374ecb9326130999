"""The command that lets systems learn side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from launch.commands.options import Changes, Seeds, Target
from launch.waiting import loading


@dataclass(frozen=True)
class Compare:
    """Let systems learn one task with the same computing, side by side.

    Tells who reaches the goal, and when.

    Example: reverie compare hardware_configs/point_mass.yaml reverie dreamer_v3 --seeds 0 1 2

    Args:
        target: a robot's YAML file, or an environment.
        entries: who takes part: SYSTEM[:PRESET][@CPU_MINUTES][+KEY=VALUE]..., such as
            planet@5+dynamics=ssm.
        seeds: one lane for each.
        cpu_minutes: of computing for each lane.
        goal: share of the best return at which a lane ends.
        best: return of best play, where the task's yardstick does not know it.
        episodes: of each grading, by the policy's mode.
        every_s: seconds of computing between two gradings.
        jobs: lanes at a time, each on one core.
        out: JSON, table and picture get this name.
        changes: change one key of the robot or the environment.
    """

    target: Target
    entries: Annotated[Positional[tuple[str, ...]], arg(metavar="SYSTEM...")]
    seeds: Seeds = (0, 1, 2)
    cpu_minutes: float = 5.0
    goal: float = 0.9
    best: float = 0.0
    episodes: int = 20
    every_s: float = 10.0
    jobs: int = 1
    out: Path = Path("runs/comparison")
    changes: Changes = ()

    def __call__(self) -> int:
        """Run it."""
        with loading("comparing"):
            from launch.compare import run_compare
        from launch.lanes import Task
        from launch.whole import check_can_write

        check_can_write(self.out.with_suffix(".json"), "--out")
        task = Task(
            self.target,
            self.cpu_minutes,
            self.goal,
            self.best,
            self.episodes,
            self.every_s,
            self.changes,
        )
        return run_compare(task, self.entries, self.seeds, self.jobs, self.out)
