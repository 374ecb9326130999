"""One run of a model-free rival: training, checkpoints, journal and summary."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure

from launch.baseline_env import UnbrokenLife
from launch.baseline_models import load_model_tensors, make_model, model_tensors
from launch.baseline_plan import RivalPlan
from launch.display import View
from launch.results import result
from launch.run_folder import RunFolder, versions, write_json
from launch.summary import Outcome, peak_rss_mb, write_summary
from learner.train.checkpoint import Checkpoints
from robot.config import WalkTask
from robot.policy.journal import Journal
from robot.wire.transition import Transition

SHOW_S = 0.5


class BaselineRun:
    """One run of a rival, or the continuation of one.

    A checkpoint holds model, optimisers, replay and journal, whole or not at all. A resumed run
    starts from the start pose again, with other noise, and forgets the episode that was cut. PPO
    also forgets the rollout that was cut: its steps are counted and not learnt from.

    Args:
        plan: what to run.
        folder: where to; already claimed for the plan.
        life: the environment, which stays the caller's.

    Attributes:
        curve: file of the learning curve, as `reverie result` writes it; of the walk task only,
            which the real robot's curves are of.
    """

    def __init__(self, plan: RivalPlan, folder: RunFolder, life: UnbrokenLife) -> None:
        self._began_s = time.monotonic()
        self.plan, self.folder, self.life = plan, folder, life
        self.curve = folder.path / "curve.json"
        self.checkpoints = Checkpoints(folder.checkpoints, configuration=plan.as_dict())
        self.journal = Journal(plan.robot.control.control_hz)
        self.model = make_model(plan.settings, life, plan.seed)
        self.model.set_logger(configure(str(folder.path / "tensorboard"), ["tensorboard"]))
        self._earlier_s, self._placed, self._lost = 0.0, 0, 0
        self._restore()
        self._first = self.model.num_timesteps

    def _restore(self) -> None:
        saved = self.checkpoints.load()
        if saved is None:
            return
        self.model.num_timesteps, tensors, state = saved
        load_model_tensors(self.model, tensors)
        self.model._n_updates = state["updates"]
        self.journal.episodes = state["episodes"]
        self._earlier_s, self._placed = state["computing_s"], state["placed"]
        self._lost = state["lost"]
        self.model.set_random_seed((self.plan.seed + 1000 * self.model.num_timesteps) % 2**31)

    @property
    def steps(self) -> int:
        """Steps made in the whole run."""
        return self.model.num_timesteps

    def run(self, minutes: float, stop: Callable[[], bool], show: Callable[[View], None]) -> None:
        """Run until `minutes` of robot time are there in all, or `stop` says so."""
        steps = round(minutes * 60 * self.plan.robot.control.control_hz)
        if steps <= self.steps:
            return
        watch = _Watch(
            self, lambda: stop() or self.steps >= steps, lambda: show(self._view(minutes))
        )
        self.model.learn(steps - self.steps, watch, reset_num_timesteps=False)

    def record(self, reward: float, is_last: bool, info: dict[str, Any]) -> None:
        """Take in the step that was just made."""
        arrays = {"reward": np.float32(reward), "is_last": np.bool_(is_last)}
        self._lost += info["state"] != "active"
        step = Transition(
            robot=self.plan.robot.robot,
            run=self.plan.run_id,
            index=self.steps - 1,
            episode=len(self.journal.episodes),
            step=0,
            weights_version=self.model._n_updates,
            valid=info["state"] == "active",
            arrays={name: np.asarray(value) for name, value in arrays.items()},
        )
        self.journal.add(step, info["terms"])

    def save(self) -> None:
        """Write a checkpoint."""
        state = {
            "updates": self.model._n_updates,
            "episodes": self.journal.episodes,
            "computing_s": self._computed_s(),
            "placed": self._placed + self.life.twin.placed,
            "lost": self._lost,
        }
        self.checkpoints.save(self.steps, model_tensors(self.model), state)

    def close(self) -> dict[str, Any]:
        """Save everything; the summary."""
        self.save()
        self.model.logger.close()
        summary = write_summary(self.folder, self.plan, self._outcome())
        if isinstance(self.plan.robot.task, WalkTask):
            write_json(self.curve, result(summary))
        return summary

    def _computed_s(self) -> float:
        """Seconds spent on this run, by this call and those before it."""
        return round(self._earlier_s + time.monotonic() - self._began_s, 1)

    def _view(self, minutes: float) -> View:
        wall_s = time.monotonic() - self._began_s
        done = self.steps - self._first
        return View(
            robot_minutes=self.journal.robot_minutes(self.steps),
            minutes=minutes,
            wall_s=wall_s,
            done_minutes=self.journal.robot_minutes(done),
            episodes=self.journal.episodes,
            figures={
                "updates": str(self.model._n_updates),
                "pace": f"{done / wall_s:.1f} steps per second",
            },
        )

    def _outcome(self) -> Outcome:
        control, done = self.plan.robot.control, self.steps
        still = {"missed": 0, "jitter_us": {"p50": 0.0, "p99": 0.0, "p999": 0.0, "max": 0.0}}
        inner = done * control.inner_hz // control.control_hz
        return Outcome(
            steps=done,
            transitions={"logged": 0, "ingested": done, "duplicates": 0, "invalid": self._lost},
            updates=self.model._n_updates,
            episodes=self.journal.episodes,
            policy_loop={"hz": float(control.control_hz), "ticks": done, **still},
            inner_loop={"hz": float(control.inner_hz), "ticks": inner, **still},
            peak_rss_mb={"all": peak_rss_mb()},
            more={
                "computing_s": self._computed_s(),
                "placed": self._placed + self.life.twin.placed,
                "versions": {**versions(), "stable-baselines3": version("stable-baselines3")},
            },
        )


class _Watch(BaseCallback):
    """Records every step, shows and saves now and then, and stops the library's loop.

    Saving waits for the end of an update: there SAC has stored its last step, and PPO owes none.
    """

    def __init__(
        self, run: BaselineRun, stop: Callable[[], bool], show: Callable[[], None]
    ) -> None:
        super().__init__()
        self._run, self._stop, self._show = run, stop, show
        self._shown_s = self._saved_s = time.monotonic()

    def _on_step(self) -> bool:
        self._run.record(
            float(self.locals["rewards"][0]),
            bool(self.locals["dones"][0]),
            self.locals["infos"][0],
        )
        now_s = time.monotonic()
        if now_s - self._shown_s > SHOW_S:
            self._shown_s = now_s
            self._show()
        return not self._stop()

    def _on_rollout_start(self) -> None:
        now_s = time.monotonic()
        if now_s - self._saved_s > self._run.plan.settings.checkpoint_s:
            self._saved_s = now_s
            self._run.save()
