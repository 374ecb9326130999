"""A whole run in real time: one process for each job, supervised, with a live view.

    learn     the learner                                   lower priority
    body      owns the twin or the hardware, 1000 Hz        real-time priority
    camera    one per camera                                normal
    act       the robot process, 20 Hz                      real-time priority, below the body's
    train     this one: starts them, shows them, stops the motors first

The learner starts first: what it cannot go on with is refused before anything moves. Nothing here
is between a sensor and a motor: the others go on if this process dies, and the body stops by itself
when the robot process falls silent.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import yaml
from rich.console import Console

from launch.children import Child
from launch.display import Display, View
from launch.ledgers import Ledger, Ledgers, camera_names, gather
from launch.run_folder import Plan, RunFolder
from launch.signals import until_signal
from launch.stop import Word, say
from launch.summary import recent_reward, write_summary
from launch.waiting import LOOKS_HZ
from robot.body.safety import LATCHED
from robot.config import ConfigError
from robot.wire.sockets import RobotLock, open_receiver, open_sender
from robot.wire.streams import STREAMS, Endpoints

log = logging.getLogger(__name__)

BODY_START_S = 60.0
LOOK_S = 0.25
RESTARTS, RESTARTS_S = 5, 600.0
REVIVE_S = 30.0
REFUSED = 2


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
        self.ledgers = Ledgers(folder)
        self.children = {name: self._child(name) for name in ("learn", "body", "act")}
        self.children |= {name: self._child(name) for name in camera_names(plan)}
        self._given_up: set[str] = set()
        self._revive_until_s = 0.0
        self._stopped = False

    def start(self, stop: Callable[[], bool]) -> None:
        """Start learner, body, cameras and robot process, in this order.

        Raises:
            ConfigError: when learner or body refuse to start, with their own words.
        """
        config = self.folder.path / "robot.yaml"
        config.write_text(yaml.safe_dump(self.plan.robot.model_dump(mode="json"), sort_keys=False))
        with self.console.status("starting the learner", refresh_per_second=LOOKS_HZ) as shown:
            self._start("learn")
            self._await("learn", stop, float("inf"))
            if stop():
                return
            shown.update(f"starting the body: {self.plan.twin or self.plan.robot.hardware.driver}")
            self._start("body")
            self._await("body", stop, BODY_START_S)
        for name in (*camera_names(self.plan), "act"):
            self._start(name)

    def watch(self, minutes: float, stop: Callable[[], bool], show: Callable[[View], None]) -> None:
        """Show the run until it has lasted `minutes` of robot time, or `stop` says so.

        A process that dies is started again and goes on where it was; a twin that went soft
        meanwhile is resumed. On hardware only an operator resumes.

        Raises:
            ConfigError: when one refuses to go on, with its own words.
            ChildProcessError: when the body dies, or another one again and again.
        """
        began_s, first = time.monotonic(), self.minutes()
        while not stop():
            time.sleep(LOOK_S)
            self._mend()
            self._look_at_body()
            done = self.minutes()
            show(self._view(done, minutes, time.monotonic() - began_s, done - first))
            if done >= minutes:
                return

    def stop(self) -> None:
        """Stop the motors first, then everybody, each in time to save."""
        if self.children["body"].alive:
            self._say("stop")
        for name in ("act", "learn", *camera_names(self.plan), "body"):
            self.children[name].stop()

    def minutes(self) -> float:
        """Robot time so far."""
        return float(self.ledgers.last("act", "robot_minutes") or 0.0)

    def summarise(self) -> dict[str, Any]:
        """Write the summary of the run so far, and return it."""
        return write_summary(self.folder, self.plan, gather(self.plan, self.folder))

    def _child(self, name: str) -> Child:
        config, run = str(self.folder.path / "robot.yaml"), str(self.folder.path)
        owner = [config, "--run", run, "--seed", str(self.plan.seed)]
        owner += ["--twin", self.plan.twin] if self.plan.twin else []
        command = {
            "learn": ["learn", "--run", run],
            "act": ["act", config, "--run", run],
            "body": ["body", *owner, *([] if self.plan.twin else ["--yes"])],
        }
        camera = ["camera", *owner, "--camera", name.removeprefix("camera-")]
        output = self.folder.path / "output" / f"{name}.txt"
        return Child(name, tuple(command.get(name, camera)), output)

    def _start(self, name: str) -> None:
        self.ledgers.put_away(name)
        self.children[name].start()

    def _await(self, name: str, stop: Callable[[], bool], patience_s: float) -> None:
        """Wait for a process's first ledger, with which it says that it works."""
        child, until_s = self.children[name], time.monotonic() + patience_s
        while not self.ledgers.latest(name) and not stop():
            if not child.alive:
                raise _ended(child)
            if time.monotonic() > until_s:
                raise ChildProcessError(f"{name} did not start in {patience_s:g} s: {child.output}")
            time.sleep(0.05)

    def _mend(self) -> None:
        """Start again what died, as long as that makes sense."""
        for name, child in self.children.items():
            if child.alive or name in self._given_up:
                continue
            if name == "body" or child.code == REFUSED:
                raise _ended(child)
            if child.starts_within(RESTARTS_S) <= RESTARTS:
                self.console.print(f"{name} ended ({child.last_words()}); starting it again")
                self._start(name)
            elif name in ("act", "learn") or self._is_observed(name):
                raise _ended(child)
            else:
                self.console.print(f"{name} ended too often; going on without it")
                self._given_up.add(name)
            if name == "act" and not self._stopped:
                self._revive_until_s = time.monotonic() + REVIVE_S

    def _is_observed(self, camera: str) -> bool:
        return self.plan.robot.cameras[camera.removeprefix("camera-")].observed

    def _look_at_body(self) -> None:
        """Tell once of an operator's stop; resume a twin that only lost its robot process."""
        ledger = self.ledgers.latest("body")
        state = ledger.get("state", "")
        reviving = time.monotonic() < self._revive_until_s
        if self.plan.twin and (state == "damping" or (state in LATCHED and reviving)):
            self._say("resume")
        elif state == "stopped" and not self._stopped:
            self.console.print(
                f"{ledger.get('reason')}; reverie resume goes on, Ctrl-C ends the run",
                highlight=False,
            )
            self.summarise()
        self._stopped = state == "stopped" and not reviving

    def _say(self, word: Word) -> None:
        try:
            say(word, self.endpoints)
        except TimeoutError as error:
            log.warning("%s was not heard: %s", word, error)

    def _view(self, done: float, minutes: float, wall_s: float, lately: float) -> View:
        act, learn, body = (self.ledgers.latest(name) for name in ("act", "learn", "body"))
        episodes = self.ledgers.last("act", "episodes") or []
        return View(done, minutes, wall_s, lately, episodes, _rows(act, learn, body))


