"""`reverie bench`: figures of this computer, each with its unit, for people and as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from launch.compose import learner_settings
from launch.dream_speed import dream_speed
from launch.log_speed import log_speed
from launch.planner_speed import planner_speed
from launch.run_folder import Plan, versions
from launch.speeds import Figures, learner_speed, policy_speed, twins_speed, wire_speed
from robot.config import ConfigError, RobotConfig, load_config

SPEEDS: Mapping[str, Callable[[Plan, float], Figures]] = {
    "dream": dream_speed,
    "learner": learner_speed,
    "planner": planner_speed,
    "policy": policy_speed,
    "twin": twins_speed,
    "wire": wire_speed,
}
NAMES = ("loop", "logs", *SPEEDS)
DEFAULTS = {"planner": "planet"}
LOOP_KEYS = ("policy_loop", "inner_loop", "latency_ms")
# More updates are allowed than any computer makes, so that the learner takes all it can get.
SATURATED = ("learner.steps_per_update=0.1", "learner.prefill=200", "learner.pretrain=1")


@dataclass(frozen=True)
class Bench:
    """What is measured.

    Args:
        name: "loop", "logs", "dream", "learner", "planner", "policy", "twin" or "wire".
        config: the robot's YAML file.
        twin: engine.
        system: learning system, and `preset` of it; "" for the default, or for one that plans.
        preset: its settings.
        minutes: how long the loop is watched.
        seconds: how long each of the others measures.
        changes: `key=value`; keys that begin with `learner.` are the system's.
    """

    name: str
    config: Path = Path("hardware_configs/a1.yaml")
    twin: str = "mujoco"
    system: str = ""
    preset: str = "cpu"
    minutes: float = 5.0
    seconds: float = 10.0
    changes: tuple[str, ...] = ()

    @property
    def learns(self) -> str:
        """Name of the learning system."""
        return self.system or DEFAULTS.get(self.name, "reverie")

    def plan(self) -> Plan:
        """The run that it would be.

        Raises:
            ConfigError: naming the key, the value and what is allowed.
        """
        mine = [c.removeprefix("learner.") for c in self.changes if c.startswith("learner.")]
        theirs = [c for c in self.changes if not c.startswith("learner.")]
        robot = load_config(self.config, theirs)
        settings = learner_settings(robot, self.learns, self.preset, mine)
        return Plan(robot, settings, self.learns, self.preset, self.twin, "lockstep", 0)


def run_bench(bench: Bench, as_json: bool = False) -> int:
    """Measure, and print a table, or with `as_json` one JSON object as the last line.

    Returns:
        Exit code 0.

    Raises:
        ConfigError: naming what is not allowed.
        ChildProcessError: when the run whose loop is watched fails.
    """
    if bench.name not in NAMES:
        raise ConfigError(f"bench: unknown '{bench.name}'; there are {', '.join(NAMES)}")
    if bench.seconds <= 0 or bench.minutes <= 0:
        raise ConfigError("bench: --seconds and --minutes must be above 0")
    plan = bench.plan()
    facts = {"bench": bench.name, "machine": machine(), "versions": versions()}
    if bench.name == "loop":
        facts |= measure_loop(bench)
    elif bench.name == "logs":
        facts |= log_speed(plan, bench.seconds)
    else:
        figures = SPEEDS[bench.name](plan, bench.seconds)
        facts["figures"] = {name: asdict(figure) for name, figure in figures.items()}
        facts |= {"system": bench.learns, "preset": bench.preset}
    if as_json:
        print(json.dumps(facts))
    else:
        _print(facts)
    return 0


def measure_loop(bench: Bench) -> dict[str, Any]:
    """Run everything in real time on the twin, the learner at full load; what the loops report.

    Sockets and files are the run's own, so that a robot that runs here is not disturbed.

    Raises:
        ChildProcessError: when the run fails.
    """
    bare = bare_loop(bench.plan().robot, min(20.0, bench.minutes * 6))
    with tempfile.TemporaryDirectory(prefix="reverie-") as folder:
        command = loop_command(bench, Path(folder) / "run")
        environment = {**os.environ, "REVERIE_SOCKETS": str(Path(folder) / "sockets")}
        code = subprocess.call(command, stdout=sys.stderr, env=environment)
        summary = Path(folder) / "run" / "summary.json"
        if code != 0 or not summary.exists():
            raise ChildProcessError(f"bench loop: the run ended with exit code {code}")
        found = json.loads(summary.read_text())
    said = {key: found[key] for key in LOOP_KEYS}
    about = {key: found[key] for key in ("robot_minutes", "updates", "peak_rss_mb")}
    return {**said, "bare_loop": bare, **about, "command": " ".join(["reverie", *command[3:]])}


def bare_loop(robot: RobotConfig, seconds: float) -> dict[str, Any]:
    """A loop that does nothing, at the inner rate and priority: what this computer itself misses.

    It runs in a process of its own, before the robot's run begins.
    """
    asked = robot.scheduling.model_dump_json()
    command = [sys.executable, "-c", _BARE, asked, str(robot.control.inner_hz), str(seconds)]
    return json.loads(subprocess.check_output(command, text=True))


_BARE = """
import json, sys
from robot.body.scheduling import obtain
from robot.clock import Pace, RealClock
from robot.config import Scheduling
obtain(Scheduling.model_validate_json(sys.argv[1]))
pace = Pace(float(sys.argv[2]), RealClock())
for _ in range(round(pace.hz * float(sys.argv[3]))):
    pace.wait()
print(json.dumps(pace.report()))
"""


def loop_command(bench: Bench, run: Path) -> list[str]:
    """The command line of the run that is watched."""
    changes = [part for change in (*SATURATED, *bench.changes) for part in ("--set", change)]
    return [
        *(sys.executable, "-m", "launch.cli", "train", str(bench.config)),
        *("--twin", bench.twin, "--clock", "realtime", "--minutes", f"{bench.minutes:g}"),
        *("--system", bench.learns, "--preset", bench.preset, "--run", str(run)),
        *changes,
    ]


def machine() -> dict[str, Any]:
    """What computer this is."""
    return {
        "cpu": cpu_model(Path("/proc/cpuinfo")),
        "cores": os.cpu_count(),
        "cores_usable": usable_cores(),
        "system": f"{platform.system()} {platform.release()}",
        "load_average": round(os.getloadavg()[0], 2),
    }


def cpu_model(cpuinfo: Path) -> str:
    """Name of the processor, from the kernel's table where there is one."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _print(facts: Mapping[str, Any]) -> None:
    console = Console()
    table = Table("figure", "value", "unit", title=f"reverie bench {facts['bench']}")
    for name, value, unit in _rows(facts):
        table.add_row(name, f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}", unit)
    console.print(table)
    about = facts["machine"]
    console.print(f"{about['cpu']}, {about['cores_usable']} cores, load {about['load_average']}")


def _rows(facts: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    if "figures" in facts:
        return [(name, f["value"], f["unit"]) for name, f in facts["figures"].items()]
    if facts["bench"] == "logs":
        return [(name, f, "") for name, f in facts.items() if isinstance(f, int | float)]
    rows: list[tuple[str, float, str]] = []
    for loop in ("policy_loop", "inner_loop"):
        rows += [(f"{loop} {key}", facts[loop][key], "") for key in ("hz", "ticks", "missed")]
        rows += [(f"{loop} jitter {m}", v, "us") for m, v in facts[loop]["jitter_us"].items()]
    for name, marks in facts["latency_ms"].items():
        rows += [(f"{name} {mark}", value, "ms") for mark, value in marks.items()]
    return rows
