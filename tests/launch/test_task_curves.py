"""Curves of environments: windows, seeds, published figures, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, median

import cv2
import numpy as np
import pytest

from launch.curves import run_curves
from launch.results import result
from launch.task_curves import smoothed
from launch.task_scores import Returns, as_markdown, published, score_table
from robot.config import ConfigError

ROOT = Path(__file__).parents[2]
ANCHORS = json.loads((ROOT / "docs/results/anchors/dmc_proprio.json").read_text())


def run(returns: list[float], every: int = 10_000, **more: object) -> Returns:
    """Episodes that end every so many steps."""
    steps = every * np.arange(1.0, len(returns) + 1)
    task, system, seed = more.get("task", "dmc:walker-walk"), more.get("system", "reverie"), 0
    return Returns(str(task), str(system), seed, steps, np.array(returns))


def write(path: Path, made: Returns) -> Path:
    lines = zip(made.steps.tolist(), made.returns.tolist(), strict=True)
    episodes = [{"env_steps": int(s), "steps": 501, "return": r} for s, r in lines]
    data = {"seed": made.seed, "system": made.system, "environment": {"name": made.task}}
    path.write_text(json.dumps({**data, "episodes": episodes}))
    return path


# Of all 18 tasks, as they were computed from the unrounded figures.
@pytest.mark.parametrize(
    ("method", "steps", "overall", "middle"),
    [
        ("dreamer_v3", "100000", 447.8, 496.9),
        ("dreamer_v3", "250000", 656.8, 817.7),
        ("dreamer_v3", "500000", 748.8, 838.5),
        ("ppo", "500000", 209.7, 105.0),
        ("ddpg", "500000", 681.1, 757.3),
        ("d4pg", "500000", 730.6, 796.6),
        ("mpo", "500000", 663.3, 802.5),
        ("dmpo", "500000", 697.2, 793.4),
    ],
)
def test_the_published_figures_have_the_known_means_and_medians(
    method: str, steps: str, overall: float, middle: float
) -> None:
    found = [values[method][steps][0] for values in ANCHORS["tasks"].values()]
    assert len(found) == 18
    assert mean(found) == pytest.approx(overall, abs=0.2)
    assert median(found) == pytest.approx(middle, abs=0.5)


def test_a_suites_task_has_published_figures_and_another_has_none() -> None:
    assert published("dmc:ball_in_cup-catch", ANCHORS)["dreamer_v3"]["100000"] == [743, 264]
    assert published("dmc:cartpole-swingup_sparse", ANCHORS)["ppo"]["500000"] == [6, 6]
    assert published("gym:walker-walk", ANCHORS) == {} == published("dmc:dog-run", ANCHORS)


def test_a_return_is_the_mean_of_the_window_before_its_mark() -> None:
    made = run([float(i) for i in range(1, 13)])  # the last one ends at 120 000
    assert made.before(100_000, 20_000) == pytest.approx((9 + 10) / 2)
    assert made.before(100_000, 50_000) == pytest.approx((6 + 7 + 8 + 9 + 10) / 5)
    assert made.before(250_000, 50_000) is None


def test_seeds_are_averaged_after_their_windows() -> None:
    runs = [run([100.0] * 10), run([300.0] * 10), run([50.0] * 10, system="daydreamer")]
    rows = score_table(runs, ANCHORS)["rows"]
    assert [row["method"] for row in rows[:3]] == ["reverie", "daydreamer", "DreamerV3"]
    assert rows[0]["returns"]["100000"] == [200.0, 100.0]
    assert rows[0]["returns"]["500000"] is None and rows[0]["seeds"] == 2
    assert rows[2]["returns"]["100000"] == [478, 147] and rows[2]["published"]
    text = as_markdown(score_table(runs, ANCHORS))
    assert "| dmc:walker-walk | reverie | 2 | 200 ± 100 | - | - | 200 ± 100 |" in text
    assert "| dmc:walker-walk | DreamerV3, published | 5 | 478 ± 147 | 869 ± 52 |" in text
    assert "arXiv 2301.04104" in text


def test_tasks_are_summed_up_for_methods_that_have_them_all() -> None:
    runs = [
        *(run([100.0] * 10), run([200.0] * 10, task="dmc:cartpole-swingup")),
        run([50.0] * 10, system="daydreamer"),
    ]
    said = {(row["method"], row["at"]): row for row in score_table(runs, ANCHORS)["overall"]}
    assert said["reverie", "100000"]["mean"] == said["reverie", "100000"]["median"] == 150.0
    assert said["DreamerV3, published", "250000"]["mean"] == pytest.approx((869 + 798) / 2)
    assert said["PPO, published", "500000"]["tasks"] == 2
    assert ("daydreamer", "100000") not in said and ("reverie", "250000") not in said
    text = as_markdown(score_table(runs, ANCHORS))
    assert "All 2 tasks, reverie, 100k: mean 150, median 150." in text


def test_atari_games_get_dreamerv2s_four_scores() -> None:
    runs = [run([14.6], task="gym:ALE/Pong-v5"), run([864.0], task="gym:ALE/Breakout-v5")]
    (row,) = score_table(runs, ANCHORS)["overall"]
    breakout, pong = (864 - 1.7) / (30.5 - 1.7), (14.6 + 20.7) / (21 + 20.7)
    assert row["tasks"] == 2 and row["at"] == "end"
    assert row["gamer median"] == row["gamer mean"] == pytest.approx((1 + breakout) / 2)
    assert row["record mean"] == row["clipped record mean"] == pytest.approx((pong + 1) / 2)


def test_few_episodes_are_all_averaged() -> None:
    steps, returns = smoothed(run([1.0, 2.0, 6.0]))
    assert steps.tolist() == [30_000] and returns.tolist() == [3.0]


def test_curves_and_tables_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    tasks = ("dmc:walker-walk", "dmc:cartpole-swingup", "gym:reverie/Maze-v0", "dmc:hopper-hop")
    files = [
        write(tmp_path / f"{i}{j}.json", run([10.0 * j] * 12, task=task))
        for i, task in enumerate(tasks)
        for j in range(2)
    ]
    assert run_curves(files, tmp_path / "out" / "dmc.png") == 0
    picture = cv2.imread(str(tmp_path / "out" / "dmc.png"))
    assert picture is not None and picture.std() > 5
    table = json.loads((tmp_path / "out" / "scores_dmc.json").read_text())
    assert {row["task"] for row in table["rows"]} == set(tasks)
    assert (tmp_path / "out" / "scores_dmc.md").read_text() in capsys.readouterr().out


def test_bad_files_are_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    good = write(tmp_path / "good.json", run([1.0]))
    robots = tmp_path / "robot.json"
    robots.write_text(json.dumps({"seed": 0, "system": "reverie", "episodes": []}))
    empty = write(tmp_path / "empty.json", run([]))
    broken = tmp_path / "broken.json"
    broken.write_text(good.read_text().replace("return", "reward"))
    for files, named in (
        ([good, robots], "robot.json: is of a robot, .*good.json of an environment"),
        ([empty], "empty.json: has no finished episode"),
        ([broken], "broken.json: is no result of an environment: KeyError"),
    ):
        with pytest.raises(ConfigError, match=named):
            run_curves(files, tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_a_result_of_an_environment_keeps_returns_by_environment_steps() -> None:
    line = {"robot_minutes": 0.1, "steps": 5, "return": 2.5, "mean_reward": 0.5}
    config = {"system": "reverie", "preset": "cpu", "settings": {}}
    summary = {
        "seed": 3,
        "command": "reverie train",
        "updates": 7,
        "versions": {},
        "env_steps": 8,
        "agent_steps": 4,
        "episodes": [{**line, "env_steps": 8, "agent_steps": 4}],
        "config": {**config, "environment": {"name": "dmc:walker-walk"}},
    }
    kept = result(summary)
    assert kept["environment"] == {"name": "dmc:walker-walk"} and kept["env_steps"] == 8
    assert kept["episodes"] == [{"env_steps": 8, "steps": 5, "return": 2.5}]
