"""`reverie act`: the robot process in real time; acts, logs, sends, and takes over weights."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import zmq

from launch.compose import exploring
from launch.records import Records
from launch.run_folder import Plan, RunFolder
from launch.signals import until_signal
from robot.body.ledger import Figures, Latencies, LedgerWriter, peak_rss_mb
from robot.body.scheduling import Obtained, obtain
from robot.clock import NS, RealClock
from robot.config import ConfigError, Scheduling, load_config
from robot.policy.aside import Aside
from robot.policy.downlink import Downlink, Gate
from robot.policy.events import note_event
from robot.policy.interface import Policy
from robot.policy.journal import EPISODES, LOG_NAME, Journal
from robot.policy.link import ZmqLink
from robot.policy.operator import Operator, WeightsWatch
from robot.policy.pilot import LivePilot
from robot.policy.random import RandomPolicy
from robot.policy.recording import RecordingLink, RecordingPilot
from robot.policy.robot import Robot
from robot.policy.rollout import Recorder, Start, rollout
from robot.policy.tick_log import TickLog
from robot.policy.uplink import Forwarder, StepLog, Uplink
from robot.policy.weights_log import PilotNotes
from robot.tasks import make_task
from robot.wire.cursor import Cursor
from robot.wire.keys import Keys, load_keys
from robot.wire.log import LogError, LogReader
from robot.wire.sockets import RobotLock
from robot.wire.spec import RobotSpec
from robot.wire.streams import Endpoints
from robot.wire.transition import Transition
from robot.wire.weights import Weights, layout

log = logging.getLogger(__name__)

BELOW_BODY = 10
FLUSH_S = 5.0
LIVE_EPISODES = 1000
REHEARSALS = 3


class PolicyMaker(Protocol):
    """Builds policies from weights."""

    def untrained(self) -> Weights:
        """Weights that all others must look like."""
        ...

    def __call__(self, weights: Weights) -> Policy[Any]:
        """Build a policy; called between two steps, so it must be quick."""
        ...


class Act:
    """The robot process: everything between the body's streams, the log and the learner.

    Args:
        plan: of the run.
        folder: of the run.
        make_policy: builds policies from what the learner publishes; random actions until then.
        endpoints: where all streams are.
        keys: needed where body or learner are on other computers.
    """

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        make_policy: PolicyMaker,
        endpoints: Endpoints,
        keys: Keys | None = None,
    ) -> None:
        config = plan.robot
        self.plan, self.folder = plan, folder
        self.clock = RealClock()
        past = LogReader(folder.log, LOG_NAME)
        self.start = next_start(plan, past)
        self.journal = Journal(config.control.control_hz, list(past.notes(EPISODES)))
        # Its own context: the input-output thread of `zmq` starts with the first socket, in `run`.
        self.link = ZmqLink(config, endpoints, self.clock, keys, context=zmq.Context())
        seed = plan.seed + self.start.index
        self.records = Records(plan, folder, _drawn(plan, self.start))
        self.log, self.aside = self.records.log, Aside("pictures")
        ticks = TickLog(self.log, config, self.aside, self.link.health)
        heard = RecordingLink(self.link, ticks, time.time_ns, self.link.take_answers)
        self.heard, self.robot = heard, Robot(config, heard, make_task(config, seed))
        self.operator = Operator(heard)
        self.watch = WeightsWatch(config.safety, self.operator)
        untrained = make_policy.untrained()
        rehearse(make_policy(untrained), self.robot.spec)
        random = RandomPolicy(self.robot.spec, seed)
        stream = (config.robot, plan.run_id)
        self.uplink = Uplink(endpoints, Cursor(folder.log, LOG_NAME, stream), keys)
        gate = Gate(self.robot.spec.fingerprint(), layout(untrained.arrays))
        self.downlink = Downlink(endpoints, gate, keys, witness=self.records.weights)
        notes = PilotNotes(self.records.weights, heard, time.time_ns)
        self.pilot = LivePilot(random, self.downlink, make_policy, self.clock, notes)
        steps = StepLog(self.log, time.time_ns, self.clock.now_ns)
        self.recorder = Recorder(steps, Forwarder(steps, self.uplink))
        self.latencies = {name: Latencies() for name in ("sensor_to_command", "inference")}
        self.invalid = 0
        self._scheduling: Obtained | None = None
        self._ended = False
        self._note_process("start")

    def run(self, stop: Callable[[], bool]) -> None:
        """Live until told to stop.

        Raises:
            TimeoutError: when no body answers.
            LogError: when the log cannot be written; nothing is sent that was not logged.
        """
        # After uplink, downlink and ledger started their threads, for those begun later inherit
        # the priority; before the link starts its own, which carries sensors and commands.
        self._scheduling = obtain(below_body(self.plan.robot.scheduling))
        log.info("scheduling: %s", self._scheduling)
        self.heard.open()
        pilot = RecordingPilot(self.pilot, self.heard)
        for step in rollout(self.robot, pilot, self.start, stop):
            self.recorder.record(step)
            self._note(step)
            self.watch.check(pilot.age_ns(), self.robot.state)
            if stop():
                break

    def close(self) -> None:
        """Stop the motors first, then bring what was logged to the learner, then close the log."""
        try:
            self.operator.stop()
        except RuntimeError:
            log.debug("the link was not open; there was nobody to stop")
        self.heard.close()
        self.uplink.close(FLUSH_S if self.uplink.acknowledged >= 0 else 0.0)
        self.downlink.close()
        self.aside.close()
        self._note_process("end")
        self.log.close()
        self._ended = True

    def figures(self) -> Figures:
        """The ledger: plain data, safe to collect from another thread."""
        done, robot = self.start.index, self.robot
        received = self.downlink.report()
        latency = {name: kept.report() for name, kept in self.latencies.items()}
        episodes = self.journal.episodes
        shown = list(episodes) if self._ended else _latest(episodes)
        return {
            "process": "act",
            "pid": os.getpid(),
            "run": self.start.run,
            "state": robot.state,
            "robot_minutes": self.journal.robot_minutes(done),
            "logged": done,
            "invalid": self.invalid,
            "log_mb": self.log.size / 1e6,
            "episodes": shown,
            "policy_loop": self.link.pace.report(),
            "latency_ms": {**latency, "weights": received["latency_ms"]},
            "weights": {
                **received,
                "age_s": self.pilot.age_ns() / NS,
                "failed": self.pilot.failed,
                "pauses": self.watch.pauses,
            },
            "uplink": {
                "acknowledged": self.uplink.acknowledged,
                "caught_up": self.uplink.caught_up,
                "resent": self.uplink.resent,
                "lost": self.uplink.lost,
                "fault": self.uplink.fault,
            },
            "counts": {**robot.counts, "damaged": self.link.damaged},
            "dropped": dict(self.link.dropped),
            "streams": {name: asdict(h) for name, h in self.link.health().items()},
            "scheduling": str(self._scheduling),
            "peak_rss_mb": peak_rss_mb(),
        }

    def _note(self, step: Transition) -> None:
        """Keep the books of one step; a closed episode's line goes to the log."""
        for name, kept in self.latencies.items():
            if name in step.ledger_ns:
                kept.note(step.ledger_ns[name])
        self.invalid += not step.valid
        terms = self.robot.verdict.terms if self.robot.verdict else {}
        self.records.plots.write(step, terms, time.time_ns())
        line = self.journal.add(step, terms)
        self.start = replace(self.start, index=step.index + 1, episode=step.episode + 1)
        if line is not None:
            self.log.note(EPISODES, line, time.time_ns())
            # The collector is off; here, once in an episode, there is time for what it would do.
            gc.collect()

    def _note_process(self, what: str) -> None:
        told = {"what": what, "name": "act", "pid": os.getpid(), "index": self.start.index}
        note_event(self.log, time.time_ns(), "process", **told)


