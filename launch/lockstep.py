"""A whole run in one process and in lock-step: deterministic, as fast as the computer allows.

Body core, robot loop, log and trainer are those of a real-time run; only sockets and waiting are
left out. The trainer keeps step: it makes the updates that each transition allows before the next
one, and the policy takes over weights at fixed steps.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from launch.compose import exploring, make_trainer
from launch.display import View
from launch.run_folder import Plan, RunFolder, versions
from launch.summary import Outcome, peak_rss_mb, write_summary
from learner.train.checkpoint import Checkpoints
from learner.train.metrics import Metrics
from robot.clock import NS, RealClock, SteppedClock
from robot.policy.interface import Policy
from robot.policy.journal import EPISODES, LOG_NAME, Journal
from robot.policy.operator import Operator
from robot.policy.random import RandomPolicy
from robot.policy.robot import Robot
from robot.policy.rollout import Start, rollout
from robot.tasks import make_task
from robot.wire.log import LogReader, LogWriter
from robot.wire.transition import Transition
from sim.lockstep import LockstepLink
from sim.scene import make_twin


class LockstepPilot:
    """Holds the policy of a lock-step run: random until the first weights come."""

    def __init__(self, first: Policy[Any], clock: SteppedClock) -> None:
        self._policy, self._clock = first, clock
        self._since_ns = clock.now_ns()
        self.applied = 0

    def give(self, policy: Policy[Any]) -> None:
        """Hand over the policy to use from the next step on."""
        self._policy = policy
        self._since_ns = self._clock.now_ns()
        self.applied += 1

    def take(self) -> Policy[Any]:
        """Return the policy to use."""
        return self._policy

    def age_ns(self) -> int:
        """How long it has been in use."""
        return self._clock.now_ns() - self._since_ns


class LockstepRun:
    """One run, or the continuation of one, in lock-step.

    Args:
        plan: what to run.
        folder: where to; already claimed for the plan.
    """

    def __init__(self, plan: Plan, folder: RunFolder) -> None:
        self._began_s = time.monotonic()
        self.plan, self.folder = plan, folder
        self.trainer = make_trainer(plan)
        self.checkpoints = Checkpoints(folder.checkpoints, configuration=plan.as_dict())
        self.trainer.resume(self.checkpoints)
        self._history = LogReader(folder.log, LOG_NAME)
        self.start = self._restore()
        self.journal = Journal(plan.robot.control.control_hz, list(self._history.notes(EPISODES)))
        self.clock = SteppedClock()
        self.link = self._make_link()
        self.robot = Robot(plan.robot, self.link, make_task(plan.robot))
        self.operator = Operator(self.link)
        self.pilot = LockstepPilot(RandomPolicy(self.robot.spec, plan.seed), self.clock)
        self.make_policy = exploring(plan)
        about = {"plan": json.dumps(plan.as_dict()), "versions": json.dumps(versions())}
        self.log = LogWriter(folder.log, LOG_NAME, about)
        self.wall = RealClock()
        self.metrics = Metrics(folder.path / "tensorboard", self.wall, from_step=self.start.index)
        self.latest: dict[str, float] = {}

    def _restore(self) -> Start:
        """Fill the replay from the log; where the stream goes on."""
        index, episode = 0, 0
        for step in self._history.transitions():
            self.trainer.add(step)
            index, episode = step.index + 1, step.episode + 1
        return Start(self.plan.robot.robot, self.plan.run_id, index, episode)

    def _make_link(self) -> LockstepLink:
        """The twin, ready; a resumed run starts from the start pose again, with other noise."""
        config, seed = self.plan.robot, self.plan.seed + 1000 * self.start.episode
        twin = make_twin(self.plan.twin, config, self.clock, seed)
        twin.connect()
        twin.reset(config.twin.start, seed)
        link = LockstepLink(config, twin, self.clock)
        link.open()
        return link

    def run(self, minutes: float, stop: Callable[[], bool], show: Callable[[View], None]) -> None:
        """Run until `minutes` of robot time are there in all, or `stop` says so."""
        began = time.monotonic()
        saved = shown = began
        self._began_minutes = self.journal.robot_minutes(self.start.index)
        self._sync()
        steps = round(minutes * 60 * self.plan.robot.control.control_hz)
        if self.start.index >= steps:
            return
        for step in rollout(self.robot, self.pilot, self.start, self._reviving(stop)):
            self._record(step)
            self._learn(step)
            now = time.monotonic()
            if now - shown > 0.5:
                shown = now
                show(self._view(step, minutes, now - began))
            if now - saved > self.plan.settings.checkpoint_s:
                saved = now
                self.trainer.save(self.checkpoints, {})
            if step.index + 1 >= steps or stop():
                break

    def _reviving(self, stop: Callable[[], bool]) -> Callable[[], bool]:
        """As `stop`; asked while the body follows nobody, it also resumes a twin gone soft."""

        def ask() -> bool:
            if self.robot.state == "damping":
                self.operator.resume()
            return stop()

        return ask

    def _record(self, step: Transition) -> None:
        """Log first."""
        now_ns = self.clock.now_ns()
        self.log.append_transition(step, now_ns, now_ns)
        self.start = Start(step.robot, step.run, step.index + 1, step.episode + 1)
        verdict = self.robot.verdict
        line = self.journal.add(step, verdict.terms if verdict else {})
        if line is not None:
            self.log.note(EPISODES, line, now_ns)

    def _learn(self, step: Transition) -> None:
        """Make all updates that this step allows; take over weights when it is time."""
        trainer = self.trainer
        trainer.add(step)
        while trainer.due:
            self.metrics.add(trainer.update())
            self.latest = self.metrics.report_if_due(step.index) or self.latest
        if (step.index + 1) % self.plan.settings.sync_steps == 0:
            self._sync()

    def _sync(self) -> None:
        if self.trainer.updates:
            weights = self.trainer.weights(self.clock.now_ns())
            self.pilot.give(self.make_policy(weights))

    def _view(self, step: Transition, minutes: float, wall_s: float) -> View:
        done = self.journal.robot_minutes(step.index + 1)
        trainer = self.trainer
        return View(
            robot_minutes=done,
            minutes=minutes,
            wall_s=wall_s,
            done_minutes=done - self._began_minutes,
            episodes=self.journal.episodes,
            figures={
                "updates": f"{trainer.updates}, replay ratio {trainer.ratio.achieved:.0f}",
                "weights": f"version {trainer.published}, {self.pilot.age_ns() / NS:.1f} s old",
                "log": f"{self.log.size / 1e6:.1f} MB",
                "model": f"KL {self.latest.get('model/dynamics', 0):.2f}",
            },
        )

    def close(self) -> dict[str, Any]:
        """Stop the motors, then save everything; the summary."""
        self.link.close()
        self.log.close()
        self.trainer.save(self.checkpoints, {})
        if self.trainer.updates:
            weights = self.trainer.weights(self.clock.now_ns())
            self.folder.write_weights(weights)
        self.metrics.close()
        return write_summary(self.folder, self.plan, self._outcome())

    def _computed_s(self) -> float:
        """Seconds spent on this run, by this call and those before it."""
        earlier = 0.0
        if self.folder.summary.exists():
            earlier = json.loads(self.folder.summary.read_text()).get("computing_s", 0.0)
        return earlier + time.monotonic() - self._began_s

    def _outcome(self) -> Outcome:
        done = self.start.index
        loop = {"hz": float(self.plan.robot.control.control_hz), "ticks": done, "missed": 0}
        still = {"p50": 0.0, "p99": 0.0, "p999": 0.0, "max": 0.0}
        inner = {"hz": float(self.plan.robot.control.inner_hz), "ticks": 0, "missed": 0}
        inner["ticks"] = (
            done * self.plan.robot.control.inner_hz // self.plan.robot.control.control_hz
        )
        return Outcome(
            steps=done,
            transitions={
                "logged": done,
                "ingested": self.trainer.taken,
                "duplicates": 0,
                "invalid": 0,
            },
            updates=self.trainer.updates,
            weights={
                "published": self.trainer.published,
                "applied": self.pilot.applied,
                "rejected": 0,
            },
            episodes=self.journal.episodes,
            policy_loop={**loop, "jitter_us": still},
            inner_loop={**inner, "jitter_us": still},
            peak_rss_mb={"all": peak_rss_mb()},
            more={"computing_s": round(self._computed_s(), 1)},
        )
