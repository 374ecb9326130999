"""LeRobot's own loader reads what we write; needs an interpreter with lerobot 0.4.4.

Its pins conflict with ours, so it lives in an environment of its own:

    REVERIE_LEROBOT_PYTHON=.../bin/python pytest tests/launch/exchange/test_lerobot_loader.py
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from launch.exchange.export import Export, run_export
from launch.exchange.source import Source
from robot.wire.transition import Transition

PYTHON = os.environ.get("REVERIE_LEROBOT_PYTHON", "")
HOW = [("png", "exact"), ("lossless", "exact"), ("video", "near")]
SCRIPT = Path(__file__).with_name("lerobot_loader.py")


def expected(episodes: list[list[Transition]]) -> Iterator[tuple[str, np.ndarray]]:
    """Columns as they follow from the steps by hand, without the code that is tried."""
    steps = [step for episode in episodes for step in episode]

    def column(key: str) -> np.ndarray:
        return np.stack([s.arrays[key] for s in steps])

    yield "index", np.arange(len(steps))
    yield "frame_index", np.concatenate([np.arange(len(e)) for e in episodes])
    yield "episode_index", np.repeat(np.arange(len(episodes)), [len(e) for e in episodes])
    vectors = [column(key).reshape(len(steps), -1) for key in ("height", "joint_pos", "strange")]
    yield "observation.state", np.concatenate(vectors, axis=1)
    yield "action", column("action")
    yield "observation.grid", column("grid")
    yield "observation.mask", column("mask")
    yield "observation.time", column("time").astype(np.float32)  # as torch makes of a float
    for key in ("applied", "reward", "is_last"):
        yield f"reverie.{key}", column(key)
    yield (
        "reverie.stamps_ns",
        np.array([[s.stamps_ns[n] for n in ("sensors", "tick")] for s in steps]),
    )
    following = [[*(s.arrays["reward"] for s in e[1:]), np.float32(0)] for e in episodes]
    yield "next.reward", np.concatenate(following)
    for name, key in (("front", "image_front"), ("depth", "image_depth")):
        yield f"pictures/observation.images.{name}", column(key)
    yield "pictures/observation.image", column("image")


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON, reason="REVERIE_LEROBOT_PYTHON names no interpreter with lerobot")
@pytest.mark.parametrize(("pictures", "how"), HOW)
def test_lerobots_own_loader_finds_every_number(log, tmp_path, pictures, how):
    out = tmp_path / "data"
    assert run_export(Export(log, "lerobot", out, pictures)) == 0
    wanted = dict(expected(list(Source(log).episodes())))
    np.savez(tmp_path / "expected.npz", **wanted)  # pyright: ignore[reportArgumentType]
    command = [PYTHON, SCRIPT, out, tmp_path / "expected.npz", how]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(command, capture_output=True, text=True, env=offline, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "sound: 24 frames, 5 episodes" in done.stdout
