"""Recordings of rerun, read back with rerun's own reader and checked with its own tool."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from launch.exchange.export import Export, run_export
from robot.wire.transition import Transition

chunks = pytest.importorskip("rerun.chunk")


@pytest.fixture(scope="module")
def recording(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "run.rrd"
    assert run_export(Export(log, "rerun", out)) == 0
    return out


def rows(path: Path) -> dict[str, list[tuple[int | None, int | None, list]]]:
    """By entity: step, tick and values of each row, by step."""
    found: dict[str, list] = {}
    for chunk in chunks.RrdReader(str(path)).stream():
        table = chunk.to_record_batch()
        names = table.schema.names
        data = next((n for n in names if re.search("scalars|blob|text", n)), None)
        if data is None:
            continue
        steps = table["step"].to_pylist() if "step" in names else [None]
        ticks = table["tick"].cast("int64").to_pylist() if "tick" in names else [None]
        values = table[data].to_pylist()
        found.setdefault(chunk.entity_path, []).extend(zip(steps, ticks, values, strict=True))
    return {path: sorted(part, key=lambda row: row[0] or 0) for path, part in found.items()}


def test_every_number_lies_on_both_timelines(recording, steps: list[Transition]):
    found = rows(recording)
    for run in ("one", "longer"):
        mine = [s for s in steps if s.run == run]
        for key in ("joint_pos", "height", "grid", "time", "action", "reward", "is_last"):
            seen = "" if key in ("action", "reward", "is_last") else "observation/"
            part = found[f"/rig/{run}/{seen}{key}"]
            assert [row[0] for row in part] == [s.index for s in mine]
            assert [row[1] for row in part] == [s.stamps_ns["tick"] for s in mine]
            wanted = [s.arrays[key].ravel().astype(float).tolist() for s in mine]
            assert [row[2] for row in part] == wanted
        told = found[f"/rig/{run}/ledger_ns/inference"]
        assert [(row[0], row[2]) for row in told] == [
            (s.index, [s.ledger_ns["inference"]]) for s in mine if "inference" in s.ledger_ns
        ]


def test_pictures_are_exact_with_further_channels_beside(recording, steps: list[Transition]):
    found = rows(recording)
    mine = [s for s in steps if s.run == "one"]

    def pictures(name: str) -> np.ndarray:
        blobs = [row[2][0] for row in found[f"/rig/one/camera/{name}"]]
        return np.stack([np.asarray(Image.open(io.BytesIO(bytes(blob)))) for blob in blobs])

    stacked = {
        key: np.stack([s.arrays[key] for s in mine])
        for key in ("image_front", "image_depth", "image")
    }
    np.testing.assert_array_equal(pictures("front"), stacked["image_front"])
    np.testing.assert_array_equal(pictures("image"), stacked["image"][..., 0])
    np.testing.assert_array_equal(pictures("depth"), stacked["image_depth"][..., :3])
    np.testing.assert_array_equal(pictures("depth/channel_3"), stacked["image_depth"][..., 3])


def test_terms_stand_at_the_step_that_closed_the_episode(recording, steps: list[Transition]):
    ends = [s for s in steps if s.run == "one" and s.arrays["is_last"]]
    part = rows(recording)["/rig/one/episode/upright"]
    assert [(row[0], row[2]) for row in part] == [(s.index, [0.25]) for s in ends]


def test_terms_of_each_step_are_read_from_the_log(tmp_path, steps: list[Transition]):
    plots = pytest.importorskip("robot.policy.plots")
    from robot.wire.log import LogWriter

    mine = [s for s in steps if s.run == "one"]
    writer = LogWriter(tmp_path / "log", "robot", {})
    plot = plots.Plots(writer)
    for step in mine:
        writer.append_transition(step, 0, 0)
        plot.write(step, {"upright": step.index / 7, "velocity": -1.0}, 0)
    writer.close()
    assert run_export(Export(tmp_path, "rerun", tmp_path / "out.rrd")) == 0
    part = rows(tmp_path / "out.rrd")["/term/upright"]
    wanted = [(s.index, s.stamps_ns["tick"], [s.index / 7]) for s in mine]
    assert part == wanted


def test_reruns_own_tool_finds_the_file_sound(recording):
    tool = [sys.executable, "-m", "rerun", "rrd", "verify", str(recording)]
    done = subprocess.run(tool, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "verified without error" in done.stdout + done.stderr
