"""A whole run in one process and in lock-step: deterministic, as fast as the computer allows.

On a twin, body core, robot loop, log and trainer are those of a real-time run; only sockets and
waiting are left out. An environment stands for body and robot at once (`launch/worlds.py`). The
trainer keeps step: it makes the updates that each transition allows before the next one, and the
policy takes over weights at fixed steps.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from launch.compose import exploring, make_trainer
from launch.display import View
from launch.environments import AnyPlan
from launch.inside import Inside
from launch.records import Records
from launch.run_folder import Plan, RunFolder
from launch.summary import Outcome, peak_rss_mb, write_summary
from launch.worlds import LockstepWorld, open_world
from learner.train.checkpoint import Checkpoints
from learner.train.metrics import Metrics
from robot.clock import NS, RealClock
from robot.policy.aside import Aside, at_once
from robot.policy.events import note_event
from robot.policy.interface import Policy
from robot.policy.journal import EPISODES, LOG_NAME, Journal
from robot.policy.random import RandomPolicy
from robot.policy.recording import RecordingLink, RecordingPilot
from robot.policy.rollout import Pilot, Start, rollout
from robot.policy.tick_log import TickLog
from robot.wire.index import LogIndex
from robot.wire.link import BodyLink
from robot.wire.log import LogReader, log_files
from robot.wire.transition import Transition
from robot.wire.weights import Weights

_log = logging.getLogger(__name__)


class LockstepPilot:
    """Holds the policy of a lock-step run: random until the first weights come."""

    def __init__(self, first: Policy[Any], now_ns: Callable[[], int]) -> None:
        self._policy, self._now_ns = first, now_ns
        self._since_ns = now_ns()
        self.applied = 0

    def give(self, policy: Policy[Any]) -> None:
        """Hand over the policy to use from the next step on."""
        self._policy = policy
        self._since_ns = self._now_ns()
        self.applied += 1

    def take(self) -> Policy[Any]:
        """Return the policy to use."""
        return self._policy

    def age_ns(self) -> int:
        """How long it has been in use."""
        return self._now_ns() - self._since_ns


class LockstepRun:
    """One run, or the continuation of one, in lock-step.

    Args:
        plan: what to run.
        folder: where to; already claimed for the plan.
    """

    def __init__(self, plan: AnyPlan, folder: RunFolder) -> None:
        self._began_s = time.monotonic()
        self.plan, self.folder = plan, folder
        self.trainer = make_trainer(plan)
        self.checkpoints = Checkpoints(folder.checkpoints, configuration=plan.as_dict())
        self.trainer.resume(self.checkpoints)
        self.start = self._restore()
        self.journal = Journal(
            plan.control_hz, list(LogReader(folder.log, LOG_NAME).notes(EPISODES))
        )
        self.records = Records(plan, folder, self._drawn())
        self.log, self._aside = self.records.log, Aside("weights")
        self._heard: RecordingLink | None = None
        self.world: LockstepWorld = open_world(plan, self.start.episode, self._recorded)
        self.pilot = LockstepPilot(RandomPolicy(self.world.spec, plan.seed), self.world.now_ns)
        self.make_policy = exploring(plan)
        self.wall = RealClock()
        self.metrics = Metrics(folder.path / "tensorboard", self.wall, from_step=self.start.index)
        self.latest: dict[str, float] = {}
        self.inside = Inside(self.trainer, plan, folder, self.metrics)
        self._given: Weights | None = None
        self._note_process("start")

    def _recorded(self, link: BodyLink) -> BodyLink:
        """The link to a robot, with what passes through it kept in the log."""
        assert isinstance(self.plan, Plan), "only a robot has a link"
        keeper = TickLog(self.log, self.plan.robot, at_once)
        self._heard = RecordingLink(link, keeper)
        return self._heard

    def _drawn(self) -> dict[str, int]:
        """Seeds of this part of the run, and where it goes on."""
        seed, start = self.plan.seed, self.start
        seeds = {"policy_noise": seed + 1, "random_policy": seed, "rehearsals": 0}
        return {**seeds, "index": start.index, "episode": start.episode}

    def _note_process(self, what: str) -> None:
        told = {"what": what, "name": "lockstep", "index": self.start.index}
        note_event(self.log, self.world.now_ns(), "process", **told)

    def _restore(self) -> Start:
        """Fill the replay from the log; where the stream goes on."""
        index, episode = 0, 0
        with LogIndex(log_files(self.folder.log, LOG_NAME)) as past:
            for step in past.transitions():
                self.trainer.add(step)
                index, episode = step.index + 1, step.episode + 1
        for fault in past.faults:
            _log.warning("%s", fault)
        return Start(self.plan.name, self.plan.run_id, index, episode)

    def run(self, minutes: float, stop: Callable[[], bool], show: Callable[[View], None]) -> None:
        """Run until `minutes` of the world's time are there in all, or `stop` says so."""
        began = time.monotonic()
        saved = shown = began
        self._began_minutes = self.journal.robot_minutes(self.start.index)
        self._sync()
        goal = round(minutes * 60 * self.plan.steps_hz)
        if self._spent >= goal:
            return
        pilot: Pilot = self.pilot
        if self._heard is not None:
            pilot = RecordingPilot(pilot, self._heard)
        for step in rollout(self.world, pilot, self.start, self._reviving(stop)):
            self._record(step)
            self._learn(step)
            self.inside.look_if_due(step.index)
            now = time.monotonic()
            if now - shown > 0.5:
                shown = now
                show(self._view(step, minutes, now - began))
            if now - saved > self.plan.settings.checkpoint_s:
                saved = now
                self._keep()
            if self._spent >= goal or stop():
                break

    @property
    def _spent(self) -> int:
        """Steps so far, as the run's length counts them."""
        return self.world.spent(self.start.index, len(self.journal.episodes))

    def _tally(self) -> dict[str, int]:
        return self.world.tally(self.start.index, len(self.journal.episodes))

    def _reviving(self, stop: Callable[[], bool]) -> Callable[[], bool]:
        """As `stop`; asked before each episode, it also makes the world ready again."""

        def ask() -> bool:
            self.world.revive()
            return stop()

        return ask

    def _record(self, step: Transition) -> None:
        """Log first."""
        now_ns = self.world.now_ns()
        self.log.append_transition(step, now_ns, now_ns)
        self.start = Start(step.robot, step.run, step.index + 1, step.episode + 1)
        self.records.plots.write(step, self.world.terms(), now_ns)
        line = self.journal.add(step, self.world.terms())
        if line is not None:
            line |= self._tally()
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
            given = self._given = self.trainer.weights(self.world.now_ns())
            self.pilot.give(self.make_policy(given))
            records, data = self.records.weights, given.to_bytes()
            records.know(given, data)
            records.taken(given, self._tick(), self.world.now_ns())
            if not self._aside(lambda: records.keep(data)):
                records.keep(data)

    def _tick(self) -> int:
        """Number of the present control tick, -1 where there are none."""
        return self._heard.number if self._heard is not None else -1

    def _keep(self) -> None:
        """Save what is needed to go on, and the weights in use, which may be tried meanwhile."""
        self.trainer.save(self.checkpoints, {})
        if self._given is not None:
            self.folder.write_weights(self._given)

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
                **{name.replace("_", " "): str(count) for name, count in self._tally().items()},
                "updates": f"{trainer.updates}, replay ratio {trainer.ratio.achieved:.0f}",
                "weights": f"version {trainer.published}, {self.pilot.age_ns() / NS:.1f} s old",
                "log": f"{self.log.size / 1e6:.1f} MB",
                "model": f"KL {self.latest.get('model/dynamics', 0):.2f}",
            },
        )

    def close(self) -> dict[str, Any]:
        """Stop what moves, then save everything; the summary."""
        self.world.close()
        self._aside.close()
        self._note_process("end")
        self.log.close()
        self.trainer.save(self.checkpoints, {})
        if self.trainer.updates:
            weights = self.trainer.weights(self.world.now_ns())
            self.folder.write_weights(weights)
        self.inside.last(self.start.index)
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
            peak_rss_mb={"all": peak_rss_mb()},
            more={"computing_s": round(self._computed_s(), 1), **self._tally()},
            **self.world.loops(done),
        )
