"""`reverie doctor`: whether this computer can run a robot's configuration; nothing moves."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import psutil
import zmq
from rich.console import Console
from rich.table import Table

from launch.bench import usable_cores
from launch.run_folder import versions
from robot.clock import Pace, RealClock, SteppedClock
from robot.config import RobotConfig, load_config
from robot.policy.observe import robot_spec
from robot.tasks import make_task
from robot.wire.keys import Keys, load_keys
from robot.wire.sockets import EndpointInUse, RobotLock, open_receiver, open_sender
from robot.wire.streams import STREAMS, EndpointError, Endpoints
from sim.lockstep import LockstepLink
from sim.painters import GlPainter, gl_or_tiny_painter
from sim.scene import ENGINES, make_twin

ROLES = ("body", "robot", "learner")
MEMORY_GB = 2.0
DISK_GB = 5.0
TRIED_STEPS = 40
TRIED_TICKS = 500
COLOURS = {"ok": "green", "note": "yellow", "bad": "red"}


@dataclass(frozen=True)
class Finding:
    """One line of the report; only "bad" keeps the robot from running."""

    what: str
    verdict: Literal["ok", "note", "bad"]
    said: str


def run_doctor(config: Path, changes: Sequence[str] = (), keys: Path | None = None) -> int:
    """Check everything that a run needs and print a table.

    Returns:
        Exit code: 0 when the robot can run, 1 when something is bad.

    Raises:
        ConfigError: for a configuration that cannot be used, naming key and value.
        KeyFileError: for a key file that cannot be used.
    """
    robot = load_config(config, changes)
    secret = None if keys is None else load_keys(keys)
    console = Console()
    table = Table("", "", "", title=f"{config} on this computer", title_justify="left")
    findings = []
    with console.status("looking ..."):
        for finding in examine(robot, secret):
            findings.append(finding)
            verdict = f"[{COLOURS[finding.verdict]}]{finding.verdict}[/]"
            table.add_row(finding.what, verdict, finding.said)
    console.print(table)
    bad = sum(finding.verdict == "bad" for finding in findings)
    console.print(f"{bad} bad" if bad else "This computer can run it.")
    return 1 if bad else 0


def examine(robot: RobotConfig, keys: Keys | None) -> Iterator[Finding]:
    """All findings, one after the other."""
    yield from (look_at_robot(robot), look_at_packages())
    yield from (try_engine(engine, robot) for engine in ENGINES)
    yield from (try_drawing(robot), try_video(), look_at_cores(robot))
    yield from (try_scheduling(robot), try_pace(robot), look_at_memory(), look_at_disk(Path.cwd()))
    endpoints = Endpoints(robot.robot, robot.endpoints)
    yield from (try_role(endpoints, role) for role in ROLES)
    yield try_endpoints(endpoints, list(robot.cameras), keys)


def look_at_robot(robot: RobotConfig) -> Finding:
    """The configuration itself, which was read without error."""
    spec = robot_spec(robot, make_task(robot))
    device = f"{robot.hardware.driver} at {robot.hardware.address or 'no address'}, not contacted"
    said = f"{robot.robot}: {len(robot.joints)} joints, spec {spec.fingerprint()}; {device}"
    return Finding("configuration", "ok", said)


def look_at_packages() -> Finding:
    """Versions of Python and of what matters most."""
    said = ", ".join(f"{name} {version}" for name, version in versions().items())
    return Finding("versions", "ok" if sys.version_info >= (3, 11) else "bad", said)


def try_engine(engine: str, robot: RobotConfig) -> Finding:
    """Build a twin and run it in lock-step for two seconds of its time."""
    clock = SteppedClock()
    try:
        link = LockstepLink(robot, make_twin(engine, robot, clock), clock)
    except ImportError as error:
        return Finding(f"twin {engine}", "note", str(error))
    wall = RealClock()
    link.open()
    began_ns = wall.now_ns()
    for _ in range(TRIED_STEPS):
        link.next_tick()
    steps_hz = TRIED_STEPS * 1e9 / (wall.now_ns() - began_ns)
    link.close()
    times = steps_hz / robot.control.control_hz
    verdict = "ok" if times > 2 else "note"
    return Finding(f"twin {engine}", verdict, f"{times:.1f} times as fast as real time")


def try_drawing(robot: RobotConfig) -> Finding:
    """What draws the twins' cameras and films."""
    try:
        painter = gl_or_tiny_painter(robot)
    except RuntimeError as error:
        return Finding("drawing", "note", str(error))
    painter.close()
    how = "MuJoCo and OpenGL" if isinstance(painter, GlPainter) else "PyBullet's software renderer"
    return Finding("drawing", "ok", how)