def _ended(child: Child) -> Exception:
    """What the end of a process means: it refused to work, or it broke."""
    words = child.last_words()
    return ConfigError(words) if child.code == REFUSED else ChildProcessError(words)


def _rows(act: Ledger, learn: Ledger, body: Ledger) -> dict[str, str]:
    """Rows of the live view, from the ledgers of the processes."""
    rate = learn.get("updates_here", 0) / max(learn.get("wall_s", 0.0), 1e-9)
    missed = {
        name: ledger.get(f"{name}_loop", {}).get("missed", 0)
        for name, ledger in (("policy", act), ("inner", body))
    }
    weights = act.get("weights", {})
    return {
        "body": f"{body.get('state', 'starting')} {body.get('reason', '')}",
        "updates": f"{learn.get('updates', 0)}, {rate:.1f} per second, replay ratio "
        f"{learn.get('replay_ratio', 0):.0f}, {learn.get('behind', 0)} behind",
        "weights": f"version {weights.get('version', 0)}, {weights.get('age_s') or 0:.0f} s old",
        "missed ticks": f"policy {missed['policy']}, inner loop {missed['inner']}",
        "log": f"{act.get('log_mb', 0):.1f} MB",
    }


def run_realtime(plan: Plan, folder: RunFolder, minutes: float, console: Console) -> int:
    """Run all processes until `minutes` of robot time are there, or Ctrl-C.

    Raises:
        ConfigError: when a process refuses to work, with its reason.
        ChildProcessError: when one breaks for good; the motors are stopped and the rest is saved.
    """
    supervisor = Supervisor(plan, folder, console)
    title = f"{plan.robot.robot} learns with {plan.system} on {plan.twin or 'hardware'}"
    if supervisor.minutes() < minutes:
        with until_signal() as stop:
            try:
                supervisor.start(stop)
                with Display(title, console) as display:
                    supervisor.watch(minutes, stop, display.show)
            except ChildProcessError:
                supervisor.stop()
                supervisor.summarise()
                raise
            finally:
                supervisor.stop()
    summary = supervisor.summarise()
    console.print(
        f"{summary['robot_minutes']:.1f} robot minutes, {summary['updates']} updates, "
        f"{recent_reward(summary)}, missed ticks {summary['policy_loop']['missed']}. "
        f"Summary: {folder.summary}. Look at it: reverie evaluate {folder.path}",
        highlight=False,
    )
    return 0


def claim_robot(plan: Plan) -> RobotLock:
    """Make sure that nobody else runs this robot here, and that its endpoints are free.

    Raises:
        EndpointInUse: naming the robot or the endpoint.
        EndpointError: when an endpoint cannot be used.
    """
    endpoints = Endpoints(plan.robot.robot, plan.robot.endpoints)
    lock = RobotLock(endpoints, "train")
    try:
        for role in ("body", "robot", "learner"):
            RobotLock(endpoints, role).close()
        for row in STREAMS.values():
            names = [f"frames-{c}" for c in plan.robot.cameras] if row.name == "frames" else []
            for name in names or [row.name]:
                opens = open_sender if row.binds == "sender" else open_receiver
                opens(endpoints, name).close()
    except BaseException:
        lock.close()
        raise
    return lock


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
    try:
        answer = console.input(f"Type {plan.robot.robot} to go on: ").strip()
    except EOFError:
        answer = ""
    if answer != plan.robot.robot:
        raise ConfigError(f"'{plan.robot.robot}' was not confirmed; nothing moved (see --yes)")