def _drawn(plan: Plan, start: Start) -> dict[str, int]:
    """Seeds of this process, what it draws before its first step, and where it goes on."""
    seed = plan.seed + start.index
    seeds = {"policy_noise": plan.seed + 1, "random_policy": seed, "task": seed}
    return {**seeds, "rehearsals": REHEARSALS, "index": start.index, "episode": start.episode}


def next_start(plan: Plan, past: LogReader) -> Start:
    """Where the stream of a run goes on: behind the last step that its log holds.

    Raises:
        ConfigError: when the log is another run's.
    """
    last = past.last()
    stream = (plan.robot.robot, plan.run_id)
    if last is None:
        return Start(*stream)
    if last.stream != stream:
        raise ConfigError(
            f"{past.directory}: holds steps of {' '.join(last.stream)}; this is {' '.join(stream)}"
        )
    return Start(*stream, last.index + 1, last.episode + 1)


def rehearse(policy: Policy[Any], spec: RobotSpec) -> None:
    """Act a few times on nothing: first calls take long, and must not do so on the robot."""
    observation = {key: np.zeros(s.shape, s.dtype) for key, s in spec.observation.items()}
    observation["is_first"] = np.array(True)
    carry = policy.initial()
    for _ in range(REHEARSALS):
        carry, _ = policy.act(carry, observation)


def below_body(asked: Scheduling) -> Scheduling:
    """Priority for this process: real time too, but the inner loop always comes first."""
    priority = asked.realtime_priority
    return Scheduling(realtime_priority=max(1, priority - BELOW_BODY) if priority else 0)


def _latest(episodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last thousand lines: a live ledger must not grow for days."""
    return list(islice(episodes, max(0, len(episodes) - LIVE_EPISODES), None))


def run_act(
    config: Path, run: Path, keys: Path | None = None, changes: tuple[str, ...] = ()
) -> int:
    """Act on a robot and record it, until Ctrl-C; goes on where the run's log ends.

    Start `reverie body` first. Actions are random until a learner of the same run (`reverie learn`)
    has published weights.

    Args:
        config: the robot's YAML file.
        run: the run's folder, made by `reverie train`.
        keys: key file, where body or learner are on other computers.
        changes: `key=value` changes of the configuration.

    Returns:
        The exit code: 0 after Ctrl-C, 1 when body or log fail.

    Raises:
        ConfigError: when there is no such run, or it is one of another configuration.
        EndpointInUse: when the robot has a robot process already.
    """
    folder = RunFolder(run)
    plan = replace(folder.read_plan(), robot=load_config(config, changes))
    if plan.clock != "realtime":
        raise ConfigError(f"--run {run}: runs in {plan.clock}; this is for runs in real time")
    folder.claim(plan)
    endpoints = Endpoints(plan.robot.robot, plan.robot.endpoints)
    secret = None if keys is None else load_keys(keys)
    with RobotLock(endpoints, "robot"), until_signal() as stop:
        process = Act(plan, folder, exploring(plan), endpoints, secret)
        with LedgerWriter(folder.ledger("act"), process.figures):
            try:
                process.run(stop)
            except (TimeoutError, LogError) as error:
                log.error("%s", error)
                return 1
            finally:
                process.close()
    return 0
