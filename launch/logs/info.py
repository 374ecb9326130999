"""`reverie logs info`: what is in a log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from launch.logs.check import check_log, merged_topics, used_weights
from launch.logs.declared import control_hz, read_plan
from launch.logs.places import Surveyed, find_log, survey_log
from launch.logs.steps import Finding, Stream, streams_of

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60
SINCE_NS = 10**18  # later stamps are of the wall clock


def run_info(path: Path, as_json: bool) -> int:
    """Show what a log holds.

    Args:
        path: LOG: a file, a folder of log files, or a run's folder.
        as_json: one JSON object instead of tables.

    Returns:
        Exit code 0.

    Raises:
        ConfigError: when LOG is no log.
        OSError: when a file cannot be read.
    """
    log = survey_log(find_log(path))
    facts = describe(log)
    if as_json:
        print(json.dumps(facts))
    else:
        _print(facts)
    return 0


def describe(log: Surveyed) -> dict[str, Any]:
    """All that is shown, JSON-ready."""
    about = log.about
    plan = read_plan(about)
    topics = merged_topics(log)
    robot = plan.get("robot") or plan.get("environment") or {}
    stamps = [t.first_ns for t in topics.values() if t.first_ns > SINCE_NS]
    return {
        "log": str(log.log.path),
        "robot": robot.get("robot") or robot.get("name", ""),
        **{key: plan.get(key, "") for key in ("system", "preset", "twin", "clock", "seed")},
        "task": (robot.get("task") or {}).get("name", "") if isinstance(robot, dict) else "",
        "versions": _parsed(about.get("versions", "")),
        "about": sorted(about),
        "begun": datetime.fromtimestamp(min(stamps) / 1e9, UTC).isoformat() if stamps else "",
        "files": len(log.files),
        "bytes": sum(file.size for file in log.files),
        "topics": {
            name: {
                **{"schema": t.schema, "encoding": t.encoding, "count": t.count},
                **{"rate_hz": round(t.rate_hz, 3), "bytes": t.bytes},
            }
            for name, t in sorted(topics.items())
        },
        "streams": [_stream(stream, control_hz(plan)) for stream in streams_of(log)],
        "weights": {str(v): digest for v, digest in sorted(used_weights(log).items())},
        "faults": [_line(finding) for finding in check_log(log) if finding.grave],
    }


def sparkline(values: Sequence[float], width: int = WIDTH) -> str:
    """Values as bars from the lowest to the highest; neighbours are averaged where many are."""
    if not values:
        return ""
    parts = np.array_split(np.asarray(values, float), min(width, len(values)))
    means = np.array([part.mean() for part in parts])
    span = float(np.ptp(means)) or 1.0
    return "".join(BARS[round(float(v - means.min()) / span * (len(BARS) - 1))] for v in means)


def _stream(stream: Stream, hz: float) -> dict[str, Any]:
    steps = stream.steps
    episodes = _episodes(steps)
    versions = Counter(steps["weights_version"].tolist())
    return {
        "stream": stream.name,
        "transitions": len(steps),
        "invalid": int((~steps["valid"]).sum()),
        "minutes": round(len(steps) / hz / 60, 3) if hz else None,
        "indices": [int(steps["index"].min()), int(steps["index"].max())],
        "weights_versions": {str(v): count for v, count in sorted(versions.items())},
        "episodes": episodes,
    }


def _episodes(steps: np.ndarray) -> list[dict[str, Any]]:
    edges = np.flatnonzero(np.diff(steps["episode"])) + 1
    return [
        {
            "episode": int(part["episode"][0]),
            "steps": len(part),
            "return": round(float(part["reward"].sum(dtype=np.float64)), 3),
            "mean_reward": round(float(part["reward"].mean(dtype=np.float64)), 4),
            "finished": bool(part["is_last"][-1]),
            "terminal": bool(part["is_terminal"][-1]),
        }
        for part in np.split(steps, edges)
    ]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _line(finding: Finding) -> str:
    return f"{finding.where}: {finding.what}"


def _print(facts: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    said = ("robot", "task", "system", "preset", "twin", "clock", "seed", "begun")
    known = [f"{key} {facts[key]}" for key in said if facts[key] not in ("", None)]
    console.print(f"{facts['log']}: {facts['files']} files, {facts['bytes'] / 1e6:.1f} MB")
    console.print(", ".join(known))
    if isinstance(facts["versions"], dict):
        console.print(", ".join(f"{name} {v}" for name, v in facts["versions"].items()))
    table = Table("topic", "schema", "count", "per second", "MB")
    for name, t in facts["topics"].items():
        rate = f"{t['rate_hz']:.4g}" if t["rate_hz"] else ""
        table.add_row(name, t["schema"], str(t["count"]), rate, f"{t['bytes'] / 1e6:.2f}")
    Console().print(table)
    for stream in facts["streams"]:
        _print_stream(console, stream)
    for version, digest in facts["weights"].items():
        console.print(f"weights {version}: {digest[:16]}")
    for fault in facts["faults"]:
        console.print(f"[red]{fault}[/]")


def _print_stream(console: Console, stream: dict[str, Any]) -> None:
    minutes = f", {stream['minutes']:g} minutes" if stream["minutes"] is not None else ""
    first, last = stream["indices"]
    invalid = f", {stream['invalid']} not valid" if stream["invalid"] else ""
    console.print(f"{stream['stream']}: {first} to {last}{minutes}{invalid}")
    rewards = [episode["mean_reward"] for episode in stream["episodes"]]
    versions = [int(version) for version in stream["weights_versions"]]
    console.print(f"  weights' versions {min(versions)} to {max(versions)}, {len(versions)} used")
    span = f"{min(rewards):.3g} to {max(rewards):.3g}"
    console.print(f"  {len(rewards)} episodes, mean reward per step {span}: {sparkline(rewards)}")
