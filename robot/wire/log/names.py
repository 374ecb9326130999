"""Names in a log: its files, its topics, and what its errors are called."""

from __future__ import annotations

import re
from pathlib import Path

TRANSITIONS = "/transitions"
SENSORS = "/sensors"
COMMANDS = "/commands"
OPERATOR = "/operator"
FRAMES = "/frames"  # and the name of the camera
TICKS = "/ticks"
WEIGHTS = "/weights"
EVENTS = "/events"
JOINT_STATES = "/joint_states"
IMU = "/imu"
STEP = "/step"
ABOUT = "about"
CONTINUES = "continues"
ENCODING = "x-reverie-1"
ROOM = "room for the head of this chunk."  # metadata where a chunk will get its head
CHUNK_HEAD = 49  # bytes of a chunk before its records, without compression


class LogError(OSError):
    """The log cannot be written; the message names the file and why."""


def log_files(directory: Path, name: str) -> list[Path]:
    """Files of one log, oldest first."""
    form = re.compile(rf"{re.escape(name)}-(\d{{4,}})\.mcap")
    found = {p: form.fullmatch(p.name) for p in directory.glob(f"{name}-*.mcap")}
    numbers = {path: int(match[1]) for path, match in found.items() if match}
    return sorted(numbers, key=lambda path: numbers[path])
