"""A robot's log with commands, episodes and weights, and a disk that is quick."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot.wire.codec import encode
from robot.wire.log import LogWriter
from robot.wire.messages import Command
from robot.wire.transition import Transition
from robot.wire.weights import Weights
from robot.wire.weights_store import WeightsStore, digest_of

TICK_NS = 50_000_000
PLAN = {
    "system": "reverie",
    "robot": {"robot": "a1", "task": {"name": "walk"}, "control": {"control_hz": 20}},
}


@pytest.fixture(autouse=True)
def disk_that_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr("launch.logs.targets.QUIET_S", 0.0)


@pytest.fixture
def record(step: Callable[..., Transition]) -> Callable[..., Path]:
    """Write transitions of a robot of 20 Hz, the command of each, and a line for each episode."""

    def write(folder: Path, indices: range, close: bool = True, **changes: Any) -> Path:
        log = LogWriter(folder, "robot", {"plan": json.dumps(PLAN), "versions": "{}"})
        for i in indices:
            now_ns = i * TICK_NS
            if i % 20 == 0:
                data = Weights({"w": np.full(3, i, np.float32)}, i // 20, "s").to_bytes()
                WeightsStore(folder / "weights").put(data)
                log.note("/weights", {"version": i // 20, "sha256": digest_of(data)}, now_ns)
            made = replace(step(i), weights_version=i // 20, **changes)
            log.append_transition(made, 0, now_ns)
            command = Command(i, now_ns, now_ns, np.full(12, i / 7, np.float64))
            log.append("/commands", encode(command, i, 0, now_ns))
            if i % 10 == 9:
                log.note("/episodes", {"steps": 10, "episode": i // 10}, now_ns)
        if close:
            log.close()
        return log.path

    return write
