"""Looks inside a learner: what its world model foretells, as films, plots and figures.

RUN/inside keeps the newest look, and TensorBoard every one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from launch.adapt import read_any_plan
from launch.compose import make_trainer, plan_spec
from launch.environments import AnyPlan
from launch.inside_files import write
from launch.run_folder import RunFolder
from learner.train.checkpoint import Checkpoints
from learner.train.insight import Glance, look
from learner.train.metrics import Metrics
from learner.train.trainer import Trainer
from robot.policy.journal import LOG_NAME
from robot.wire.log import LogReader

log = logging.getLogger(__name__)

FOLDER = "inside"
SHARE = 0.01  # of the learner's time that looks may take
LEAST_S = 30.0  # of learning before a last look is worth it
RECENT = 20_000  # steps of a log that an evaluation looks at
# Pictures cost a thousand times what vectors do.
VECTORS, PICTURES = Glance(chunks=64), Glance(chunks=12)


class Inside:
    """Looks now and then while a learner learns, and once more at its end.

    A look that took long puts off the next one, so that all together stay below 1% of the time.

    Args:
        trainer: whose agent is looked into.
        plan: of the run; its `inside_s` says how often, 0 for never.
        folder: of the run.
        metrics: takes pictures for TensorBoard.
        now_s: tells the time.
    """

    def __init__(
        self,
        trainer: Trainer,
        plan: AnyPlan,
        folder: RunFolder,
        metrics: Metrics,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trainer, self.plan, self.metrics, self._now_s = trainer, plan, metrics, now_s
        self._folder, self._every_s = folder.path / FOLDER, plan.settings.inside_s
        self._looked_s = now_s()
        self._due_s = self._looked_s + self._every_s

    def look_if_due(self, step: int) -> bool:
        """Look when `inside_s` have passed since the last time; whether it did."""
        if not self._every_s or self._now_s() < self._due_s:
            return False
        return self.look(step)

    def last(self, step: int) -> bool:
        """Look at the end of a run, unless the last look was a moment ago; whether it did."""
        if not self._every_s or self._now_s() - self._looked_s < LEAST_S:
            return False
        return self.look(step)

    def look(self, step: int) -> bool:
        """Look now; whether there was anything to be seen.

        A disk that is full or gone costs the look, and not the run.
        """
        began_s = self._now_s()
        try:
            seen = look_inside(self.trainer, self.plan, self._folder, step, self.metrics)
        except OSError as error:
            log.warning("cannot keep what the model foretells: %s", error)
            seen = False
        self._looked_s = self._now_s()
        self._due_s = self._looked_s + max(self._every_s, (self._looked_s - began_s) / SHARE)
        return seen


def look_inside(
    trainer: Trainer,
    plan: AnyPlan,
    folder: Path,
    step: int,
    metrics: Metrics | None = None,
) -> bool:
    """Look into a trainer's agent once, and write what it foretells.

    Returns:
        Whether there was enough experience to look at.

    Raises:
        OSError: when it cannot be written; what an earlier look left stays whole.
    """
    if not trainer.updates:
        return False
    glance = PICTURES if _has_pictures(trainer, plan) else VECTORS
    found = look(trainer.agent, trainer.replay, glance, (plan.seed, trainer.updates))
    if found is None:
        return False
    about = {"step": step, "updates": trainer.updates, **asdict(glance)}
    errors = write(found, plan.control_hz, folder, about)
    if metrics is not None:
        told = {key: e.foretold[np.isfinite(e.foretold)] for key, e in errors.items()}
        metrics.add({f"open_loop/{key}": float(e.mean()) for key, e in told.items() if len(e)})
        for path in sorted([*folder.glob("*.png"), *folder.glob("*.gif")]):
            metrics.show(f"inside/{path.name}", path.read_bytes(), step)
    return True


def look_at_run(folder: RunFolder, out: Path) -> bool:
    """Look into the newest checkpoint of a run, on the newest steps of its log.

    Returns:
        Whether there was a checkpoint, and enough experience to look at.

    Raises:
        ConfigError: when there is no run, or its checkpoints cannot be loaded.
        OSError: when the results cannot be written.
    """
    plan, reader = read_any_plan(folder), LogReader(folder.log, LOG_NAME)
    if not folder.checkpoints.is_dir() or (last := reader.last()) is None:
        return False
    trainer = make_trainer(plan)
    trainer.resume(Checkpoints(folder.checkpoints))
    for step in reader.transitions(after=last.index - RECENT):
        trainer.replay.add(step)
    return look_inside(trainer, plan, out, last.index)


def _has_pictures(trainer: Trainer, plan: AnyPlan) -> bool:
    observation = plan_spec(plan).observation
    return any(observation[key].is_image for key in trainer.agent.keys)
