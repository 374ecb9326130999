"""`reverie baseline`: a model-free rival on the same twin, with a curve to lay beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from math import inf
from pathlib import Path

from rich.console import Console

from launch.baseline_env import UnbrokenLife
from launch.baseline_plan import RivalPlan, rival_plan
from launch.display import Display
from launch.run_folder import RunFolder
from launch.signals import until_signal
from launch.summary import recent_reward
from robot.config import ConfigError
from robot.config.extras import how_to_install

MISSING = f"needs Stable-Baselines3: {how_to_install('baselines')}"


def run_baseline(
    rival: str,
    config: Path,
    twin: str = "mujoco",
    preset: str = "paper",
    minutes: float = 60.0,
    seed: int = 0,
    run: Path | None = None,
    changes: Sequence[str] = (),
) -> int:
    """Train a rival from scratch on a twin in lock-step, or go on with its run.

    Args:
        rival: "sac" or "ppo".
        config: the robot's YAML file.
        twin: "mujoco" or "pybullet".
        preset: of the rival's settings.
        minutes: robot time in all, that of earlier calls on the same run counted in.
        seed: of everything that is random.
        run: the run's folder; made from robot, rival, twin and seed unless given.
        changes: `key=value`; keys that begin with `learner.` are the rival's, others the robot's.

    Returns:
        The exit code.

    Raises:
        ConfigError: for anything that cannot be run, and where Stable-Baselines3 is missing.
    """
    if find_spec("stable_baselines3") is None:
        raise ConfigError(MISSING)
    plan = rival_plan(rival, config, twin, preset, seed, changes)
    if not 0 < minutes < inf:
        raise ConfigError(f"--minutes {minutes:g}: allowed is more than 0")
    folder = RunFolder(run or Path("runs") / f"{plan.robot.robot}-{rival}-{twin}-{seed}")
    settings = plan.settings
    life = UnbrokenLife(plan.robot, twin, seed, settings.keys, settings.gain)
    console = Console()
    try:
        with folder.hold():
            resumed = folder.claim(plan)
            how = "Going on with" if resumed else "New"
            console.print(f"{how} run in {folder.path}", highlight=False)
            _train(plan, folder, life, minutes, console)
    finally:
        life.close()
    return 0


def _train(
    plan: RivalPlan, folder: RunFolder, life: UnbrokenLife, minutes: float, console: Console
) -> None:
    from launch.baseline_run import BaselineRun

    lesson = BaselineRun(plan, folder, life)
    title = (
        f"{plan.robot.robot} learns with {plan.system}, without a model, on its {plan.twin} twin"
    )
    try:
        with until_signal() as stop, Display(title, console) as display:
            lesson.run(minutes, stop, display.show)
    finally:
        summary = lesson.close()
    console.print(
        f"{summary['robot_minutes']:.1f} robot minutes, {summary['updates']} updates, "
        f"{summary['computing_s']:.0f} s of computing, "
        f"{recent_reward(summary)}. "
        f"Summary: {folder.summary}. "
        + (f"Draw it: reverie curves {lesson.curve}" if lesson.curve.exists() else ""),
        highlight=False,
    )
