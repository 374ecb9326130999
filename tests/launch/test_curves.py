"""Learning curves: the real robot's milestones, medians over seeds, and bad files."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from launch.curves import (
    Curve,
    as_markdown,
    median_curve,
    median_milestones,
    milestone_table,
    milestones,
    read_real,
    read_result,
    run_curves,
    smoothed,
)
from robot.config import ConfigError

REAL = Path(__file__).parents[2] / "docs/results/anchors/a1_real.json"


def write_result(path: Path, rewards: list[float], seed: int = 0, **more: object) -> Path:
    """One episode per 0.2 minutes."""
    episodes = [{"robot_minutes": 0.2 * (i + 1), "mean_reward": r} for i, r in enumerate(rewards)]
    data = {"seed": seed, "system": "reverie", "episodes": episodes, "command": "reverie train"}
    path.write_text(json.dumps(data | more))
    return path


def test_the_real_robots_milestones_are_the_known_ones():
    real = read_real(REAL)
    assert milestones(real["dreamer"]) == {
        "6": pytest.approx(9.3, abs=0.06),
        "7": pytest.approx(23.7, abs=0.06),
        "8": pytest.approx(24.7, abs=0.06),
        "9": pytest.approx(32.7, abs=0.06),
        "10": pytest.approx(48.4, abs=0.06),
        "11": pytest.approx(53.2, abs=0.06),
        "12": None,
    }
    assert float(real["dreamer"].reward.max()) == pytest.approx(11.43, abs=0.01)
    assert float(real["sac"].reward.max()) == pytest.approx(7.94, abs=0.01)
    assert milestones(real["sac"])["8"] is None


def test_a_mean_of_ten_episodes_stands_at_the_end_of_the_tenth():
    minutes, reward = smoothed([float(i) for i in range(12)], [0.0] * 10 + [10.0, 20.0])
    np.testing.assert_array_equal(minutes, [9, 10, 11])
    np.testing.assert_allclose(reward, [0, 1, 3], atol=1e-12)


def test_a_milestone_is_the_first_minute_above_the_mark_even_if_it_falls_again():
    curve = Curve("x", "x", np.array([1.0, 2.0, 3.0, 4.0]), np.array([6.0, 6.5, 5.0, 8.1]))
    found = milestones(curve)
    assert (found["6"], found["7"], found["8"], found["9"]) == (2.0, 4.0, 4.0, None)


def test_a_seed_that_never_passes_counts_as_infinitely_late():
    assert median_milestones([{"9": 10.0}, {"9": None}, {"9": 20.0}]) == {"9": 20.0}
    assert median_milestones([{"9": 10.0}, {"9": None}, {"9": None}]) == {"9": None}


def test_the_median_curve_reaches_as_far_as_the_shortest_seed():
    curves = [
        Curve("s", "a", np.array([1.0, 3.0]), np.array([6.0, 8.0])),
        Curve("s", "b", np.array([0.0, 9.0]), np.array([9.0, 9.0])),
        Curve("s", "c", np.array([0.0, 9.0]), np.array([5.0, 5.0])),
    ]
    middle = median_curve(curves)
    assert middle.minutes[0] == 1.0 and 2.8 < middle.minutes[-1] < 3.0
    np.testing.assert_allclose(middle.reward, middle.minutes + 5)


def test_the_published_reward_counts_where_an_episode_tells_it(tmp_path: Path):
    path = write_result(tmp_path / "r.json", [5.0] * 12)
    data = json.loads(path.read_text())
    for episode in data["episodes"]:
        episode["published"] = 7.5
    path.write_text(json.dumps(data))
    np.testing.assert_allclose(read_result(path).reward, [7.5] * 3)


def test_curves_write_a_picture_and_both_tables(tmp_path: Path):
    rising = [5 + 0.05 * i for i in range(160)]
    results = [
        write_result(tmp_path / f"a1_{seed}.json", [r + 0.1 * seed for r in rising], seed)
        for seed in range(3)
    ]
    assert run_curves(results, tmp_path / "out/curve.png", REAL) == 0
    picture = cv2.imread(str(tmp_path / "out/curve.png"))
    assert picture is not None and picture.std() > 5
    table = json.loads((tmp_path / "out/milestones_curve.json").read_text())
    labels = [row["label"] for row in table["rows"]]
    assert labels[:3] == ["real A1, DayDreamer", "real A1, SAC", "reverie, median of 3 seeds"]
    seeds = [row["minutes"]["9"] for row in table["rows"][3:]]
    assert sorted(seeds, reverse=True) == seeds and len(set(seeds)) == 3
    assert table["rows"][2]["minutes"]["9"] == seeds[1]
    assert table["rows"][3]["command"] == "reverie train"
    text = (tmp_path / "out/milestones_curve.md").read_text()
    assert (
        "| real A1, DayDreamer | 9.33 | 23.67 | 24.71 | 32.73 | 48.38 | 53.15 | - | 11.43 |" in text
    )


def test_a_single_seed_has_no_median_row():
    curve = Curve("daydreamer", "daydreamer, seed 0", np.array([1.0]), np.array([6.5]))
    rows = milestone_table([curve], {})["rows"]
    assert [row["label"] for row in rows] == ["daydreamer, seed 0"]
    table = {"what": "w", "marks": [6], "rows": rows}
    assert as_markdown(table).endswith("| daydreamer, seed 0 | 1.00 | 6.50 |\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "cannot be read as JSON"),
        ('{"seed": 0}', "lacks system, episodes"),
        ("[1]", "is no result"),
        ('{"seed": 0, "system": "s", "episodes": [{"robot_minutes": 1}]}', "mean_reward"),
        ('{"seed": 0, "system": "s", "episodes": []}', "at least 10 are needed"),
    ],
)
def test_a_bad_result_is_refused_by_name(tmp_path: Path, text: str, said: str):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as refusal:
        run_curves([path], tmp_path / "out.png", REAL)
    assert str(path) in str(refusal.value)
    assert not (tmp_path / "out.png").exists()


def test_a_missing_result_is_refused_by_name(tmp_path: Path):
    with pytest.raises(ConfigError, match="none.json"):
        run_curves([tmp_path / "none.json"], tmp_path / "out.png", REAL)
    with pytest.raises(ConfigError, match="at least one result"):
        run_curves([], tmp_path / "out.png", REAL)
