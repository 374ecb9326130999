"""Measurements: each has a unit, the data fits the robot, and the last line is one JSON object."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from launch import bench as bench_module
from launch.bench import Bench, bare_loop, cpu_model, loop_command, run_bench
from launch.commands import Train
from launch.compose import plan_spec
from launch.dream_speed import AHEAD, curve
from launch.speeds import experience, timed
from learner.model.open_loop import Errors
from robot.config import ConfigError, load_config

A1 = Path(__file__).parents[2] / "hardware_configs/a1.yaml"
RAIL = A1.with_name("point_mass.yaml")
SMALL = (
    *("learner.units=16", "learner.deter=16", "learner.stoch=4", "learner.classes=4"),
    *("learner.bins=11", "learner.batch=2", "learner.length=4", "learner.capacity=2000"),
)
EXPECTED = {
    "dream": {"imagined_per_twin_step": "times", "foretold_1": "of variance", "updates": "updates"},
    "learner": {"updates": "1/s", "update_median": "ms", "imagined_steps": "1/s"},
    "planner": {"tick": "ms", "preset_p99": "ms", "12x32_median": "ms", "12x32_fit": "iterations"},
    "policy": {"policy_median": "us", "policy_p99": "us", "weights": "MB"},
    "twin": {"mujoco_steps": "1/s", "mujoco_real_time": "times"},
    "wire": {"transition_encode_median": "us", "sample_decode_p99": "us", "log_append_p99": "us"},
}


TINY_PLANNER = (
    *("learner.units=16", "learner.layers=1", "learner.deter=16", "learner.hidden=16"),
    "learner.stoch=4",
)


def small(name: str) -> Bench:
    changes = TINY_PLANNER if name == "planner" else SMALL
    return Bench(name, RAIL if name == "dream" else A1, seconds=0.2, changes=changes)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_last_line_is_one_json_object_with_units_machine_and_versions(
    name: str, capsys: pytest.CaptureFixture[str]
):
    assert run_bench(small(name), as_json=True) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    units = {figure: said["unit"] for figure, said in told["figures"].items()}
    assert EXPECTED[name].items() <= units.items()
    assert all(said["value"] > 0 or name.endswith("fit") for name, said in told["figures"].items())
    assert told["bench"] == name
    assert told["machine"]["cpu"] and told["machine"]["cores_usable"] >= 1
    assert {"python", "torch", "numpy"} <= told["versions"].keys()


def test_a_bare_loop_tells_what_the_computer_itself_misses():
    told = bare_loop(load_config(A1), seconds=0.2)
    assert told["hz"] == 1000 and told["ticks"] == 200
    assert {"p50", "p99", "p999", "max"} == told["jitter_us"].keys()


def test_figures_agree_with_each_other(capsys: pytest.CaptureFixture[str]):
    run_bench(small("learner"), as_json=True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]
    figures = {name: said["value"] for name, said in told.items()}
    assert figures["replayed_steps"] == pytest.approx(figures["updates"] * 8)
    assert figures["update_p99"] >= figures["update_median"]


def test_dreams_are_told_beside_the_twin_and_by_steps_of_foresight(
    capsys: pytest.CaptureFixture[str],
):
    run_bench(small("dream"), as_json=True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]
    figures = {name: said["value"] for name, said in told.items()}
    faster = figures["imagined_steps"] / figures["twin_steps_mujoco"]
    assert figures["imagined_per_twin_step"] == pytest.approx(faster)
    assert figures["learnt_steps"] >= 200
    assert {f"persistence_{ahead}" for ahead in AHEAD} < figures.keys()


def test_the_curve_of_dreams_is_the_mean_of_the_keys_that_vary():
    ramp, steady = np.arange(15) + 1.0, np.full(15, np.nan)
    keys = [Errors(k * ramp, 10 * k * ramp, ramp, ramp) for k in (1, 3)]
    told = curve([*keys, Errors(steady, steady, steady, steady)])
    assert {name: figure.value for name, figure in told.items()} == {
        **{f"foretold_{ahead}": 2.0 * ahead for ahead in AHEAD},
        **{f"persistence_{ahead}": 20.0 * ahead for ahead in AHEAD},
    }


def test_what_fits_in_a_tick_is_what_the_time_that_is_left_holds(
    capsys: pytest.CaptureFixture[str],
):
    run_bench(small("planner"), as_json=True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["system"] == "planet"
    found = {name: said["value"] for name, said in told["figures"].items()}
    assert found["tick"] == 50.0
    for size in ("6x32", "15x1000"):
        room = found["tick"] - found["base_p99"]
        each = found[f"{size}_p99"] - found["base_median"]
        assert found[f"{size}_fit"] == max(0, room // each)
    assert found["15x1000_median"] > found["6x32_median"]


def test_without_json_a_table_is_printed(capsys: pytest.CaptureFixture[str]):
    assert run_bench(small("wire")) == 0
    assert "log_append_median" in capsys.readouterr().out


def test_synthetic_experience_fits_the_robots_spec_and_repeats_with_its_seed():
    spec = plan_spec(small("wire").plan())
    first, again = experience(spec, 3, seed=5), experience(spec, 3, seed=5)
    for step, same in zip(first, again, strict=True):
        for key, value in spec.observation.items():
            value.check(key, step.arrays[key])
            np.testing.assert_array_equal(step.arrays[key], same.arrays[key])
        spec.action.check("action", step.arrays["action"])
    assert first[0].arrays["is_first"] and not first[1].arrays["is_first"]


def test_timing_counts_every_call_after_the_warm_up():
    calls: list[int] = []
    taken = timed(lambda: calls.append(1), 10.0, most=7)
    assert len(taken) == 7 and len(calls) == 7 + 5 and (taken >= 0).all()


def test_the_loop_is_watched_with_a_learner_that_never_catches_up(tmp_path: Path):
    from launch import cli

    command = loop_command(Bench("loop", A1, minutes=2.0, changes=("learner.batch=2",)), tmp_path)
    assert command[:3] == [sys.executable, "-m", "launch.cli"]
    asked = cli.parse(command[3:])
    assert isinstance(asked, Train)
    assert (asked.clock, asked.twin, asked.minutes) == ("realtime", "mujoco", 2.0)
    assert "learner.steps_per_update=0.1" in asked.changes
    assert asked.changes[-1] == "learner.batch=2"  # the caller has the last word


def test_the_loop_tells_what_the_run_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    jitter = {"p50": 1.0, "p99": 2.0, "p999": 3.0, "max": 4.0}
    loop = {"hz": 20.0, "ticks": 10, "missed": 0, "jitter_us": jitter}
    summary = {
        "policy_loop": loop,
        "inner_loop": {**loop, "hz": 1000.0},
        "latency_ms": {"sensor_to_command": {"p50": 1.5, "p99": 2.5}},
        "robot_minutes": 0.1,
        "updates": 3,
        "peak_rss_mb": {"act": 100.0},
        "seed": 0,
    }

    def fake_run(command: list[str], **_: object) -> int:
        run = Path(command[command.index("--run") + 1])
        run.mkdir()
        (run / "summary.json").write_text(json.dumps(summary))
        return 0

    monkeypatch.setattr(bench_module.subprocess, "call", fake_run)
    assert run_bench(Bench("loop", A1), as_json=True) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    for key in ("policy_loop", "inner_loop", "latency_ms"):
        assert told[key] == summary[key]
    assert told["command"].startswith("reverie train")
    assert run_bench(Bench("loop", A1)) == 0
    assert "inner_loop jitter p999" in capsys.readouterr().out


def test_a_run_that_fails_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bench_module.subprocess, "call", lambda *_, **__: 2)
    with pytest.raises(ChildProcessError, match="exit code 2"):
        run_bench(Bench("loop", A1))


def test_the_processor_is_read_from_the_kernels_table(tmp_path: Path):
    table = tmp_path / "cpuinfo"
    table.write_text("processor\t: 0\nmodel name\t: Fast CPU @ 3GHz\nmodel name\t: Fast CPU\n")
    assert cpu_model(table) == "Fast CPU @ 3GHz"
    assert cpu_model(tmp_path / "none")


@pytest.mark.parametrize(
    ("bench", "said"),
    [
        (Bench("coffee", A1), "unknown 'coffee'; there are loop, logs, dream"),
        (Bench("planner", A1, system="reverie"), "reverie does not plan; allowed is planet"),
        (Bench("wire", A1, seconds=0.0), "--seconds and --minutes must be above 0"),
        (Bench("wire", A1, changes=("learner.foo=1",)), "unknown key foo"),
        (Bench("wire", Path("none.yaml")), "none.yaml"),
    ],
)
def test_what_cannot_be_measured_is_refused(bench: Bench, said: str):
    with pytest.raises(ConfigError, match=said):
        run_bench(bench)
