"""A run that learns from logs alone, as fast as the computer allows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from launch.compose import make_trainer
from launch.offline_data import Doing, OfflineData, Show
from launch.offline_plan import OfflinePlan
from launch.run_folder import RunFolder
from launch.summary import Outcome, peak_rss_mb, write_summary
from learner.train.checkpoint import Checkpoints
from learner.train.conservative import kept_near
from learner.train.examination import examine, questions
from learner.train.metrics import Metrics
from learner.train.patience import Patience
from robot.clock import RealClock
from robot.config import ConfigError

ASKED = 8  # batches that each look at the model's losses takes
VISITS = 8  # how often a step is learnt from while it is in a replay that cannot hold all
BEST = "offline/best"


@dataclass(frozen=True)
class Budget:
    """How long such a run lasts, that of earlier calls counted in.

    Args:
        updates: at most so many.
        minutes: at most so long, of computing.
        patience: updates that the model may go without a better loss on held-out episodes; 0 never
            stops by it, and keeps the last weights instead of the best.
    """

    updates: float = math.inf
    minutes: float = math.inf
    patience: int = 2000


class OfflineRun:
    """One run, or the continuation of one.

    Args:
        plan: what to learn from, and how.
        folder: where to; already claimed for the plan.
        budget: how long.

    Attributes:
        curve: losses at each look, of what is taught and of what is held out.
        chosen: the update whose weights were given out; set by `close`.
    """

    def __init__(self, plan: OfflinePlan, folder: RunFolder, budget: Budget) -> None:
        self._began_s, self._computed_before_s = time.monotonic(), 0.0
        self.plan, self.folder, self.budget = plan, folder, budget
        near = plan.lessons.conservatism
        self.trainer = make_trainer(plan.plan, lambda agent: kept_near(agent, near))
        said = plan.as_dict()
        self.checkpoints = Checkpoints(folder.checkpoints, configuration=said)
        self.best = Checkpoints(folder.path / BEST, keep=1, configuration=said)
        self.patience = Patience(budget.patience)
        self.curve: list[dict[str, Any]] = []
        self.chosen = 0
        self._saved = self.trainer.resume(self.checkpoints)
        self.data = OfflineData(plan, self.trainer)
        from_step = self.trainer.updates
        self.metrics = Metrics(folder.path / "tensorboard", RealClock(), from_step=from_step)

    @property
    def computing_s(self) -> float:
        """Seconds spent on this run, by this call and those before it."""
        return self._computed_before_s + time.monotonic() - self._began_s

    def read(self, stop: Callable[[], bool], show: Show) -> bool:
        """Read the logs, and go on where an earlier call was; whether there is something to learn.

        Raises:
            ConfigError: when they hold too little, or are not what an earlier call learnt from.
        """
        if not self.data.read(stop, show):
            return False
        if self._saved is not None:
            self._restore(self._saved)
        settings = self.plan.plan.settings
        shape = settings.batch, settings.length
        taught, held = self.trainer.replay, self.data.held_out
        self._asked = {"train": questions(taught, ASKED, shape, seed=1)}
        self._asked["validation"] = questions(held, ASKED, shape, seed=2)
        return True

    def learn(self, stop: Callable[[], bool], show: Show) -> None:
        """Make updates until the budget is spent, patience is out, or `stop` says so."""
        settings, lessons = self.plan.plan.settings, self.plan.lessons
        saved_s = shown_s = time.monotonic()
        if not self.curve:
            self.look()
        while not (self.is_over or stop()):
            self.metrics.add(self.trainer.update())
            self.data.stream(settings.batch * settings.length // VISITS)
            if self.trainer.updates % lessons.every == 0:
                self.look()
            self.metrics.report_if_due(self.trainer.updates)
            now_s = time.monotonic()
            if now_s - shown_s > 0.25:
                shown_s = now_s
                show(self._doing())
            if now_s - saved_s > settings.checkpoint_s:
                saved_s = now_s
                self.save()

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be done."""
        updates, budget = self.trainer.updates, self.budget
        spent = updates >= budget.updates or self.computing_s >= 60 * budget.minutes
        return spent or self.patience.is_out(updates)

    def look(self) -> None:
        """Examine the model on what it was taught and on what was held out; keep the best."""
        update, agent = self.trainer.updates, self.trainer.agent
        found = {name: examine(agent, batches, 0) for name, batches in self._asked.items()}
        self.curve.append({"update": update, **found})
        for name, losses in found.items():
            self.metrics.add({f"{name}/{key}": value for key, value in losses.items()})
        self.metrics.report(update)
        if self.patience.tell(update, found["validation"]["loss"]):
            self.best.save(update, agent.tensors(), self.patience.state())

    def save(self) -> None:
        """Write a checkpoint from which this goes on bit for bit."""
        extra = {
            "curve": self.curve,
            "patience": self.patience.state(),
            "computing_s": self.computing_s,
            "streamed": self.data.streamed,
            "logged": len(self.data.index),
        }
        self.trainer.save(self.checkpoints, extra)

    def close(self) -> dict[str, Any]:
        """Save, give out the weights that were best on held-out episodes; the summary."""
        if self.trainer.updates:
            self.save()
            if self.curve[-1]["update"] != self.trainer.updates:
                self.look()
            self._take_best()
            self.folder.write_weights(self.trainer.weights(time.time_ns()))
        self.metrics.close()
        return write_summary(self.folder, self.plan, self._outcome())

    def _take_best(self) -> None:
        self.chosen = self.trainer.updates
        found = self.best.load() if self.budget.patience else None
        if found is not None:
            self.chosen, tensors, _ = found
            self.trainer.agent.load_tensors(tensors)

    def _restore(self, saved: dict[str, Any]) -> None:
        logged = len(self.data.index)
        if saved["logged"] != logged:
            raise ConfigError(
                f"--run {self.folder.path}: learnt from {saved['logged']} logged steps, and there "
                f"are {logged} now; name another folder to learn anew"
            )
        self.curve = list(saved["curve"])
        self.patience.restore(saved["patience"])
        best = self.best.load()
        if best is not None and best[2]["best"] < self.patience.best:
            self.patience.restore(best[2])  # seen after the checkpoint that this goes on from
        self._computed_before_s = float(saved["computing_s"])
        self.data.stream(int(saved["streamed"]))

    def _doing(self) -> Doing:
        updates, budget = self.trainer.updates, self.budget
        now = {name: self.curve[-1][name]["loss"] for name in ("train", "validation")}
        best = f"best {self.patience.best:.2f} at {self.patience.at}"
        told = f"loss {now['train']:.2f}, held out {now['validation']:.2f} ({best})"
        if math.isfinite(budget.updates):
            return Doing("updates", updates, budget.updates, told)
        return Doing("seconds", self.computing_s, 60 * budget.minutes, f"{updates} updates, {told}")

    def _outcome(self) -> Outcome:
        counts, trainer = self.data.counts, self.trainer
        transitions = {
            "logged": counts["logged"],
            "ingested": trainer.taken,
            "duplicates": counts["duplicates"],
            "invalid": counts["invalid"],
        }
        given = {"published": trainer.published, "applied": 0, "rejected": 0}
        told = {
            **counts,
            "chosen_update": self.chosen,
            "best_loss": self.patience.state()["best"],
            "stopped_early": self.patience.is_out(trainer.updates),
        }
        return Outcome(
            steps=counts["logged"],
            transitions=transitions,
            updates=trainer.updates,
            weights=given,
            peak_rss_mb={"all": peak_rss_mb()},
            more={"computing_s": round(self.computing_s, 1), "offline": told},
        )
