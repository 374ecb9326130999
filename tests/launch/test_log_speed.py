"""The figures of logs come from a real minute, and hold together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from launch import log_speed
from launch.bench import Bench, run_bench
from launch.log_speed import repeat
from robot.wire.index import LogIndex
from robot.wire.log import log_files
from robot.wire.transition import Transition

RAIL = Path(__file__).parents[2] / "hardware_configs/point_mass.yaml"


def test_the_last_line_tells_size_speed_and_memory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(log_speed, "HOURS", 0.02)
    monkeypatch.setattr(log_speed, "MINUTES", 0.1)
    assert run_bench(Bench("logs", RAIL, seconds=0.1), as_json=True) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"python", "numpy"} <= told["versions"].keys() and told["machine"]["cpu"]
    hz = told["transitions"] / (0.02 * 3600)
    assert hz == 20
    for figure in ("write_x_realtime", "random_chunk_ms", "load_10h_s", "peak_rss_mb"):
        assert told[figure] > 0
    assert {"/transitions", "/sensors", "/commands"} <= told["by_topic"].keys()
    assert sum(told["by_topic"].values()) < told["bytes_per_minute"]


def test_a_log_that_is_repeated_goes_on_as_one_run(tmp_path: Path, step: Callable[..., Transition]):
    repeat([step(i) for i in range(20)], 70, tmp_path)
    index = LogIndex(log_files(tmp_path, "robot"))
    assert index.rows["index"].tolist() == list(range(70))
    assert index.rows["episode"].tolist() == [i // 10 for i in range(70)]
    assert (index.rows["stamp_ns"][1:] >= index.rows["stamp_ns"][:-1]).all()
    assert len(index.windows(64)) == 7
