"""`reverie train`: everything on this computer, in one command."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from math import inf
from pathlib import Path

import numpy as np
from rich.console import Console

from launch.compose import exploring, learner_settings, plan_spec
from launch.display import Display
from launch.environments import (
    AnyPlan,
    EnvironmentPlan,
    folder_name,
    is_environment,
    plan_environment,
)
from launch.lineage import begun_from, find_ancestor, grown, plant
from launch.realtime import claim_robot, confirm_hardware, run_realtime
from launch.run_folder import Plan, RunFolder
from launch.signals import until_signal
from launch.summary import recent_reward
from launch.waiting import LOOKS_HZ
from learner.systems import build_agent
from learner.train.trainer import Trainer
from robot.config import ConfigError, RobotConfig, load_config

CLOCKS = ("realtime", "lockstep")
TWINS = ("", "mujoco", "pybullet")


def run_train(
    config: str | Path,
    twin: str = "",
    clock: str = "",
    system: str = "reverie",
    preset: str = "cpu",
    minutes: float = 60.0,
    steps: int | None = None,
    seed: int = 0,
    run: Path | None = None,
    changes: Sequence[str] = (),
    yes: bool = False,
    begin: Path | None = None,
    logs: bool = False,
) -> int:
    """Train a robot, or an agent in an environment, from scratch, or go on with a run.

    Args:
        config: the robot's YAML file, or an environment: `gym:ID` or `dmc:DOMAIN-TASK`.
        twin: "mujoco" or "pybullet"; "" drives the hardware of the configuration.
        clock: "realtime", or "lockstep" for a deterministic run as fast as the computer allows; ""
            is real time for robots, and lock-step for environments, which know no other.
        system: the learning system.
        preset: its settings.
        minutes: robot time in all, that of earlier calls on the same run counted in.
        steps: the same in steps of the robot or the environment, action repeats counted in; it
            takes the place of `minutes`.
        seed: of everything that is random.
        run: the run's folder; made from robot, system and seed unless given.
        changes: `key=value`; keys that begin with `learner.` are the system's, others the robot's,
            or with `env.` the environment's.
        yes: do not ask before hardware moves.
        begin: a run whose model, behaviour and optimisers this one begins with.
        logs: learn from its experience too.

    Returns:
        The exit code.

    Raises:
        ConfigError: for anything that cannot be run, before anything moves.
        EndpointInUse: when the robot runs already, or an endpoint is taken.
    """
    plan = make_any_plan(str(config), twin, clock, system, preset, seed, changes)
    minutes = _minutes(plan, minutes, steps)
    plan, trainer = _heir(plan, begin, logs)
    folder, console = RunFolder(run or Path("runs") / _folder_name(plan)), Console()
    live = plan if isinstance(plan, Plan) and plan.clock == "realtime" else None
    if isinstance(plan, Plan) and not plan.twin and not yes:
        confirm_hardware(plan, console)
    with ExitStack() as held:
        if live:
            held.enter_context(claim_robot(live))
        held.enter_context(folder.hold())
        said = "Going on with" if folder.claim(plan) else "New"
        console.print(f"{said} run in {folder.path}", highlight=False)
        if trainer is not None:
            plant(trainer, plan, folder)
        if live:
            return run_realtime(live, folder, minutes, console)
        return _run_lockstep(plan, folder, minutes, console)


def _heir(plan: AnyPlan, begin: Path | None, logs: bool) -> tuple[AnyPlan, Trainer | None]:
    """The plan that says what it begins with, and a trainer that has it; as it was without."""
    if begin is None:
        if logs:
            raise ConfigError("--with-logs: of which run? Name it by --from")
        return plan, None
    ancestor = find_ancestor(begin)
    plan = begun_from(plan, ancestor, logs)
    return plan, grown(plan, ancestor)


def make_any_plan(
    target: str,
    twin: str,
    clock: str,
    system: str,
    preset: str,
    seed: int,
    changes: Sequence[str],
) -> AnyPlan:
    """Check everything that decides a run of a robot, or one in an environment.

    Raises:
        ConfigError: naming the key, the value and what is allowed.
    """
    if not is_environment(target):
        return make_plan(Path(target), twin, clock or "realtime", system, preset, seed, changes)
    if twin:
        raise ConfigError(f"--twin {twin}: {target} is an environment, which has none")
    if clock not in ("", "lockstep"):
        raise ConfigError(f"--clock {clock}: {target} is an environment; allowed is lockstep")
    plan = plan_environment(target, system, preset, seed, changes)
    build_agent(system, plan.spec, plan.settings)  # as in `make_plan`
    _check_choices(plan)
    return plan


def _check_choices(plan: EnvironmentPlan) -> None:
    """Refuse a system that cannot choose for an environment that asks for choices."""
    if not plan.spec.action.is_discrete:
        return
    policy = exploring(plan).untrained_policy()
    nothing = {key: np.zeros(s.shape, s.dtype) for key, s in plan.spec.observation.items()}
    _, action = policy.act(policy.initial(), {**nothing, "is_first": np.array(True)})
    try:
        plan.spec.action.check("action", action)
    except ValueError:
        raise ConfigError(
            f"--system {plan.system}: cannot choose, and the actions of {plan.name} are choices"
        ) from None


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
    settings = learner_settings(robot, system, preset, mine)
    plan = Plan(robot, settings, system, preset, twin, clock, seed)
    # Built and dropped: settings that do not fit each other or the robot are refused here.
    build_agent(system, plan_spec(plan), plan.settings)
    return plan


def _minutes(plan: AnyPlan, minutes: float, steps: int | None) -> float:
    """How long the run shall be, in minutes."""
    if steps is not None and steps < 1:
        raise ConfigError(f"--steps {steps}: allowed is 1 or more")
    if not 0 < minutes < inf:
        raise ConfigError(f"--minutes {minutes:g}: allowed is more than 0")
    return minutes if steps is None else steps / plan.steps_hz / 60


def _folder_name(plan: AnyPlan) -> str:
    if isinstance(plan, EnvironmentPlan):
        return folder_name(plan)
    return f"{plan.name}-{plan.system}-{plan.twin or 'hardware'}-{plan.clock}-{plan.seed}"


def _run_lockstep(plan: AnyPlan, folder: RunFolder, minutes: float, console: Console) -> int:
    from launch.lockstep import LockstepRun

    began = time.monotonic()
    with console.status("making it ready", refresh_per_second=LOOKS_HZ):
        lesson = LockstepRun(plan, folder)
    where = f" on its {plan.twin} twin" if isinstance(plan, Plan) else ""
    verb = "learns with" if where else "is learnt by"
    title = f"{plan.name} {verb} {plan.system}{where}"
    try:
        with until_signal() as stop, Display(title, console) as display:
            lesson.run(minutes, stop, display.show)
    finally:
        summary = lesson.close()
    much = f"{summary['robot_minutes']:.1f} robot minutes"
    if "env_steps" in summary:
        much = f"{summary['env_steps']} environment steps"
    console.print(
        f"{much}, {summary['updates']} updates, "
        f"{time.monotonic() - began:.0f} s of computing, "
        f"{recent_reward(summary)}. "
        f"Summary: {folder.summary}. Look at it: reverie evaluate {folder.path}",
        highlight=False,
    )
    return 0
