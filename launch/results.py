"""`reverie result`: a run as a small file to keep, compare and draw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from launch.run_folder import RunFolder, write_json
from robot.config import ConfigError

KEPT = ("upright", "hip", "shoulder", "knee", "velocity", "height_m", "forward_m_s")


def run_result(run: Path, out: Path) -> int:
    """Write the learning curve of a run that has a summary, and how it was made.

    A run in an environment keeps its returns by environment steps. Whatever reward a robot's run
    was trained for, `mean_reward` of an episode is the published one, so that curves compare; our
    own stands beside it as `walk_upright`.

    Args:
        run: the run's folder.
        out: JSON file, such as docs/results/a1_reverie_0.json.

    Returns:
        The exit code.

    Raises:
        ConfigError: when the run has no summary yet, or it cannot be read.
    """
    folder = RunFolder(run)
    if not folder.summary.is_file():
        raise ConfigError(f"{folder.summary} is missing; it is written when a run stops")
    try:
        kept = result(json.loads(folder.summary.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder.summary}: not the summary of a run: {error!r}") from error
    write_json(out, kept)
    print(f"wrote {out}")
    return 0


def result(summary: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a summary."""
    plan = summary["config"]
    in_environment = "environment" in plan
    return {
        "seed": summary["seed"],
        "system": plan["system"],
        "preset": plan["preset"],
        **(_environment(summary) if in_environment else _robot(summary)),
        "command": summary["command"],
        "updates": summary["updates"],
        "computing_s": summary.get("computing_s"),
        "settings": plan["settings"],
        "versions": summary["versions"],
        "episodes": [
            _try(line) if in_environment else _episode(line) for line in summary["episodes"]
        ],
    }


def _robot(summary: dict[str, Any]) -> dict[str, Any]:
    plan = summary["config"]
    task = plan["robot"]["task"]
    return {
        "twin": plan["twin"],
        "clock": plan["clock"],
        "reward": task.get("reward", task["name"]),
        "robot_minutes": summary["robot_minutes"],
    }


def _environment(summary: dict[str, Any]) -> dict[str, Any]:
    steps = {key: summary[key] for key in ("env_steps", "agent_steps")}
    return {"environment": summary["config"]["environment"], **steps}


def _try(line: dict[str, Any]) -> dict[str, Any]:
    """An episode in an environment: when it ended, how long it was, what it gave."""
    return {key: line[key] for key in ("env_steps", "steps", "return")}


def _episode(line: dict[str, Any]) -> dict[str, Any]:
    shared = {key: line[key] for key in KEPT if key in line}
    return {
        "robot_minutes": line["robot_minutes"],
        "steps": line["steps"],
        "mean_reward": line.get("published", line["mean_reward"]),
        "walk_upright": line.get("walk_upright"),
        **shared,
    }
