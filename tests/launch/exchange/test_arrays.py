"""Npz files: every number of a log is in them, and each stands where its reader looks for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from launch.exchange.export import Export, run_export
from robot.wire.transition import FLAGS, Transition

OBSERVED = "joint_pos strange height image_front image_depth image grid big time mask".split()
LEAST = np.iinfo(np.int64).min


def of(steps: list[Transition], run: str, episode: int) -> list[Transition]:
    return [s for s in steps if (s.run, s.episode) == (run, episode)]


def stacked(steps: list[Transition], key: str) -> np.ndarray:
    return np.stack([s.arrays[key] for s in steps])


def same(found: np.ndarray, wanted: np.ndarray) -> bool:
    kinds = (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    return kinds and found.tobytes() == wanted.tobytes()


@pytest.fixture(scope="module")
def folder(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "arrays"
    assert run_export(Export(log, "arrays", out)) == 0
    return out


def files(folder: Path, steps: list[Transition]) -> Iterator[tuple[dict, list[Transition]]]:
    """Arrays of each file, and the steps that they come from."""
    for line in json.loads((folder / "about.json").read_text())["episodes"]:
        with np.load(folder / line["file"]) as data:
            mine = of(steps, line["run"], line["episode"])
            assert line["actions"] == len(mine) - 1
            yield dict(data), mine


def test_every_number_of_the_log_is_in_the_files(folder, steps):
    count = 0
    for data, mine in files(folder, steps):
        assert all(same(data[f"observations/{key}"], stacked(mine, key)) for key in OBSERVED)
        for key in ("action", "applied"):
            name = "actions" if key == "action" else key
            back = np.concatenate([data[name], data[f"log/last_{key}"][None]])
            assert same(back, stacked(mine, key))
        assert all(same(data[f"log/{key}"], stacked(mine, key)) for key in ("reward", *FLAGS))
        for name in ("index", "step", "weights_version", "valid"):
            assert data[f"log/{name}"].tolist() == [getattr(s, name) for s in mine]
        assert data["log/stamps_ns/tick"].tolist() == [s.stamps_ns["tick"] for s in mine]
        inference = [s.ledger_ns.get("inference", LEAST) for s in mine]
        assert data["log/ledger_ns/inference"].tolist() == inference
        count += len(mine)
    assert count == len(steps)


def test_rewards_and_ends_stand_with_the_action_that_led_to_them(folder, steps):
    found = {(mine[0].run, mine[0].episode): data for data, mine in files(folder, steps)}
    first = found["one", 0]
    np.testing.assert_array_equal(first["rewards"], np.array([1.1, 2.1, 3.1], np.float32))
    ends = {
        key: (d["terminations"].tolist(), d["truncations"].tolist()) for key, d in found.items()
    }
    no = [False] * 9
    assert ends["one", 0] == ([*no[:2], True], no[:3])  # terminal
    assert ends["one", 1] == (no[:4], [*no[:3], True])  # out of time
    assert ends["one", 2] == (no[:5], [*no[:4], True])  # the log was cut


def test_the_folder_tells_what_it_holds(folder):
    said = json.loads((folder / "about.json").read_text())
    assert (said["hz"], said["task"], said["absent"]) == (25.0, "walk", LEAST)
    assert json.loads(said["about"]["plan"])["robot"]["control"]["control_hz"] == 25


def test_daydreamers_replay_finds_all_sound_episodes_whole(log, tmp_path, steps, capsys):
    out = tmp_path / "replay"
    assert run_export(Export(log, "daydreamer", out)) == 0
    assert "2 episodes left out" in capsys.readouterr().out
    found = {}
    for path in out.iterdir():
        time, key, length, reward = path.stem.split("-")  # as its store takes names apart
        with np.load(path) as data:
            arrays = dict(data)
        assert len(time) == 15 and len(key) == 32
        assert int(length.removeprefix("len")) == len(arrays["is_first"])
        total = int(reward.removeprefix("rew").replace("m", "-"))
        assert total == int(arrays["reward"].sum())
        found[path.name] = arrays
    sound = [of(steps, *place) for place in (("one", 0), ("one", 2), ("longer", 0))]
    assert len(found) == 3  # episodes with an invalid step stay out
    for mine in sound:
        arrays = [a for a in found.values() if same(a["joint_pos"], stacked(mine, "joint_pos"))][0]
        assert set(arrays) == {*OBSERVED, "action", "reward", "reset", *FLAGS}
        kept = (*OBSERVED, "reward", *FLAGS)
        assert all(same(arrays[key], stacked(mine, key)) for key in kept)
        assert same(arrays["action"][1:], stacked(mine, "action")[:-1])  # what led to a record
        assert not arrays["action"][0].any() and same(arrays["reset"], arrays["is_first"])


def test_what_daydreamers_replay_was_given_can_be_imported_again(tmp_path, steps, read):
    from launch.importing.run import run_import

    plain(steps, tmp_path / "plain")
    run_export(Export(tmp_path / "plain", "daydreamer", tmp_path / "replay"))
    assert run_import([tmp_path / "replay"], tmp_path / "back", None, (), 25.0, "rig") == 0
    back = read(next((tmp_path / "back").rglob("*.mcap")).parent)
    for key in ("joint_pos", "action", "reward", "is_first", "is_last", "is_terminal"):
        assert same(stacked(back, key), stacked(of(steps, "one", 0), key))


def plain(steps: list[Transition], folder: Path) -> None:
    """A log of one sound episode with the kinds of arrays that DayDreamer knows."""
    from dataclasses import replace

    from robot.wire.log import LogWriter

    kept = ("joint_pos", "action", "applied", "reward", *FLAGS)
    writer = LogWriter(folder, "robot", {})
    for step in of(steps, "one", 0):
        bare = replace(step, arrays={key: step.arrays[key] for key in kept})
        writer.append_transition(bare, 0, 0)
    writer.close()


def test_minari_opens_what_it_was_given(log, tmp_path, steps, monkeypatch):
    minari = pytest.importorskip("minari")
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    out = Path("rig")  # as people name it: relative
    assert run_export(Export(log, "minari", out)) == 0
    data = minari.MinariDataset(out / "data")
    assert (data.id, data.total_episodes) == ("rig-v0", 5)
    episodes = {len(e.rewards): e for e in data.iterate_episodes()}
    mine = of(steps, "one", 2)
    found = episodes[5]
    for key in ("joint_pos", "strange", "image_front", "grid", "mask"):
        assert same(np.ascontiguousarray(found.observations[key]), stacked(mine, key))
    assert same(np.ascontiguousarray(found.actions), stacked(mine, "action")[:-1])
    np.testing.assert_array_equal(found.rewards, stacked(mine, "reward")[1:])
    assert found.truncations.tolist() == [False] * 4 + [True]
