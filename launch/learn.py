"""`reverie learn`: the learner process; trains on what robots send and gives weights back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launch.compose import make_trainer, plan_spec
from launch.inside import Inside
from launch.offline_plan import CLOCK as OFFLINE
from launch.run_folder import Plan, RunFolder, versions, write_json
from launch.signals import until_signal
from launch.summary import peak_rss_mb
from learner.train.checkpoint import Checkpoints
from learner.train.ingest import Ingest, IngestServer, fits
from learner.train.metrics import Metrics
from learner.train.weights import WeightsPublisher
from robot.clock import RealClock
from robot.config import ConfigError
from robot.wire.keys import Keys, load_keys
from robot.wire.log import LogReader, LogWriter
from robot.wire.sockets import RobotLock
from robot.wire.streams import Endpoints

LOG_NAME = "learner"
LEDGER_S = 1.0
IDLE_S = 0.05
NICENESS = 10


class Learner:
    """A trainer between two sockets: transitions in, weights out.

    What it takes in is kept in a log of its own before it is acknowledged, so that after a kill
    the replay is whole again without asking any robot.

    Args:
        plan: of the run.
        folder: of the run.
        keys: needed where robots are on other computers.
    """

    def __init__(self, plan: Plan, folder: RunFolder, keys: Keys | None = None) -> None:
        self.plan, self.folder = plan, folder
        self.trainer = make_trainer(plan)
        self.checkpoints = Checkpoints(folder.checkpoints, configuration=plan.as_dict())
        self.trainer.resume(self.checkpoints)
        about = {"plan": json.dumps(plan.as_dict()), "versions": json.dumps(versions())}
        past = LogReader(folder.ingest, LOG_NAME)
        self.log = LogWriter(folder.ingest, LOG_NAME, about)
        self.ingest = Ingest(self.trainer.add, fits(plan_spec(plan)), self.log)
        self.ingest.restore(past)
        endpoints = Endpoints(plan.robot.robot, plan.robot.endpoints)
        self.server = IngestServer(endpoints, self.ingest, keys)
        self.publisher = WeightsPublisher(endpoints, folder.weights, keys)
        clock = RealClock()
        steps = self.trainer.taken
        self.metrics = Metrics(folder.path / "tensorboard", clock, from_step=steps)
        self.latest: dict[str, float] = {}
        self.inside = Inside(self.trainer, plan, folder, self.metrics)
        self._updates_before = self.trainer.updates
        self._began_s = time.monotonic()
        self._due = {"publish": 0.0, "save": self._began_s, "ledger": 0.0}

    def run(self, stop: Callable[[], bool]) -> None:
        """Take in, learn, give out, until told to stop."""
        settings = self.plan.settings
        self._due["save"] += settings.checkpoint_s
        while not stop():
            took = self.server.poll()
            if self.trainer.due:
                self.metrics.add(self.trainer.update())
                self.latest = self.metrics.report_if_due(self.trainer.taken) or self.latest
            elif not took:
                self.server.wait(IDLE_S)
            if self.trainer.updates and self._time("publish", settings.publish_s):
                self._publish()
            if self._time("save", settings.checkpoint_s):
                self.trainer.save(self.checkpoints, {})
            self.inside.look_if_due(self.trainer.taken)
            if self._time("ledger", LEDGER_S):
                self.write_ledger()

    def close(self) -> None:
        """Save, give out the last weights, and stop listening."""
        if self.trainer.updates:
            self.trainer.save(self.checkpoints, {})
            self._publish()
        self.publisher.close()
        self.server.close()
        self.log.close()
        self.write_ledger()
        self.inside.last(self.trainer.taken)
        self.metrics.close()

    def write_ledger(self) -> None:
        """Write what the display and the summary want to know."""
        write_json(self.folder.ledger("learn"), self._ledger())

    def _ledger(self) -> dict[str, Any]:
        trainer = self.trainer
        return {
            "process": "learn",
            "pid": os.getpid(),
            "transitions": self.ingest.counts.as_dict(),
            "updates": trainer.updates,
            "replay_ratio": trainer.ratio.achieved,
            "behind": trainer.due,
            "updates_here": trainer.updates - self._updates_before,
            "published": self.publisher.published,
            "wall_s": time.monotonic() - self._began_s,
            "peak_rss_mb": peak_rss_mb(),
            "faults": self.ingest.reasons[-5:],
            "metrics": self.latest,
        }

    def _publish(self) -> None:
        self.publisher.publish(self.trainer.weights(time.time_ns()))

    def _time(self, what: str, every_s: float) -> bool:
        """Whether something that is done every so often is due; notes that it was done."""
        now_s = time.monotonic()
        if now_s < self._due[what]:
            return False
        self._due[what] = now_s + every_s
        return True


def run_learn(run: Path | None, keys: Path | None = None) -> int:
    """Learn from what the robots of a run send, until Ctrl-C; resumes where it was.

    It gives way to the processes that move the robot: it runs at a lower priority.

    Args:
        run: the run's folder, made by `reverie train`; its plan says what to learn.
        keys: key file, where robots are on other computers.

    Returns:
        The exit code.

    Raises:
        ConfigError: when there is no run, or its checkpoints are of another configuration.
        EndpointInUse: when another learner listens already.
    """
    if run is None:
        raise ConfigError("--run is missing: name the folder of a run, or logs by --offline")
    folder = RunFolder(run)
    plan = folder.read_plan()
    if plan.clock != "realtime":
        how = "learn --offline" if plan.clock == OFFLINE else "train"
        raise ConfigError(f"--run {run}: runs in {plan.clock}; go on with it by reverie {how}")
    secret = None if keys is None else load_keys(keys)
    os.nice(NICENESS)
    endpoints = Endpoints(plan.robot.robot, plan.robot.endpoints)
    with RobotLock(endpoints, "learner"), until_signal() as stop:
        learner = Learner(plan, folder, secret)
        try:
            learner.run(stop)
        finally:
            learner.close()
    return 0
