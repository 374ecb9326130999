"""The comparison of ways to explore: what is counted, compared, refused, and gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from launch import cli
from launch.exploration import Study, compare, coverage, maze_cover
from launch.run_folder import RunFolder
from launch.train import make_any_plan
from robot.policy.journal import LOG_NAME
from robot.wire.log import LogWriter
from robot.wire.transition import Transition

MAZE = "gym:reverie/Maze-v0"
SMALL = (
    *("learner.prefill=40", "learner.pretrain=2", "learner.batch=2", "learner.length=8"),
    *("learner.units=16", "learner.hidden=16", "learner.deter=16", "learner.layers=1"),
    *("learner.stoch=2", "learner.classes=4", "learner.starts=4", "learner.members=2"),
    *("learner.member_units=8", "learner.steps_per_update=10", "learner.horizon=3"),
    *("learner.look=3", "env.time_limit=30", "env.options.size=2"),
)


def at(index: int, x: float, y: float) -> Transition:
    arrays = {
        "vector": np.array((x, y, 0, 0), np.float32),
        "action": np.zeros(2, np.float32),
        "applied": np.zeros(2, np.float32),
        "reward": np.zeros((), np.float32),
        **{flag: np.zeros((), bool) for flag in ("is_first", "is_last", "is_terminal")},
    }
    return Transition("r", "run", index, 0, index, 0, True, arrays)


def test_coverage_counts_cells_along_the_log(tmp_path: Path):
    """Six rooms of 2 x 2 cells and five doors of two cells: 34 free cells."""
    folder = RunFolder(tmp_path)
    log = LogWriter(folder.log, LOG_NAME, {})
    places = [(1.5, 1.5)] * 10 + [(2.5, 1.5)] * 5 + [(2.5, 2.5)] * 4 + [(1.2, 1.2)]
    for index, place in enumerate(places):
        log.append_transition(at(index, *place), 1, 1)
    log.close()
    plan = make_any_plan(MAZE, "", "", "plan2explore", "cpu", 0, ["env.options.size=2"])
    curve = coverage(folder, maze_cover(plan))
    assert curve["step"] == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]
    expected = [1, 1, 1, 1, 1, 2, 2, 3, 3, 3]
    assert curve["share"] == pytest.approx([cells / 34 for cells in expected], abs=1e-4)


def test_shares_are_disagreements_to_each_others():
    found = {
        "disagreement": {"coverage": 0.9, "return": 90.0},
        "random": {"coverage": 0.3, "return": 10.0},
        "task": {"coverage": 0.6, "return": 100.0},
    }
    expected = {"coverage_over_random": 3.0, "coverage_over_task": 1.5, "zero_shot": 0.9}
    assert compare(found) == pytest.approx(expected)
    assert compare({"random": found["random"]}) == {}


def test_only_who_is_paid_from_the_start_knows_the_task():
    study = Study(changes=("env.options.size=2",))
    plans = {way: study.plan(way).as_dict() for way in ("disagreement", "random", "task")}
    asked = {way: plan["environment"]["options"].get("goal") for way, plan in plans.items()}
    assert asked == {"disagreement": None, "random": None, "task": 5}
    explore = {way: plan["settings"]["explore_steps"] for way, plan in plans.items()}
    assert explore["task"] == 0 and explore["disagreement"] == explore["random"] > 10**8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ways", "random", "luck"], "--ways luck: allowed is disagreement, retrospective"),
        (["--steps", "0"], "--steps 0: allowed is 1 or more"),
        (["gym:reverie/TMaze-v0"], "target gym:reverie/TMaze-v0: allowed is gym:reverie/Maze-v0"),
    ],
)
def test_what_cannot_be_compared_is_said(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(["exploration", *words, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_small_comparison_ends_with_one_object_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    sets = [word for change in SMALL for word in ("--set", change)]
    size = ["--ways", "disagreement", "random", "task", "--updates", "2", "--episodes", "1"]
    words = ["exploration", "--out", str(out), "--json", *size, *sets]
    found = []
    for steps in ("60", "90"):
        assert cli.main([*words, "--steps", steps]) == 0
        found.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert json.loads((out / "exploration.json").read_text()) == found[-1]
    for facts in found:
        assert set(facts["ways"]) == {"disagreement", "random", "task"}
        assert set(facts["compared"]) == {"coverage_over_random", "coverage_over_task", "zero_shot"}
        assert all(0 < way["coverage"] <= 1 for way in facts["ways"].values())
    counts = [facts["ways"]["random"]["coverage_curve"]["step"][-1] for facts in found]
    assert counts[0] < counts[1]
