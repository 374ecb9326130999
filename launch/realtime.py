"""A whole run in real time: one process for each job, supervised, with a live view.

    body      owns the twin or the hardware, 1000 Hz        real-time priority
    camera    one per camera                                normal
    act       the robot process, 20 Hz                      real-time priority, below the body's
    learn     the learner                                   lower priority
    train     this one: starts them, shows them, stops the motors first

Nothing here is between a sensor and a motor: the others go on if this process dies, and the body
stops by itself when the robot process falls silent.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from rich.console import Console

from launch.children import Child
from launch.display import Display, View
from launch.run_folder import Plan, RunFolder
from launch.signals import until_signal
from launch.stop import say
from launch.summary import Outcome, peak_rss_mb, write_summary
from robot.config import ConfigError
from robot.wire.streams import Endpoints

log = logging.getLogger(__name__)

START_S = 60.0
LOOK_S = 0.25
RESTARTS = 5


class Supervisor:
    """The processes of one run.

    Args:
        plan: of the run.
        folder: of the run.
        console: for messages.
    """

    def __init__(self, plan: Plan, folder: RunFolder, console: Console) -> None:
        self.plan, self.folder, self.console = plan, folder, console
        self.endpoints = Endpoints(plan.robot.robot, plan.robot.endpoints)
        self.children: dict[str, Child] = {}

    def start(self) -> None:
        """Start body, cameras, learner and robot process, in this order.

        Raises:
            ConfigError: when the body refuses to start, with its own words.
        """
        config = self.folder.path / "robot.yaml"
        config.write_text(yaml.safe_dump(self.plan.robot.model_dump(mode="json"), sort_keys=False))
        run = ["--run", str(self.folder.path)]
        twin = ["--twin", self.plan.twin] if self.plan.twin else []
        body = [str(config), *twin, *run, "--seed", str(self.plan.seed)]
        yes = [] if self.plan.twin else ["--yes"]
        self._start("body", "body", *body, *yes)
        self._await_body()
        for camera in self.plan.robot.cameras:
            self._start(f"camera-{camera}", "camera", *body, "--camera", camera)
        self._start("learn", "learn", *run)
        self._start("act", "act", str(config), *run)

    def watch(self, minutes: float, stop: Callable[[], bool], show: Callable[[View], None]) -> None:
        """Show the run until it has lasted `minutes` of robot time, or `stop` says so.

        A learner or robot process that dies is started again and goes on where it was; a twin
        that went soft meanwhile is resumed. On hardware only an operator resumes.
        """
        began_s, first = time.monotonic(), self._minutes()
        while not stop():
            time.sleep(LOOK_S)
            self._mend()
            done = self._minutes()
            show(self._view(done, minutes, time.monotonic() - began_s, done - first))
            if done >= minutes:
                return

    def stop(self) -> dict[str, Any]:
        """Stop the motors first, then everybody, each in time to save; the summary."""
        try:
            say("stop", self.endpoints)
        except (TimeoutError, OSError) as error:
            log.warning("the body did not answer to stop: %s", error)
        for name in ("act", "learn", *(n for n in self.children if n.startswith("camera")), "body"):
            if name in self.children:
                self.children[name].stop()
        return write_summary(self.folder, self.plan, gather(self.plan, self.folder))

    def _start(self, name: str, *command: str) -> None:
        output = self.folder.path / "output" / f"{name}.txt"
        self.children[name] = Child(name, command, output)
        self.children[name].start()

    def _await_body(self) -> None:
        body, ledger = self.children["body"], self.folder.ledger("body")
        ledger.unlink(missing_ok=True)
        until_s = time.monotonic() + START_S
        while not ledger.exists():
            if not body.alive:
                raise ConfigError(body.last_words())
            if time.monotonic() > until_s:
                body.stop()
                raise ConfigError(f"the body did not start within {START_S:g} s: {body.output}")
            time.sleep(0.05)

    def _mend(self) -> None:
        """Start again what died, as long as that makes sense."""
        for name, child in self.children.items():
            if child.alive:
                continue
            if name == "body" or child.starts > RESTARTS:
                raise ChildProcessError(f"{name} ended: {child.last_words()}")
            self.console.print(f"{name} ended ({child.last_words()}); starting it again")
            child.start()
        if self.plan.twin and self._read("body").get("state") == "damping":
            say("resume", self.endpoints)

    def _minutes(self) -> float:
        return float(self._read("act").get("robot_minutes", 0.0))

    def _read(self, process: str) -> dict[str, Any]:
        return read_ledger(self.folder, process)

    def _view(self, done: float, minutes: float, wall_s: float, lately: float) -> View:
        act, learner, body = (self._read(name) for name in ("act", "learner", "body"))
        return View(
            done, minutes, wall_s, lately, act.get("episodes", []), _rows(act, learner, body)
        )


def _rows(
    act: Mapping[str, Any], learner: Mapping[str, Any], body: Mapping[str, Any]
) -> dict[str, str]:
    """Rows of the live view, from the ledgers of the processes."""
    rate = learner.get("updates", 0) / max(learner.get("wall_s", 0.0), 1e-9)
    missed = {
        name: ledger.get(f"{name}_loop", {}).get("missed", 0)
        for name, ledger in (("policy", act), ("inner", body))
    }
    weights = act.get("weights", {})
    return {
        "body": f"{body.get('state', 'starting')} {body.get('reason', '')}",
        "updates": f"{learner.get('updates', 0)}, {rate:.1f} per second, replay ratio "
        f"{learner.get('replay_ratio', 0):.0f}, {learner.get('behind', 0)} behind",
        "weights": f"version {weights.get('version', 0)}, {weights.get('age_s', 0):.0f} s old",
        "missed ticks": f"policy {missed['policy']}, inner loop {missed['inner']}",
        "log": f"{act.get('log_mb', 0):.1f} MB",
    }


def read_ledger(folder: RunFolder, process: str) -> dict[str, Any]:
    """What a process last wrote of itself; empty before it did."""
    try:
        return json.loads(folder.ledger(process).read_text())
    except FileNotFoundError:
        return {}


def gather(plan: Plan, folder: RunFolder) -> Outcome:
    """Put the ledgers of all processes together."""
    act, learner, body = (read_ledger(folder, n) for n in ("act", "learner", "body"))
    default = Outcome()
    counts = learner.get("transitions", {})
    cameras = {f"camera-{n}": read_ledger(folder, f"camera-{n}") for n in plan.robot.cameras}
    ledgers = {"body": body, "act": act, "learn": learner, **cameras}
    rss = {
        name: ledger["peak_rss_mb"] for name, ledger in ledgers.items() if "peak_rss_mb" in ledger
    }
    weights = act.get("weights", {})
    logged = act.get("logged", 0)
    return Outcome(
        steps=logged,
        transitions={
            "logged": logged,
            **{name: counts.get(name, 0) for name in ("ingested", "duplicates", "invalid")},
        },
        updates=learner.get("updates", 0),
        weights={
            "published": learner.get("published", 0),
            "applied": weights.get("applied", 0),
            "rejected": weights.get("rejected", 0),
        },
        episodes=act.get("episodes", []),
        policy_loop=act.get("policy_loop", default.policy_loop),
        inner_loop=body.get("inner_loop", default.inner_loop),
        latency_ms=act.get("latency_ms", default.latency_ms),
        peak_rss_mb={**rss, "train": peak_rss_mb()},
        more={"scheduling": {n: ledgers[n].get("scheduling") for n in ("body", "act")}},
    )


def run_realtime(plan: Plan, folder: RunFolder, minutes: float, console: Console, yes: bool) -> int:
    """Run all processes until `minutes` of robot time are there, or Ctrl-C.

    Raises:
        ConfigError: when nothing was started, with the reason.
    """
    if not plan.twin and not yes:
        confirm_hardware(plan, console)
    supervisor = Supervisor(plan, folder, console)
    title = f"{plan.robot.robot} learns with {plan.system} on {plan.twin or 'hardware'}"
    with until_signal() as stop:
        try:
            supervisor.start()
            with Display(title, console) as display:
                supervisor.watch(minutes, stop, display.show)
        finally:
            summary = supervisor.stop()
    console.print(
        f"{summary['robot_minutes']:.1f} robot minutes, {summary['updates']} updates, last ten "
        f"episodes {summary['mean_reward_last10']} per step, missed ticks "
        f"{summary['policy_loop']['missed']}. Summary: {folder.summary}",
        highlight=False,
    )
    return 0


def confirm_hardware(plan: Plan, console: Console) -> None:
    """Let a person say that the robot may move.

    Raises:
        ConfigError: when nobody does.
    """
    hardware = plan.robot.hardware
    console.print(
        f"This moves the robot '{plan.robot.robot}' ({hardware.driver} at {hardware.address}). "
        "Read SAFETY.md first. A twin is chosen with --twin mujoco."
    )
    if console.input(f"Type {plan.robot.robot} to go on: ").strip() != plan.robot.robot:
        raise ConfigError(f"'{plan.robot.robot}' was not confirmed; nothing moved (see --yes)")
