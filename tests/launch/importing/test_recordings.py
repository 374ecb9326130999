"""Recordings under a map: units, order, resampling, episodes, gaps and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from launch.importing.columns import draw_together, spell_out
from launch.importing.map import read_map
from launch.importing.recording import Recording, read_recording
from robot.config import ConfigError

ROWS = 9


def plan_of(**changes: Any) -> dict[str, Any]:
    """A map of rows at 100 Hz with columns q0, q1, v0, v1, u0, u1."""
    return {
        "robot": "arm",
        "clock": {"rate_hz": 100},
        "control_hz": 50,
        "joints": {"order": ["hip", "knee"]},
        "observation": {"joint_pos": {"columns": "q0..1", "unit": "rad", "per_joint": True}},
        "action": {"columns": "u0..1", "unit": "rad", "low": -10, "high": 10},
        **changes,
    }


def rows() -> dict[str, list[float]]:
    """Row i has q0 = i, q1 = 10 i, v = i / 2, u0 = i / 8, u1 = -i / 8."""
    count = range(ROWS)
    return {
        "q0": [float(i) for i in count],
        "q1": [10.0 * i for i in count],
        "v0": [i / 2 for i in count],
        "u0": [i / 8 for i in count],
        "u1": [-i / 8 for i in count],
    }


def write(folder: Path, columns: dict[str, list[float]], name: str = "data.csv") -> Path:
    lines = [",".join(columns)]
    lines += [
        ",".join("" if math.isnan(x) else repr(x) for x in r)
        for r in zip(*columns.values(), strict=True)
    ]
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def read(folder: Path, columns: dict[str, list[float]], plan: dict[str, Any]) -> Recording:
    (folder / "map.yaml").write_text(yaml.safe_dump(plan))
    return read_recording([write(folder, columns)], read_map(folder / "map.yaml"))


def refusal(folder: Path, columns: dict[str, list[float]], plan: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as error:
        read(folder, columns, plan)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_second_row_is_a_step_and_actions_become_shares_of_their_range(tmp_path: Path):
    found = read(tmp_path, rows(), plan_of())
    (episode,) = found.episodes
    assert episode.observation["joint_pos"].tolist() == [[i, 10 * i] for i in (0, 2, 4, 6, 8)]
    assert np.allclose(episode.action[:, 0], [0, 0.025, 0.05, 0.075, 0.1])
    assert episode.tick_ns.tolist() == [0, 20_000_000, 40_000_000, 60_000_000, 80_000_000]
    assert episode.valid.all() and not found.faults and found.unused == ["v0"]
    spec = found.spec.observation["joint_pos"]
    assert np.allclose(spec.centre, [4, 40]) and np.allclose(spec.scale, [8**0.5, 800**0.5])


@pytest.mark.parametrize(
    ("unit", "one", "kept"),
    [
        ("deg", math.pi / 180, "rad"),
        ("deg/s", math.pi / 180, "rad/s"),
        ("rpm", 2 * math.pi / 60, "rad/s"),
        ("mm", 0.001, "m"),
        ("g", 9.80665, "m/s^2"),
    ],
)
def test_units_become_si_units(tmp_path: Path, unit: str, one: float, kept: str):
    found = read(tmp_path, rows(), plan_of(observation={"x": {"columns": "q1", "unit": unit}}))
    assert np.allclose(
        found.episodes[0].observation["x"][:, 0], one * np.array([0, 20, 40, 60, 80])
    )
    assert found.spec.observation["x"].unit == kept


def test_joints_are_put_in_order_and_turned(tmp_path: Path):
    joints = {"order": ["hip", "knee"], "keep": ["knee", "hip"], "signs": {"hip": -1}}
    found = read(tmp_path, rows(), plan_of(joints=joints))
    assert found.episodes[0].observation["joint_pos"][2].tolist() == [40, -4]
    assert found.episodes[0].action[2].tolist() == pytest.approx([0.05, -0.05])  # not per_joint


def test_uneven_stamps_take_the_previous_row_or_lie_between_two(tmp_path: Path):
    columns = {"t": [5.0, 5.008, 5.021, 5.029, 5.041], "q0": [0.0, 8.0, 21.0, 29.0, 41.0]}
    columns |= {"u0": [0.0, 1.0, 2.0, 3.0, 4.0], "u1": [0.0] * 5}
    signals = {"columns": "q0", "unit": "1"}
    seen = {"latest": signals, "between": {**signals, "resample": "linear"}}
    clock = {"clock": {"column": "t"}, "episodes": {"gap_s": 0.05}}
    (episode,) = read(tmp_path, columns, plan_of(observation=seen, **clock)).episodes
    assert episode.observation["latest"][:, 0].tolist() == [0, 8, 29]
    assert np.allclose(episode.observation["between"][:, 0], [0, 20, 40])
    assert np.allclose(episode.action[:, 0], [0, 0.1, 0.3])
    assert np.allclose(episode.sensed_ns, [0, 8_000_000, 29_000_000])


def test_a_gap_ends_the_episode_and_is_told(tmp_path: Path):
    columns = rows() | {"t": [0.0, 10.0, 20.0, 30.0, 180.0, 190.0, 200.0, 210.0, 220.0]}
    plan = plan_of(clock={"column": "t", "unit": "ms"}, episodes={"gap_s": 0.1})
    found = read(tmp_path, columns, plan)
    firsts = [episode.observation["joint_pos"][:, 0].tolist() for episode in found.episodes]
    assert firsts == [[0, 2], [4, 6, 8]]
    (fault,) = found.faults
    assert (fault.kind, fault.row, round(fault.length_s, 6)) == ("gap", 3, 0.15)


def test_steps_that_lack_numbers_are_marked_and_repeat_the_last_ones(tmp_path: Path):
    columns = rows()
    for row in (0, 4, 5):
        columns["q1"][row] = math.nan
    found = read(tmp_path, columns, plan_of())
    (episode,) = found.episodes
    assert episode.valid.tolist() == [True, False, True, True]  # it begins with a sound step
    assert episode.observation["joint_pos"][:, 1].tolist() == [20, 20, 60, 80]
    assert [(f.row, f.rows, f.what) for f in found.faults] == [(0, 1, "q1"), (4, 2, "q1")]
    assert found.faults[1].length_s == pytest.approx(0.02)


def test_or_they_end_the_episode(tmp_path: Path):
    columns = rows()
    columns["u0"][3] = math.nan
    found = read(tmp_path, columns, plan_of(nan="end"))
    firsts = [episode.observation["joint_pos"][:, 0].tolist() for episode in found.episodes]
    assert firsts == [[0, 2], [4, 6, 8]]
    assert all(episode.valid.all() for episode in found.episodes)


def test_a_number_that_is_missing_beside_a_linear_tick_spoils_only_ticks_that_need_it(
    tmp_path: Path,
):
    columns = rows()
    columns["q0"][3] = math.nan
    linear = {"columns": "q0", "unit": "1", "resample": "linear"}
    found = read(tmp_path, columns, plan_of(observation={"x": linear}))
    assert found.episodes[0].valid.all()  # ticks fall on rows 0, 2, 4, 6, 8


@pytest.mark.parametrize(
    ("episodes", "lengths"),
    [
        ({"column": "e"}, [2, 3]),
        ({"last": "e2"}, [2, 3]),
        ({"steps": 2}, [2, 2]),
        ({}, [5]),
    ],
)
def test_episodes_end_where_the_map_says(
    tmp_path: Path, episodes: dict[str, Any], lengths: list[int]
):
    columns = rows() | {"e": [3.0] * 4 + [1.0] * 5, "e2": [0.0] * 3 + [1.0] + [0.0] * 5}
    found = read(tmp_path, columns, plan_of(episodes=episodes))
    assert [len(episode) for episode in found.episodes] == lengths


def test_an_episode_that_failed_is_terminal_and_one_too_short_is_left_out(tmp_path: Path):
    columns = rows() | {"e": [0.0] + [1.0] * 4 + [2.0] * 4, "dead": [0.0] * 4 + [1.0] + [0.0] * 4}
    found = read(tmp_path, columns, plan_of(episodes={"column": "e", "terminal": "dead"}))
    assert [episode.is_terminal for episode in found.episodes] == [True, False]
    assert [fault.kind for fault in found.faults] == ["too short"]


def test_rewards_since_the_last_tick_are_added_up(tmp_path: Path):
    columns = rows() | {"r": [float(2**i) for i in range(ROWS)]}
    found = read(tmp_path, columns, plan_of(reward={"column": "r"}))
    assert found.episodes[0].reward.tolist() == [1, 6, 24, 96, 384]
    found = read(tmp_path, columns, plan_of(reward={"column": "r"}, episodes={"steps": 2}))
    assert [episode.reward.tolist() for episode in found.episodes] == [[1, 6], [24, 96]]


def test_quaternions_are_kept_as_wxyz_and_turn_the_short_way(tmp_path: Path):
    half = math.sqrt(0.5)
    columns = {"x": [0.0, 0.0, 0.0], "y": [0.0] * 3, "z": [0.0, -half, 0.0], "w": [1.0, -half, 1.0]}
    columns |= {"u0": [0.0] * 3, "u1": [0.0] * 3, "t": [0.0, 0.02, 0.04]}
    turn = {"columns": ["x", "y", "z", "w"], "unit": "quaternion", "quaternion": "xyzw"}
    clock = {"clock": {"column": "t"}, "episodes": {"gap_s": 1}, "start_s": 0.01}
    seen = {"turn": {**turn, "resample": "linear"}}
    found = read(tmp_path, columns, plan_of(observation=seen, **clock))
    eighth = [math.cos(math.pi / 8), 0, 0, math.sin(math.pi / 8)]
    assert np.allclose(found.episodes[0].observation["turn"], [eighth, eighth])


def test_names_with_numbers_are_spelt_out_and_drawn_together():
    assert spell_out("q9..11_des") == ["q9_des", "q10_des", "q11_des"]
    assert spell_out("q2..0") == ["q2", "q1", "q0"]
    assert draw_together(["t", "q0", "q1", "q2", "kp"]) == "t, q0..2, kp"


def test_two_files_are_two_streams(tmp_path: Path):
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(plan_of()))
    files = [write(tmp_path, rows(), f"{name}.csv") for name in ("one", "two")]
    found = read_recording(files, read_map(tmp_path / "map.yaml"))
    assert [episode.run for episode in found.episodes] == ["arm-one", "arm-two"]


WRONG = [
    ({"colour": 1}, ["colour", "allowed", "control_hz"]),
    ({"observation": {"x": {"columns": "q0", "unit": "rad", "sign": -1}}}, ["sign", "per_joint"]),
    ({"observation": {"x": {"columns": "q5", "unit": "rad"}}}, ["q5", "q0, q1, v0, u0, u1"]),
    ({"observation": {"x": {"columns": "q0..3", "unit": "rad"}}}, ["q2", "q0, q1"]),
    ({"observation": {"x": {"columns": "q0", "unit": "furlong"}}}, ["furlong", "deg/s"]),
    ({"observation": {"x": {"columns": "q0", "unit": "quaternion"}}}, ["quaternion"]),
    ({"action": {"columns": "u0..1", "unit": "rad"}}, ["low and high"]),
    ({"action": {"columns": "u0..1", "unit": "rad", "low": -0.5, "high": 0.5}}, ["row 6", "0.75"]),
    ({"clock": {}}, ["clock", "rate_hz or column"]),
    ({"clock": {"column": "v0"}}, ["gap_s"]),
    ({"clock": {"column": "u1"}, "episodes": {"gap_s": 9}}, ["row 1", "time"]),
    ({"control_hz": 150}, ["150", "100 rows"]),
    ({"joints": {"order": ["hip"]}}, ["2 columns", "1 joints"]),
    ({"joints": {"order": ["a", "b"], "signs": {"c": 1}}}, ["'c'", "a, b"]),
    ({"joints": {"order": ["a", "b"], "keep": ["a", "c"]}}, ["keep", "a, b"]),
    ({"episodes": {"column": "e"}}, ["'e'", "q0"]),
    ({"nan": "guess"}, ["guess", "invalid"]),
    ({"start_s": 5}, ["no episode"]),
]


@pytest.mark.parametrize(("changes", "named"), WRONG)
def test_what_cannot_be_is_told_in_one_line(
    tmp_path: Path, changes: dict[str, Any], named: list[str]
):
    said = refusal(tmp_path, rows(), plan_of(**changes))
    assert [word for word in named if word not in said] == [], said


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", ["empty"]),
        ("q0,q1,u0,u1\n1,2,3\n", ["row 0", "3 cells"]),
        ("q0,q1,u0,u1\n1,2,0,0\n1,two,0,0\n", ["row 1", "'q1'", "'two'"]),
        ("q0,q0\n1,2\n", ["two columns 'q0'"]),
        ("q0,q1,u0,u1\n", ["no row"]),
    ],
)
def test_tables_that_are_none_are_told_in_one_line(tmp_path: Path, text: str, named: list[str]):
    (tmp_path / "data.csv").write_text(text)
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(plan_of()))
    with pytest.raises(ConfigError) as error:
        read_recording([tmp_path / "data.csv"], read_map(tmp_path / "map.yaml"))
    assert [word for word in named if word not in str(error.value)] == [], str(error.value)


def test_npz_gives_what_text_gives(tmp_path: Path):
    wanted = read(tmp_path, rows(), plan_of()).episodes[0]
    columns = {name: np.array(values) for name, values in rows().items()}
    vectors = np.stack([columns["q0"], columns["q1"]], 1)
    np.savez(tmp_path / "data.npz", u1=columns["u1"], q=vectors, u0=columns["u0"])
    seen = {"joint_pos": {"columns": "q", "unit": "rad", "per_joint": True}}
    (tmp_path / "vectors.yaml").write_text(yaml.safe_dump(plan_of(observation=seen)))
    plan = read_map(tmp_path / "vectors.yaml")
    (found,) = read_recording([tmp_path / "data.npz"], plan).episodes
    assert np.array_equal(found.observation["joint_pos"], wanted.observation["joint_pos"])
    assert np.array_equal(found.action, wanted.action)


def test_parquet_gives_what_text_gives(tmp_path: Path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns: dict[str, Any] = rows()
    columns["u0"][3] = None
    vector = [[a, b] for a, b in zip(columns.pop("q0"), columns.pop("q1"), strict=True)]
    table = pyarrow.table(columns | {"q": vector, "word": ["x"] * ROWS})
    parquet.write_table(table, tmp_path / "data.parquet")
    seen = {"joint_pos": {"columns": "q", "unit": "rad", "per_joint": True}}
    (tmp_path / "vectors.yaml").write_text(yaml.safe_dump(plan_of(observation=seen)))
    found = read_recording([tmp_path / "data.parquet"], read_map(tmp_path / "vectors.yaml"))
    assert found.episodes[0].observation["joint_pos"][2].tolist() == [4, 40]
    assert [(fault.kind, fault.row, fault.what) for fault in found.faults] == [("NaN", 3, "u0")]


def test_a_file_that_could_run_something_is_refused(tmp_path: Path):
    np.savez(tmp_path / "data.npz", q=np.array([{"a": 1}], dtype=object))
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(plan_of()))
    with pytest.raises(ConfigError, match="npz"):
        read_recording([tmp_path / "data.npz"], read_map(tmp_path / "map.yaml"))
