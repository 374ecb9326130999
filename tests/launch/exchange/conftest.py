"""A log with everything that could get lost on the way: strange numbers, pictures, cut episodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from robot.wire.codec import encode
from robot.wire.log import LogReader, LogWriter
from robot.wire.transition import Transition

SIZE = (18, 22)
# Not a number with a payload, minus zero, the smallest number, infinity: bits must stay.
STRANGE = np.array([0x7FC12345, 0x80000000, 0x00000001, 0x7F800000], np.uint32).view(np.float32)
PLAN = {"robot": {"control": {"control_hz": 25}, "task": {"name": "walk"}}}
ABOUT = {"plan": json.dumps(PLAN), "versions": json.dumps({"reverie": "0.1.0"})}


def arrays(rng: np.random.Generator, index: int, **flags: bool) -> dict[str, np.ndarray]:
    """Of one step."""
    return {
        "joint_pos": rng.normal(size=3).astype(np.float32),
        "strange": np.roll(STRANGE, index),
        "height": np.array(rng.normal(), np.float32),
        "image_front": rng.integers(0, 256, (*SIZE, 3), np.uint8),
        "image_depth": rng.integers(0, 256, (*SIZE, 4), np.uint8),
        "image": rng.integers(0, 256, (*SIZE, 1), np.uint8),
        "grid": rng.integers(-999, 999, (2, 3)).astype(np.int16),
        "big": np.array([(1 << 64) - 1 - index], np.uint64),
        "time": np.array(rng.normal(), np.float64),
        "mask": rng.random(4) > 0.5,
        "action": np.zeros(2, np.float32) if flags["is_last"] else rng.normal(size=2).astype("f4"),
        "applied": rng.uniform(-1, 1, 2).astype(np.float32),
        "reward": np.array(index + 0.1, np.float32),
        **{name: np.array(value) for name, value in flags.items()},
    }


def made(run: str, ends: str) -> Iterator[Transition]:
    """Steps of a stream; each episode ends as its letter says: Terminal, last, or cut."""
    rng, index = np.random.default_rng(len(run)), 0
    for episode, end in enumerate(ends):
        length = 4 + episode
        for step in range(length):
            last = step == length - 1 and end != "c"
            flags = {"is_first": step == 0, "is_last": last, "is_terminal": last and end == "T"}
            stamps = {"tick": 1_790_000_000_000_000_000 + index * 40_000_000, "sensors": index}
            ledger = {"sensor": -index} if last else {"sensor": -index, "inference": index << 40}
            place = (index, episode, step, 1 + episode, (episode, step) != (1, 2))
            yield Transition("rig", run, *place, arrays(rng, index, **flags), stamps, ledger)
            index += 1


@pytest.fixture(scope="session")
def steps() -> list[Transition]:
    """Two streams, the second beginning while the first still goes on."""
    one, two = list(made("one", "Tlc")), list(made("longer", "lT"))
    return [
        *one[:5],
        *(step for pair in zip(one[5:13], two[:8], strict=True) for step in pair),
        *one[13:],
        *two[8:],
    ]


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory, steps: list[Transition]) -> Path:
    """The run's folder that holds them."""
    run = tmp_path_factory.mktemp("run")
    writer = LogWriter(run / "log", "robot", ABOUT)
    for step in steps:
        writer.append_transition(step, 0, step.index)
        if step.arrays["is_last"]:
            writer.note("/episodes", {"return": 1.5, "upright": 0.25, "steps": step.step + 1}, 7)
    writer.close()
    return run


@pytest.fixture
def in_order() -> Callable[[list[Transition]], list[bytes]]:
    """Packed steps, streams apart: what must be equal before and after."""

    def pack(found: list[Transition]) -> list[bytes]:
        return [encode(step) for step in sorted(found, key=lambda step: (step.run, step.index))]

    return pack


@pytest.fixture
def read() -> Callable[[Path], list[Transition]]:
    """All steps of a log's folder."""
    return lambda folder: list(LogReader(folder, "robot").transitions())
