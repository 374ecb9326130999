"""`reverie train`: everything on this computer, in one command."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from math import inf
from pathlib import Path

from rich.console import Console

from launch.compose import plan_spec
from launch.display import Display
from launch.realtime import claim_robot, confirm_hardware, run_realtime
from launch.run_folder import Plan, RunFolder
from launch.signals import until_signal
from learner.systems import build_agent, make_settings
from robot.config import ConfigError, RobotConfig, load_config

CLOCKS = ("realtime", "lockstep")
TWINS = ("", "mujoco", "pybullet")


def run_train(
    config: Path,
    twin: str = "",
    clock: str = "realtime",
    system: str = "reverie",
    preset: str = "cpu",
    minutes: float = 60.0,
    seed: int = 0,
    run: Path | None = None,
    changes: Sequence[str] = (),
    yes: bool = False,
) -> int:
    """Train a robot from scratch, or go on with a run.

    Args:
        config: the robot's YAML file.
        twin: "mujoco" or "pybullet"; "" drives the hardware of the configuration.
        clock: "realtime", or "lockstep" for a deterministic run as fast as the computer allows.
        system: the learning system.
        preset: its settings.
        minutes: robot time in all, that of earlier calls on the same run counted in.
        seed: of everything that is random.
        run: the run's folder; made from robot, system and seed unless given.
        changes: `key=value`; keys that begin with `learner.` are the system's, others the robot's.
        yes: do not ask before hardware moves.

    Returns:
        The exit code.

    Raises:
        ConfigError: for anything that cannot be run, before anything moves.
        EndpointInUse: when the robot runs already, or an endpoint is taken.
    """
    plan = make_plan(config, twin, clock, system, preset, seed, changes)
    if not 0 < minutes < inf:
        raise ConfigError(f"--minutes {minutes:g}: allowed is more than 0")
    path = run or Path("runs") / f"{plan.robot.robot}-{system}-{twin or 'hardware'}-{clock}-{seed}"
    folder = RunFolder(path)
    console = Console()
    if not twin and not yes:
        confirm_hardware(plan, console)
    with ExitStack() as held:
        if clock == "realtime":
            held.enter_context(claim_robot(plan))
        held.enter_context(folder.hold())
        resumed = folder.claim(plan)
        console.print(f"{'Going on with' if resumed else 'New'} run in {path}", highlight=False)
        go = {"realtime": run_realtime, "lockstep": _run_lockstep}[clock]
        return go(plan, folder, minutes, console)


def make_plan(
    config: Path,
    twin: str,
    clock: str,
    system: str,
    preset: str,
    seed: int,
    changes: Sequence[str],
) -> Plan:
    """Check everything that decides a run.

    Raises:
        ConfigError: naming the key, the value and what is allowed.
    """
    if twin not in TWINS:
        raise ConfigError(f"--twin {twin}: allowed is mujoco or pybullet, or none for hardware")
    if clock not in CLOCKS:
        raise ConfigError(f"--clock {clock}: allowed is {' or '.join(CLOCKS)}")
    if clock == "lockstep" and not twin:
        raise ConfigError("--clock lockstep: hardware follows the wall clock; name a --twin")
    if twin == "pybullet" and find_spec("pybullet") is None:
        raise ConfigError("--twin pybullet: PyBullet is not installed here; take --twin mujoco")
    mine = [c.removeprefix("learner.") for c in changes if c.startswith("learner.")]
    robot: RobotConfig = load_config(config, [c for c in changes if not c.startswith("learner.")])
    plan = Plan(robot, make_settings(system, preset, mine), system, preset, twin, clock, seed)
    # Built and dropped: settings that do not fit each other or the robot are refused here.
    build_agent(system, plan_spec(plan), plan.settings)
    return plan


def _run_lockstep(plan: Plan, folder: RunFolder, minutes: float, console: Console) -> int:
    from launch.lockstep import LockstepRun

    began = time.monotonic()
    lesson = LockstepRun(plan, folder)
    title = f"{plan.robot.robot} learns with {plan.system} on its {plan.twin} twin"
    try:
        with until_signal() as stop, Display(title, console) as display:
            lesson.run(minutes, stop, display.show)
    finally:
        summary = lesson.close()
    console.print(
        f"{summary['robot_minutes']:.1f} robot minutes, {summary['updates']} updates, "
        f"{time.monotonic() - began:.0f} s of computing, "
        f"last ten episodes {summary['mean_reward_last10']} per step. "
        f"Summary: {folder.summary}. Look at it: reverie evaluate {folder.path}",
        highlight=False,
    )
    return 0
