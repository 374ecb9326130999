"""`reverie adapt`: give what a run lived through another reward, and learn that task in dreams."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from launch.compose import make_trainer, plan_spec
from launch.environments import (
    AnyPlan,
    EnvironmentConfig,
    EnvironmentPlan,
    read_environment_plan,
)
from launch.judging import make_judge
from launch.run_folder import Plan, RunFolder, versions
from learner.train.checkpoint import Checkpoints
from learner.train.relabel import practise, relabelled
from learner.train.trainer import Trainer
from robot.config import ConfigError, RobotConfig, apply_change, check_config
from robot.policy.journal import LOG_NAME
from robot.wire.index import LogIndex
from robot.wire.log import LogReader, LogWriter, log_files


def run_adapt(run: Path, changes: Sequence[str], updates: int, out: Path | None = None) -> int:
    """Learn another task from a finished run, without another step of experience.

    The new folder is a run like any other: it can be evaluated, and gone on with.

    Args:
        run: the run's folder.
        changes: `key=value` of what is asked for now: `task.KEY`, or `env.options.KEY`.
        updates: training steps to make.
        out: the new run's folder, RUN-adapted unless given; made again, it practises further.

    Returns:
        Exit code 0.

    Raises:
        ConfigError: naming what cannot be used; nothing is written then.
    """
    if updates < 1:
        raise ConfigError(f"--updates {updates}: allowed is 1 or more")
    source, target = RunFolder(run), RunFolder(out or Path(f"{run.resolve()}-adapted"))
    old = read_any_plan(source)
    new = changed_plan(old, changes)
    with target.hold():
        adapt(source, target, old, new, updates)
    Console().print(
        f"{target.path}: practised {updates} updates without a step of experience", highlight=False
    )
    return 0


def adapt(source: RunFolder, target: RunFolder, old: AnyPlan, new: AnyPlan, updates: int) -> None:
    """Relabel a run into a folder, practise there, and save checkpoint and weights.

    Raises:
        ConfigError: when the source has learnt nothing yet, or the tasks do not fit each other.
    """
    if plan_spec(new).fingerprint() != plan_spec(old).fingerprint():
        raise ConfigError("--set: another task must leave what is sensed and done as it was")
    judge = make_judge(new)
    saved = Checkpoints(source.checkpoints, configuration=old.as_dict())
    if saved.load() is None:
        raise ConfigError(f"{source.path}: has no checkpoint to adapt")
    target.claim(new)
    if not target.log.exists():
        relabel_log(source, target, new, judge)
    trainer = make_trainer(new)
    mine = Checkpoints(target.checkpoints, configuration=new.as_dict())
    if trainer.resume(mine) is None:
        trainer.resume(saved)
    with LogIndex(log_files(target.log, LOG_NAME)) as index:
        for step in index.transitions():
            trainer.add(step)
    _practise(trainer, updates)
    trainer.save(mine, {})
    target.write_weights(trainer.weights(time.time_ns()))


def relabel_log(source: RunFolder, target: RunFolder, plan: AnyPlan, judge: Any) -> None:
    """Write the steps of a run's log as those of another one, with a judge's rewards.

    The new log is there whole or not at all.
    """
    half = target.path / ".log"
    shutil.rmtree(half, ignore_errors=True)  # a kill may have left one
    about = {"plan": json.dumps(plan.as_dict()), "versions": json.dumps(versions())}
    steps = LogReader(source.log, LOG_NAME).transitions()
    try:
        log = LogWriter(half, LOG_NAME, {**about, "relabelled_from": str(source.path)})
        for step in relabelled(steps, judge):
            stamp_ns = step.stamps_ns.get("tick", 0)
            log.append_transition(replace(step, run=plan.run_id), stamp_ns, stamp_ns)
        log.close()
        half.rename(target.log)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _practise(trainer: Trainer, updates: int) -> None:
    with Progress(transient=True) as progress:
        bar = progress.add_task("dreaming", total=updates)
        practise(trainer, updates, lambda made: progress.update(bar, completed=made))


def read_any_plan(folder: RunFolder) -> AnyPlan:
    """The plan of a run, of a robot or in an environment.

    Raises:
        ConfigError: when there is no run in the folder, or its plan cannot be read.
    """
    if "environment" in folder.saved_plan():
        return read_environment_plan(folder)
    return folder.read_plan()


def changed_plan(plan: AnyPlan, changes: Sequence[str]) -> AnyPlan:
    """The same plan with another task.

    Raises:
        ConfigError: for a key that is not the task's, or a value that is not allowed.
    """
    prefix = "env.options." if isinstance(plan, EnvironmentPlan) else "task."
    for change in changes:
        if not change.startswith(prefix):
            raise ConfigError(f"--set {change}: allowed are the keys of the task, {prefix}KEY")
    if isinstance(plan, EnvironmentPlan):
        data = plan.environment.model_dump(mode="json")
        for change in changes:
            apply_change(data, change.removeprefix("env."))
        return replace(plan, environment=check_config(EnvironmentConfig, data, "--set env"))
    return _changed_robot(plan, changes)


def _changed_robot(plan: Plan, changes: Sequence[str]) -> Plan:
    data = plan.robot.model_dump(mode="json")
    for change in changes:
        apply_change(data, change)
    return replace(plan, robot=check_config(RobotConfig, data, "--set"))
