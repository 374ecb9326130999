"""What a log's plan declares: whose it is, and how often things should come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from robot.wire.log.names import COMMANDS, FRAMES, IMU, JOINT_STATES, SENSORS, STEP, TICKS

PER_TICK = (COMMANDS, TICKS, JOINT_STATES, IMU, STEP)


def read_plan(about: Mapping[str, str]) -> dict[str, Any]:
    """The plan of the run, as the writer of a file told it; empty where it told none."""
    try:
        plan = json.loads(about.get("plan", ""))
    except ValueError:
        return {}
    return plan if isinstance(plan, dict) else {}


def control_hz(plan: Mapping[str, Any]) -> float:
    """Steps per second of robot time; 0 where the plan is of no robot."""
    return _number(plan, "robot", "control", "control_hz")


def declared_hz(plan: Mapping[str, Any], topic: str) -> float:
    """How often messages of a topic should come; 0 where nothing is declared."""
    if topic == SENSORS:
        return _number(plan, "robot", "control", "sensors_hz")
    if topic.startswith(f"{FRAMES}/"):
        return _number(plan, "robot", "cameras", topic.removeprefix(f"{FRAMES}/"), "hz")
    return control_hz(plan) if topic in PER_TICK else 0.0


def _number(plan: Any, *keys: str) -> float:
    for key in keys:
        plan = plan.get(key) if isinstance(plan, Mapping) else None
    return float(plan) if isinstance(plan, int | float) else 0.0