def try_video() -> Finding:
    """Whether films become mp4 or gif."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "film.mp4")
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), 20.0, (64, 64))
        opened = writer.isOpened()
        writer.release()
    return Finding("video", "ok" if opened else "note", "mp4" if opened else "gif: no mp4 encoder")


def look_at_cores(robot: RobotConfig) -> Finding:
    """Cores, and the one that the configuration wants."""
    cores, wanted = usable_cores(), robot.scheduling.core
    if wanted is not None and not 0 <= wanted < (psutil.cpu_count() or 1):
        said = f"scheduling.core is {wanted}; allowed is 0 to {(psutil.cpu_count() or 1) - 1}"
        return Finding("cores", "bad", said)
    said = f"{cores} usable" + ("; the learner and the loops share one" if cores < 2 else "")
    return Finding("cores", "ok" if cores >= 2 else "note", said)


def try_scheduling(robot: RobotConfig) -> Finding:
    """Ask the system for what the body process will ask for, in a process of its own."""
    ask = (
        "import sys; from robot.body.scheduling import obtain; from robot.config import Scheduling;"
        "print(obtain(Scheduling.model_validate_json(sys.argv[1])))"
    )
    command = [sys.executable, "-c", ask, robot.scheduling.model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    said = done.stdout.strip()
    return Finding("scheduling", "note" if "refused" in said else "ok", said)


def try_pace(robot: RobotConfig) -> Finding:
    """How late this process wakes up at the inner rate, without any priority."""
    pace = Pace(robot.control.inner_hz, RealClock())
    for _ in range(TRIED_TICKS):
        pace.wait()
    verdict = "ok" if pace.missed == 0 else "note"
    said = f"{pace.missed} of {TRIED_TICKS} ticks missed at {pace.hz:g} Hz, without priority"
    return Finding("wake-up", verdict, said)


def look_at_memory() -> Finding:
    """Free memory."""
    free_gb = psutil.virtual_memory().available / 1e9
    return Finding("memory", "ok" if free_gb > MEMORY_GB else "note", f"{free_gb:.1f} GB free")


def look_at_disk(folder: Path) -> Finding:
    """Free space for logs and checkpoints."""
    free_gb = shutil.disk_usage(folder).free / 1e9
    return Finding("disk", "ok" if free_gb > DISK_GB else "note", f"{free_gb:.1f} GB free")


def try_role(endpoints: Endpoints, role: str) -> Finding:
    """Whether the robot already has such a process here."""
    try:
        RobotLock(endpoints, role).close()
    except (EndpointInUse, EndpointError) as error:
        return Finding(f"{role} process", "bad", str(error))
    return Finding(f"{role} process", "ok", "none runs")


def try_endpoints(endpoints: Endpoints, cameras: Sequence[str], keys: Keys | None) -> Finding:
    """Open every endpoint as the process that owns it will, and close it again."""
    names = [name for name in STREAMS if name != "frames"]
    names += [f"frames-{camera}" for camera in cameras]
    with zmq.Context() as context:
        faults = [fault for name in names if (fault := _fault(endpoints, name, context, keys))]
    if faults:
        return Finding("endpoints", "bad", "; ".join(faults))
    return Finding(
        "endpoints", "ok", f"all {len(names)} are free, such as {endpoints.of(names[0])}"
    )


def _fault(endpoints: Endpoints, name: str, context: zmq.Context, keys: Keys | None) -> str:
    row = STREAMS["frames" if name.startswith("frames-") else name]
    opened: Callable = open_sender if row.binds == "sender" else open_receiver
    try:
        opened(endpoints, name, context, keys).close()
    except (EndpointInUse, EndpointError) as error:
        return str(error)
    return ""
