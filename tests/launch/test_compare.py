"""Systems side by side: what is read, counted, kept, drawn and refused, and a lane that runs."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from launch import cli
from launch.compare import kept_lanes, rows, summary, write
from launch.lanes import Entry, Lane, Task, run_lane
from robot.config import ConfigError
from robot.wire.weights import Weights

POINT_MASS = str(Path(__file__).parents[2] / "hardware_configs/point_mass.yaml")
TASK = Task(POINT_MASS, cpu_minutes=0.01, every_s=0.2, episodes=1)
SMALL = (
    "dreamer_v3+prefill=60+pretrain=1+batch=2+length=8+units=16+deter=32+hidden=16+stoch=2"
    "+classes=4+blocks=2+starts=4+horizon=3"
)


def lane(entry: str, seed: int, share: float, cpu_s: float) -> dict[str, Any]:
    point = {"cpu_s": cpu_s, "steps": 10, "robot_minutes": 1.0, "share": share}
    counts = {"steps": 10, "robot_minutes": 1.0, "updates": 5}
    said = {"entry": entry, "seed": seed, "reached": share >= 0.9, "cpu_s": cpu_s}
    return {**said, **counts, "best": share, "curve": [point]}


def test_an_entry_names_a_system_its_preset_its_time_and_its_changes():
    assert Entry.read("planet") == Entry("planet", "planet")
    said = "planet:paper@2.5+dynamics=ssm+free_nats=1.5"
    changes = ("learner.dynamics=ssm", "learner.free_nats=1.5")
    assert Entry.read(said) == Entry(said, "planet", "paper", 2.5, changes)


@pytest.mark.parametrize("text", ["", "Planet", "planet@x", "planet+dynamics", "planet@"])
def test_an_entry_of_another_form_is_refused(text: str):
    with pytest.raises(ConfigError, match=r"allowed is SYSTEM"):
        Entry.read(text)


def test_the_summary_counts_seeds_and_takes_the_median():
    found = summary([lane("a", 0, 0.95, 10), lane("b", 0, 0.2, 60), lane("a", 1, 0.5, 60)])
    assert (found["a"]["reached"], found["a"]["seeds"], found["a"]["median_cpu_s"]) == (1, 2, 35)
    assert found["b"]["best"] == [0.2] and list(found) == ["a", "b"]


def test_rows_tell_every_seed():
    said = rows([lane("a", 0, 0.95, 10), lane("a", 1, 0.5, 60)])
    assert said == [("a", "1 of 2", "10, 60", "1.0, 1.0", "0.95, 0.50")]


def test_results_are_kept_and_belong_to_one_task(tmp_path: Path):
    done = [lane("a", 0, 0.95, 10), lane("b", 3, 0.5, 60), lane("c", 0, 0.1, 60)]
    write(TASK, done, tmp_path / "found")
    assert (tmp_path / "found.png").stat().st_size > 5000
    assert (tmp_path / "found.md").read_text().count("\n") == 5
    kept = kept_lanes(tmp_path / "found.json", TASK)
    assert list(kept) == [("a", 0), ("b", 3), ("c", 0)]
    with pytest.raises(ConfigError, match="of another task"):
        kept_lanes(tmp_path / "found.json", replace(TASK, goal=0.8))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "nobody"),
        (["planet+colour=red"], "colour"),
        (["planet", "--cpu-minutes", "0"], "--cpu-minutes 0.0: allowed is 0.01 or more"),
        (["planet", "--jobs", "0"], "one job"),
        (["planet", "--set", "task.episode_steps=0"], "episode_steps"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
):
    out = tmp_path / "found"
    assert cli.main(["compare", POINT_MASS, *words, "--out", str(out)]) == 2
    assert said in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_task_whose_best_return_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["compare", "gym:reverie/TMaze-v0", "dreamer_v3"]) == 2
    assert "name it with --best" in capsys.readouterr().err


def test_a_lane_learns_until_its_computing_is_spent():
    found = run_lane(asdict(TASK), SMALL, 1)
    assert not found["reached"] and found["updates"] > 0 and found["seed"] == 1
    assert found["cpu_s"] >= 0.6 and found["steps"] > 60
    times = [point["cpu_s"] for point in found["curve"]]
    assert len(times) >= 2 and times == sorted(times)
    assert json.loads(json.dumps(found)) == found


def test_a_lane_ends_when_it_is_good_enough():
    found = Lane(replace(TASK, goal=0.001, cpu_minutes=0.2, episodes=4), Entry.read(SMALL), 0).run()
    assert found["reached"] and found["best"] >= 0.001
    assert [point["share"] >= 0.001 for point in found["curve"]].count(True) == 1


def test_best_play_in_an_environment_is_graded_one(monkeypatch: pytest.MonkeyPatch):
    """The T-maze's best return is 1: a policy that remembers the cue is graded 1, its rival -1."""

    def remembering(sign: float) -> Any:
        class Remembers:
            version = 0

            def initial(self) -> float:
                return 0.0

            def act(self, carry: float, seen: dict[str, np.ndarray]) -> tuple[float, np.ndarray]:
                cue = float(seen["vector"][0]) or carry
                return cue, np.full(1, sign * cue, np.float32)

        return Remembers()

    task = Task("gym:reverie/TMaze-v0", best=1.0, episodes=6)
    plan = task.plan(Entry.read("dreamer_v3"), 0)
    for sign in (1.0, -1.0):
        policy = remembering(sign)
        monkeypatch.setattr(
            "launch.environment_trial.PolicyMaker", lambda *_, p=policy: lambda _: p
        )
        assert task.grade(plan)(Weights({}, 0, "")) == sign
