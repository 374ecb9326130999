"""Fixtures that several folders share."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from robot.wire.streams import Endpoints
from robot.wire.transition import Transition

# PyTorch's builds for GPUs bring Triton, whose LLVM crashes a process that has drawn with that of
# Mesa's software OpenGL. Optimisers, which some tests compare ours with, would load it.
sys.modules.setdefault("triton", None)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    """Sockets of a robot of this test's own; pytest's own folders are too long for ipc paths."""
    folder = Path(tempfile.mkdtemp(prefix="rv"))
    yield Endpoints("a1", directory=folder)
    shutil.rmtree(folder)


@pytest.fixture
def step() -> Callable[..., Transition]:
    """Build a small transition whose content follows from its index."""

    def build(index: int, robot: str = "a1", run: str = "run", **arrays: np.ndarray) -> Transition:
        content = {
            "joint_pos": np.full(12, index, np.float32),
            "action": np.zeros(12, np.float32),
            "applied": np.zeros(12, np.float32),
            "reward": np.array(index % 7, np.float32),
            "is_first": np.array(index % 10 == 0),
            "is_last": np.array(index % 10 == 9),
            "is_terminal": np.array(False),
        }
        stamps, ledger = {"tick": index * 50_000_000}, {"sensor": 3, "inference": 4}
        place = (index, index // 10, index % 10, 1, True)
        return Transition(robot, run, *place, {**content, **arrays}, stamps, ledger)

    return build
