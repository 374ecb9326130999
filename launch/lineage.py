"""Starts a run from what another one has learnt, such as one that learnt from logs alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from launch.adapt import read_any_plan
from launch.compose import make_trainer, plan_spec
from launch.environments import AnyPlan
from launch.offline_logs import differing
from launch.offline_run import BEST
from launch.run_folder import RunFolder
from learner.train.checkpoint import Checkpoint, Checkpoints
from learner.train.conservative import without_doubt
from learner.train.trainer import Trainer
from robot.config import ConfigError


@dataclass(frozen=True)
class Ancestor:
    """A run that another one begins with.

    Args:
        folder: of the run.
        plan: of the run.
        saved: what it had learnt: its best weights, where it kept them by held-out episodes.
    """

    folder: RunFolder
    plan: AnyPlan
    saved: Checkpoint

    def described(self, logs: bool) -> dict[str, Any]:
        """What the plan of the run that begins with it says of it, JSON-ready.

        Args:
            logs: whether its experience is learnt from too.
        """
        digest = hashlib.sha256()
        for name, tensor in sorted(self.saved[1].items()):
            digest.update(name.encode() + tensor.float().numpy().tobytes())
        return {
            "run": str(self.folder.path.resolve()),
            "updates": self.saved[0],
            "sha256": digest.hexdigest()[:16],
            "logs": [str(path) for path in self.logs] if logs else [],
        }

    @property
    def logs(self) -> list[Path]:
        """Where its experience lies."""
        said = json.loads(self.folder.plan_file.read_text())
        paths = said.get("offline", {}).get("logs") or [str(self.folder.path.resolve())]
        return [Path(path) for path in paths]


def find_ancestor(run: Path) -> Ancestor:
    """A run that has learnt something.

    Raises:
        ConfigError: when there is none, or it has learnt nothing yet.
    """
    folder = RunFolder(run)
    plan = read_any_plan(folder)
    for place in (folder.path / BEST, folder.checkpoints):
        if (saved := Checkpoints(place).load()) is not None and saved[0]:
            return Ancestor(folder, plan, saved)
    raise ConfigError(f"--from {run}: has not learnt anything yet")


def begun_from(plan: AnyPlan, ancestor: Ancestor, logs: bool) -> AnyPlan:
    """The plan of a run that begins with what another one learnt.

    Raises:
        ConfigError: in one line, when robot or system are others, naming what differs.
    """
    run, old = ancestor.folder.path, ancestor.plan
    if said := differing(plan_spec(plan), plan_spec(old)):
        raise ConfigError(f"--from {run}: {said} there")
    if plan.system != old.system:
        raise ConfigError(f"--from {run}: learnt by {old.system}, and this run by {plan.system}")
    return replace(plan, begun_from=ancestor.described(logs))


def grown(plan: AnyPlan, ancestor: Ancestor) -> Trainer:
    """A trainer that begins with what was learnt; saved as a run's first checkpoint, all goes on.

    Model, behaviour and optimisers are the ancestor's; what counts experience begins anew. The
    policy acts from the first step on; learning waits for `prefill` steps, unless logs are there.

    Raises:
        ConfigError: when its networks are others than this run's, naming the first.
    """
    trainer = make_trainer(replace(plan, begun_from=None))
    updates, tensors, _ = ancestor.saved
    known = trainer.agent.tensors()
    kept = {k: v for k, v in tensors.items() if k in known or without_doubt(k)}
    kept.pop("torch_rng", None)
    try:
        trainer.begin(kept, updates, bool(plan.begun_from and plan.begun_from["logs"]))
    except ValueError as error:
        raise ConfigError(
            f"--from {ancestor.folder.path}: {error}; give this run the preset and the "
            "--set learner.* of that one"
        ) from error
    return trainer


def plant(trainer: Trainer, plan: AnyPlan, folder: RunFolder) -> None:
    """Save it as the first checkpoint of a run that has none, from which every process goes on."""
    checkpoints = Checkpoints(folder.checkpoints, configuration=plan.as_dict())
    if checkpoints.load() is None:
        trainer.save(checkpoints, {})
