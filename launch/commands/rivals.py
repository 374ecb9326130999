"""The command that trains what world models are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from launch.commands.options import Changes, Config, Seed
from launch.waiting import loading


@dataclass(frozen=True)
class Baseline:
    """Train a model-free rival, SAC or PPO, on a robot's twin. Run it again to go on.

    Example: reverie baseline sac hardware_configs/a1.yaml --set task.reward=published

    Args:
        rival: what learns; Stable-Baselines3 has both.
        config: the robot's YAML file.
        twin: simulate the robot with this engine.
        preset: its settings; sac has paper and cpu, ppo has paper.
        minutes: robot time in all.
        seed: of everything that is random.
        run: folder of the run; runs/... unless given.
        changes: change one key; learner.KEY for the rival, any other for the robot.
    """

    rival: Positional[Literal["sac", "ppo"]]
    config: Config
    twin: Literal["mujoco", "pybullet"] = "mujoco"
    preset: str = "paper"
    minutes: float = 60.0
    seed: Seed = 0
    run: Path | None = None
    changes: Changes = ()

    def __call__(self) -> int:
        """Run it."""
        with loading("learning"):
            from launch.baseline import run_baseline

        return run_baseline(
            self.rival,
            self.config,
            twin=self.twin,
            preset=self.preset,
            minutes=self.minutes,
            seed=self.seed,
            run=self.run,
            changes=self.changes,
        )
