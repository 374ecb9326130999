"""Means of scalars, in both files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from learner.train.metrics import Metrics
from robot.clock import NS, SteppedClock


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def events(folder: Path, name: str) -> list[tuple[int, float]]:
    read = EventAccumulator(str(folder))
    read.Reload()
    return [(e.step, e.value) for e in read.Scalars(name)]


def test_both_files_hold_the_mean_since_the_last_report(tmp_path: Path):
    clock = SteppedClock()
    with Metrics(tmp_path, clock) as metrics:
        metrics.add({"loss/image": torch.tensor(1.0), "rate": 4})
        metrics.add({"loss/image": torch.tensor(2.0)})
        clock.advance(3 * NS)
        assert metrics.report(10) == {"loss/image": 1.5, "rate": 4.0}
        metrics.add({"loss/image": torch.tensor(7.0)})
        assert metrics.report(20) == {"loss/image": 7.0}
    assert lines(tmp_path) == [
        {"step": 10, "time_s": 3.0, "loss/image": 1.5, "rate": 4.0},
        {"step": 20, "time_s": 3.0, "loss/image": 7.0},
    ]
    assert events(tmp_path, "loss/image") == [(10, 1.5), (20, 7.0)]
    assert events(tmp_path, "rate") == [(10, 4.0)]


def test_a_report_is_due_only_after_the_interval(tmp_path: Path):
    clock = SteppedClock()
    with Metrics(tmp_path, clock, every_s=5) as metrics:
        metrics.add({"a": 1.0})
        clock.advance(5 * NS - 1)
        assert metrics.report_if_due(1) is None
        clock.advance(1)
        metrics.add({"a": 2.0})
        assert metrics.report_if_due(2) == {"a": 1.5}
        clock.advance(4 * NS)
        assert metrics.report_if_due(3) is None
    assert [line["step"] for line in lines(tmp_path)] == [2]


def test_adding_neither_waits_for_the_device_nor_keeps_a_graph(tmp_path: Path):
    # A meta tensor has no values, so reading one would raise at once.
    weight = torch.ones((), requires_grad=True)
    with Metrics(tmp_path, SteppedClock()) as metrics:
        for _ in range(3):
            metrics.add({"meta": torch.zeros((), device="meta"), "loss": weight * 2})
        kept = metrics._sums["loss"]
        assert isinstance(kept, torch.Tensor) and kept.grad_fn is None and not kept.requires_grad


def test_what_the_caller_does_with_the_tensor_later_does_not_matter(tmp_path: Path):
    loss = torch.tensor(2.0)
    with Metrics(tmp_path, SteppedClock()) as metrics:
        metrics.add({"loss": loss})
        loss.fill_(100.0)
        metrics.add({"loss": torch.tensor(4.0)})
        assert loss == 100.0
        assert metrics.report(1) == {"loss": 3.0}


def test_bfloat16_and_integers_are_summed_without_losing_steps(tmp_path: Path):
    with Metrics(tmp_path, SteppedClock()) as metrics:
        for _ in range(1000):  # a bfloat16 sum would stop growing at 256
            metrics.add({"half": torch.ones((1,), dtype=torch.bfloat16), "whole": torch.tensor(3)})
        assert metrics.report(1) == {"half": 1.0, "whole": 3.0}


def test_values_that_are_not_finite_stay_valid_json(tmp_path: Path):
    with Metrics(tmp_path, SteppedClock()) as metrics:
        metrics.add({"bad": float("nan"), "huge": torch.tensor(float("inf")), "good": 1.0})
        assert metrics.report(1)["huge"] == float("inf")
    assert lines(tmp_path) == [
        {"step": 1, "time_s": 0.0, "bad": None, "huge": None, "good": 1.0},
    ]


def test_a_tensor_of_more_elements_is_refused_by_name(tmp_path: Path):
    with Metrics(tmp_path, SteppedClock()) as metrics:
        with pytest.raises(ValueError, match=r"metric loss: got shape \(2,\)"):
            metrics.add({"loss": torch.zeros(2)})


def test_a_resumed_run_appends_after_a_torn_line_and_hides_the_steps_it_repeats(tmp_path: Path):
    with Metrics(tmp_path, SteppedClock()) as metrics:
        for step in (10, 20, 30):
            metrics.add({"a": float(step)})
            metrics.report(step)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "a')
    with Metrics(tmp_path, SteppedClock(), from_step=20) as metrics:
        metrics.add({"a": -20.0})
        metrics.report(20)
    text = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(text[i])["step"] for i in (0, 1, 2, 4)] == [10, 20, 30, 20]
    assert sorted(events(tmp_path, "a")) == [(10, 10.0), (20, -20.0)]
