"""LeRobotDataset v3.0: every number comes back, and the files say what LeRobot's say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from launch.exchange.export import Export, run_export
from launch.exchange.source import Source
from launch.importing.episode import described
from launch.importing.run import run_import
from robot.config import ConfigError
from robot.wire.transition import Transition

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from launch.exchange import lerobot_write  # noqa: E402
from launch.exchange.lerobot_folder import LeRobotFolder  # noqa: E402
from launch.exchange.lerobot_read import lerobot_transitions  # noqa: E402

Pack = Callable[[list[Transition]], list[bytes]]


def export(log: Path, out: Path, pictures: str = "png") -> Path:
    assert run_export(Export(log, "lerobot", out, pictures)) == 0
    return out


def back(folder: Path) -> list[Transition]:
    return list(lerobot_transitions(LeRobotFolder(folder)))


@pytest.fixture(scope="module")
def png(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(log, tmp_path_factory.mktemp("out") / "png")


def info(folder: Path) -> dict:
    return json.loads((folder / "meta/info.json").read_text())


def rows(folder: Path) -> list[dict]:
    return pq.read_table(folder / "data/chunk-000/file-000.parquet").to_pylist()


def episodes(folder: Path) -> list[dict]:
    return pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()


def test_every_bit_comes_back_with_pictures_in_the_tables(png, steps, in_order: Pack):
    assert in_order(back(png)) == in_order(steps)


def test_every_bit_comes_back_with_films_that_are_exact(log, tmp_path, steps, in_order: Pack):
    pytest.importorskip("av")
    out = export(log, tmp_path / "out", "lossless")
    assert in_order(back(out)) == in_order(steps)
    cameras = {path.name for path in (out / "videos").iterdir()}
    assert cameras == {"observation.images.front", "observation.image"}
    told = info(out)["features"]
    assert told["observation.images.depth"]["dtype"] == "image"  # four channels are no film
    front = told["observation.images.front"]["info"]
    assert (front["video.fps"], front["video.height"], front["video.width"]) == (25, 18, 22)


def test_small_films_change_pictures_a_little_and_nothing_else(log, tmp_path, in_order: Pack):
    pytest.importorskip("av")
    smooth = smoothly(log, tmp_path / "smooth")
    found = back(export(tmp_path / "smooth", tmp_path / "out", "video"))
    differences = [
        np.abs(a.arrays["image_front"].astype(int) - b.arrays["image_front"]).mean()
        for a, b in zip(smooth, found, strict=True)
    ]
    assert 0 < max(differences) < 8
    bare = {step.index: without_pictures(step) for step in smooth}
    assert in_order([without_pictures(step) for step in found]) == in_order(list(bare.values()))


def smoothly(log: Path, folder: Path) -> list[Transition]:
    """One stream whose pictures are ramps, as small films show them well; written to a log."""
    from dataclasses import replace

    from robot.wire.log import LogReader, LogWriter

    ramp = np.broadcast_to(np.linspace(0, 200, 22, dtype=np.uint8)[None, :, None], (18, 22, 3))
    mine = [s for s in LogReader(log / "log", "robot").transitions() if s.run == "one"]
    made = [replace(s, arrays={**s.arrays, "image_front": ramp + np.uint8(s.index)}) for s in mine]
    writer = LogWriter(folder, "robot", {})
    for step in made:
        writer.append_transition(step, 0, 0)
    writer.close()
    return made


def without_pictures(step: Transition) -> Transition:
    from dataclasses import replace

    kept = {k: v for k, v in step.arrays.items() if k not in ("image_front", "image")}
    return replace(step, arrays=kept)


def test_the_columns_are_what_lerobot_means_by_their_names(png, steps):
    first = [s for s in steps if s.run == "one" and s.episode == 0]
    found = rows(png)[:4]
    for row, step in zip(found, first, strict=True):
        a = step.arrays
        vector = [a["height"], *a["joint_pos"], *a["strange"]]
        np.testing.assert_array_equal(np.array(row["observation.state"], "f4"), np.array(vector))
        assert row["action"] == a["action"].tolist()
        assert row["observation.grid"] == a["grid"].tolist()
        assert row["observation.big"] == int(a["big"][0]) - (1 << 64)  # the same bits
        assert row["task_index"] == 0
    following = [float(s.arrays["reward"]) for s in first[1:]]
    assert [row["next.reward"] for row in found] == [*following, 0.0]
    assert [row["next.done"] for row in found] == [False, False, True, True]
    assert [row["next.truncated"] for row in found] == [False] * 4  # it was terminal
    np.testing.assert_allclose(
        [row["timestamp"] for row in found], [0, 0.04, 0.08, 0.12], rtol=1e-6
    )
    names = info(png)["features"]["observation.state"]["names"]
    assert names == [
        "height.0",
        *(f"joint_pos.{i}" for i in range(3)),
        *(f"strange.{i}" for i in range(4)),
    ]


def test_episodes_lie_where_their_lines_say(png, steps):
    lines, table = episodes(png), rows(png)
    assert [line["length"] for line in lines] == [4, 5, 4, 5, 6]  # the one that was cut comes last
    runs = ["one", "one", "longer", "longer", "one"]
    assert [line["reverie/run"] for line in lines] == runs
    for number, line in enumerate(lines):
        mine = table[line["dataset_from_index"] : line["dataset_to_index"]]
        assert [row["frame_index"] for row in mine] == list(range(line["length"]))
        assert {row["episode_index"] for row in mine} == {number} == {line["episode_index"]}
        assert [row["index"] for row in mine] == list(
            range(line["dataset_from_index"], line["dataset_to_index"])
        )
        assert line["tasks"] == ["walk"]
    said = info(png)
    assert (said["total_episodes"], said["total_frames"]) == (5, len(steps)) == (5, len(table))
    assert (said["codebase_version"], said["fps"], said["robot_type"]) == ("v3.0", 25, "rig")


def test_the_table_of_tasks_is_one_of_pandas(png):
    table = pq.read_table(png / "meta/tasks.parquet")
    assert table.to_pydict() == {"task_index": [0], "__index_level_0__": ["walk"]}
    assert json.loads(table.schema.metadata[b"pandas"])["index_columns"] == ["__index_level_0__"]


def test_statistics_are_those_of_the_steps(png, steps):
    stats = json.loads((png / "meta/stats.json").read_text())
    action = np.stack([s.arrays["action"] for s in steps]).astype(float)
    said = stats["action"]
    for name, value in {
        "min": action.min(0),
        "max": action.max(0),
        "mean": action.mean(0),
        "std": action.std(0),
        "q50": np.median(action, 0),
    }.items():
        np.testing.assert_allclose(said[name], value, rtol=1e-12, atol=1e-12)
    assert said["count"] == [len(steps)]
    pictures = np.stack([s.arrays["image_front"] for s in steps]) / 255
    front = {name: np.array(v) for name, v in stats["observation.images.front"].items()}
    assert front["mean"].shape == (3, 1, 1)
    np.testing.assert_allclose(front["mean"].ravel(), pictures.mean((0, 1, 2)))
    np.testing.assert_allclose(front["std"].ravel(), pictures.std((0, 1, 2)))


def test_full_files_are_followed_by_new_ones(log, tmp_path, steps, in_order: Pack, monkeypatch):
    pytest.importorskip("av")
    monkeypatch.setattr(lerobot_write, "DATA_MB", 1e-6)
    monkeypatch.setattr(lerobot_write, "VIDEO_MB", 1e-6)
    monkeypatch.setattr(lerobot_write, "FILES_PER_CHUNK", 2)
    out = export(log, tmp_path / "out", "lossless")
    assert in_order(back(out)) == in_order(steps)
    files = sorted(str(p.relative_to(out / "data")) for p in (out / "data").rglob("*.parquet"))
    assert files == [f"chunk-00{i // 2}/file-00{i % 2}.parquet" for i in range(5)]
    assert len(list((out / "videos/observation.image").rglob("*.mp4"))) > 1


def foreign(folder: Path, **columns: list) -> Path:
    """A data set that others could have written: two episodes of three and two frames."""
    for part in ("meta/episodes/chunk-000", "data/chunk-000"):
        (folder / part).mkdir(parents=True)
    frame = {
        "episode_index": [0, 0, 0, 1, 1],
        "frame_index": [0, 1, 2, 0, 1],
        "index": list(range(5)),
    }
    state = pa.array([[float(i), 0.5] for i in range(5)], pa.list_(pa.float32(), 2))
    action = pa.array([[10.0 + i] for i in range(5)], pa.list_(pa.float32(), 1))
    table = {**frame, "timestamp": [0.0, 0.1, 0.2, 0.0, 0.1], "task_index": [0] * 5}
    table |= {"observation.state": state, "action": action, **columns}
    pq.write_table(pa.table(table), folder / "data/chunk-000/file-000.parquet")
    place = {"data/chunk_index": 0, "data/file_index": 0}
    lines = [{"episode_index": e, "length": n, **place} for e, n in ((0, 3), (1, 2))]
    path = folder / "meta/episodes/chunk-000/file-000.parquet"
    pq.write_table(pa.Table.from_pylist(lines), path)
    kinds = {"observation.state": ("float32", [2]), "action": ("float32", [1])}
    kinds |= {name: ("bool" if "reward" not in name else "float32", [1]) for name in columns}
    kinds |= {name: ("int64", [1]) for name in (*frame, "task_index")}
    described = {name: {"dtype": d, "shape": s, "names": None} for name, (d, s) in kinds.items()}
    said = {
        "codebase_version": "v3.0",
        "robot_type": "so101",
        "fps": 10,
        "total_frames": 5,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None,
        "features": described,
    }
    (folder / "meta/info.json").write_text(json.dumps(said))
    return folder


def test_a_data_set_of_others_becomes_steps_without_losing_an_action(tmp_path):
    done, cut = [False, False, True, False, True], [False, False, False, False, True]
    told = {"next.reward": [0.0, 0.0, 1.0, 2.0, 3.0], "next.done": done, "next.truncated": cut}
    found = back(foreign(tmp_path / "arm", **told))
    assert [s.step for s in found] == [0, 1, 2, 3, 0, 1, 2]
    assert [s.index for s in found] == list(range(7))
    assert {(s.robot, s.run) for s in found} == {("so101", "arm")}
    assert [s.arrays["state"].tolist() for s in found[:4]] == [
        [0, 0.5],
        [1, 0.5],
        [2, 0.5],
        [2, 0.5],
    ]
    assert [s.arrays["action"].tolist() for s in found] == [[10], [11], [12], [0], [13], [14], [0]]
    assert [float(s.arrays["reward"]) for s in found] == [0, 0, 0, 1, 0, 2, 3]
    flags = [[bool(s.arrays[f]) for s in found] for f in ("is_first", "is_last", "is_terminal")]
    assert flags[0] == [True, False, False, False, True, False, False]
    assert flags[1] == [False, False, False, True, False, False, True]
    assert flags[2] == [False, False, False, True, False, False, False]  # the second was cut
    assert [s.stamps_ns["tick"] for s in found[:3]] == [0, 100_000_000, 200_000_000]


def test_importing_makes_a_log_of_the_same_steps(png, tmp_path, steps, in_order: Pack, read):
    assert run_import([png], tmp_path / "log") == 0
    assert in_order(read(tmp_path / "log")) == in_order(steps)
    again = Source(tmp_path / "log").outline()
    assert (again.hz, again.task, len(again.lines)) == (25.0, "walk", 4)
    with pytest.raises(ConfigError, match="exists already"):
        run_import([png], tmp_path / "log")


def test_a_log_of_others_data_says_what_it_holds(tmp_path):
    folder = foreign(tmp_path / "arm")
    stats = {"observation.state": {"mean": [2.0, 0.5], "std": [1.5, 0.0]}}
    stats["action"] = {"min": [10.0], "max": [14.0]}
    (folder / "meta/stats.json").write_text(json.dumps(stats))
    assert run_import([folder], tmp_path / "log") == 0
    outline = Source(tmp_path / "log").outline()
    spec = described(outline.about["spec"])
    assert spec.control_hz == outline.hz == 10
    assert (spec.action.space.low, spec.action.space.high) == (10, 14)  # pyright: ignore
    state = spec.observation["state"]
    assert (state.centre.tolist(), state.scale.tolist()) == ([2.0, 0.5], [1.5, 1.0])


def test_demonstrations_without_rewards_are_worth_nothing_and_never_terminal(tmp_path):
    found = back(foreign(tmp_path / "arm"))
    assert {float(s.arrays["reward"]) for s in found} == {0.0}
    assert not any(s.arrays["is_terminal"] for s in found)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"codebase_version": "v2.1"}, ["v2.1", "v3.0"]),
        ({"fps": "soon"}, ["soon"]),
        ({"features": {"observation.state": {"dtype": "float32", "shape": [2]}}}, ["'action'"]),
        ({"data_path": "data/{chunk}.parquet"}, ["episodes", "'chunk'"]),
        ({"data_path": "elsewhere-{chunk_index}{file_index}.parquet"}, ["elsewhere-00"]),
    ],
)
def test_what_is_no_sound_data_set_is_refused_by_name(tmp_path, change, named):
    folder = foreign(tmp_path / "arm")
    path = folder / "meta/info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ConfigError) as refused:
        back(folder)
    assert all(word in str(refused.value) for word in named)


def test_a_film_that_is_none_is_an_error_that_names_it(tmp_path):
    pytest.importorskip("av")
    from launch.exchange.films import frames

    path = tmp_path / "file-000.mp4"
    path.write_bytes(b"no film")
    with pytest.raises(OSError, match="file-000.mp4: cannot be read as a film"):
        list(frames(path))


def test_a_data_file_that_lacks_frames_is_refused(tmp_path):
    folder = foreign(tmp_path / "arm")
    path = folder / "data/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(path).slice(0, 4), path)
    with pytest.raises(ConfigError, match="does not hold the 2 frames of episode 1"):
        back(folder)
