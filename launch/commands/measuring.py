"""Commands that measure, and draw what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from launch.commands.options import Changes, Config, Run, Seed
from launch.waiting import loading


@dataclass(frozen=True)
class Bench:
    """Measure this computer: the loop under load, or single parts.

    Example: reverie bench loop --minutes 5 --json

    Args:
        name: what to measure.
        json: print one JSON object as the last line instead of a table.
        config: the robot's YAML file.
        twin: engine.
        system: what learns; reverie unless given, and planet where planning is measured.
        preset: its settings.
        minutes: how long the loop is watched.
        seconds: how long each of the others measures.
        changes: change one key; learner.KEY for the system, any other for the robot.
    """

    name: Positional[
        Literal["loop", "dream", "learner", "logs", "planner", "policy", "twin", "wire"]
    ]
    json: bool = False
    config: Path = Path("hardware_configs/a1.yaml")
    twin: Literal["mujoco", "pybullet"] = "mujoco"
    system: str = ""
    preset: str = "cpu"
    minutes: float = 5.0
    seconds: float = 10.0
    changes: Changes = ()

    def __call__(self) -> int:
        """Run it."""
        with loading("measuring"):
            from launch.bench import Bench, run_bench

        bench = Bench(
            self.name,
            self.config,
            self.twin,
            self.system,
            self.preset,
            self.minutes,
            self.seconds,
            self.changes,
        )
        return run_bench(bench, self.json)


@dataclass(frozen=True)
class Curves:
    """Draw learning curves over the real A1's, or over published ones.

    Example: reverie curves docs/results/a1_*.json

    Args:
        results: JSON files of runs: of robots, or of environments.
        out: the picture; the tables get names like it; under docs/results unless given.
        real: the real robot's curves.
    """

    results: Annotated[Positional[tuple[Path, ...]], arg(metavar="RESULT...")]
    out: Path | None = None
    real: Path = Path("docs/results/anchors/a1_real.json")

    def __call__(self) -> int:
        """Run it."""
        from launch.curves import run_curves
        from launch.whole import check_can_write

        if self.out is not None:
            check_can_write(self.out, "--out")
        return run_curves(self.results, self.out, self.real)


@dataclass(frozen=True)
class Result:
    """Keep a run's learning curve, and how it was made, in a small file.

    Example: reverie result runs/mine --out docs/results/a1_mine.json

    Args:
        run: the run's folder.
        out: JSON file to write.
    """

    run: Run
    out: Path

    def __call__(self) -> int:
        """Run it."""
        from launch.results import run_result
        from launch.whole import check_can_write

        check_can_write(self.out, "--out")
        return run_result(self.run, self.out)


@dataclass(frozen=True)
class Velocity:
    """Report how wrong the walk task's velocity estimate is, on twins.

    Example: reverie velocity hardware_configs/a1.yaml

    Args:
        config: the robot's YAML file.
        out: JSON file for the figures.
        changes: change one key of the configuration.
        seed: of noise and of random actions.
    """

    config: Config
    out: Path = Path("docs/results/velocity.json")
    changes: Changes = ()
    seed: Seed = 0

    def __call__(self) -> int:
        """Run it."""
        from launch.velocity_report import run_velocity_report
        from launch.whole import check_can_write

        check_can_write(self.out, "--out")
        return run_velocity_report(self.config, self.out, self.changes, self.seed)
