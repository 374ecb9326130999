"""Checkpoints come back as they were saved, or are refused."""

from __future__ import annotations

import errno
import json
import logging
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from learner.train import checkpoint
from learner.train.checkpoint import Checkpoints
from robot.config import ConfigError

VICTIM = Path(__file__).with_name("checkpoint_victim.py")
ROOT = Path(__file__).parents[3]


def tensors(value: float = 1.0) -> dict[str, torch.Tensor]:
    return {"model.w": torch.full((3, 4), value), "model.b": torch.full((4,), -value)}


def saved(folder: Path, steps: int = 2, **options) -> Checkpoints:
    checkpoints = Checkpoints(folder, **options)
    for step in range(1, steps + 1):
        checkpoints.save(step * 100, tensors(step), {"step": step})
    return checkpoints


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path: Path):
    given = {
        "float": torch.randn(5, 7, generator=torch.Generator().manual_seed(0)),
        "half": torch.tensor([1.5, -0.0, float("inf"), float("nan")], dtype=torch.bfloat16),
        "count": torch.tensor(2**62),
        "mask": torch.tensor([True, False]),
        "bytes": torch.arange(256, dtype=torch.uint8),
        "none": torch.zeros(0, 3),
    }
    state = {"rng": {"state": 2**127 + 1, "inc": 3}, "list": [1, 2.5, None, "x"], "ok": True}
    Checkpoints(tmp_path).save(42, given, state)
    step, found, found_state = Checkpoints(tmp_path).load() or pytest.fail("nothing found")
    assert (step, found_state) == (42, state)
    assert found.keys() == given.keys()
    for name, tensor in given.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape
        flat = [t.contiguous().flatten().view(torch.uint8).tolist() for t in (found[name], tensor)]
        assert flat[0] == flat[1]


def test_shared_strided_and_learnt_tensors_are_saved_as_their_own_copies(tmp_path: Path):
    whole = torch.arange(12.0).reshape(3, 4).requires_grad_()
    given = {"whole": whole, "row": whole[1], "turned": whole.T, "spread": whole[0].expand(3, 4)}
    Checkpoints(tmp_path).save(0, given, {})
    _, found, _ = Checkpoints(tmp_path).load() or pytest.fail("nothing found")
    assert found.keys() == given.keys()
    for name, tensor in given.items():
        assert torch.equal(found[name], tensor) and not found[name].requires_grad


def test_an_empty_or_missing_folder_holds_nothing_and_is_not_made(tmp_path: Path):
    assert Checkpoints(tmp_path).load() is None
    assert Checkpoints(tmp_path / "no" / "run").load() is None
    assert names(tmp_path) == []


def test_the_newest_save_is_loaded_even_when_its_step_is_lower(tmp_path: Path):
    checkpoints = Checkpoints(tmp_path)
    for step in (900, 1000, 500):
        checkpoints.save(step, tensors(), {})
    found = Checkpoints(tmp_path).load()
    assert found and found[0] == 500


def test_the_same_step_may_be_saved_again(tmp_path: Path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(7, tensors(1), {})
    checkpoints.save(7, tensors(2), {})
    found = checkpoints.load()
    assert found and torch.equal(found[1]["model.w"], tensors(2)["model.w"])


def test_the_newest_are_kept_and_latest_names_the_last(tmp_path: Path):
    saved(tmp_path, steps=5, keep=3)
    wanted = ["000003-step-300", "000004-step-400", "000005-step-500"]
    assert names(tmp_path) == [*wanted, "latest"]
    assert (tmp_path / "latest").read_text() == wanted[-1] + "\n"
    assert names(tmp_path / wanted[0]) == ["done", "manifest.json", "state.json"] + [
        "tensors.safetensors"
    ]


def test_the_manifest_names_files_versions_and_configuration(tmp_path: Path):
    path = Checkpoints(tmp_path, configuration={"system": "reverie"}).save(3, tensors(), {})
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["step"] == 3
    assert manifest["configuration"] == {"system": "reverie"}
    assert manifest["tensors"] == ["model.b", "model.w"]
    assert set(manifest["files"]) == {"state.json", "tensors.safetensors"}
    assert manifest["versions"]["torch"] == version("torch")  # torch.__version__ may say +cu130


def damage(path: Path, how: str) -> None:
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x80
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["missing", "cut", "empty", "flipped"])
@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json", "manifest.json", "done"])
def test_a_corrupt_newest_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, name: str, how: str, caplog: pytest.LogCaptureFixture
):
    saved(tmp_path, configuration={"a": 1})
    damage(tmp_path / "000002-step-200" / name, how)
    with caplog.at_level(logging.WARNING):
        found = Checkpoints(tmp_path, configuration={"a": 1}).load()
    assert found and found[0] == 100 and found[2] == {"step": 1}
    assert torch.equal(found[1]["model.w"], tensors(1)["model.w"])
    unfinished = (name, how) == ("done", "missing")
    assert ("000002-step-200 is corrupt" in caplog.text) != unfinished


def test_files_of_another_checkpoint_are_not_taken_for_this_one(tmp_path: Path):
    saved(tmp_path)
    old, new = (tmp_path / n / "tensors.safetensors" for n in names(tmp_path)[:2])
    new.write_bytes(old.read_bytes())
    found = Checkpoints(tmp_path).load()
    assert found and found[0] == 100


def test_when_all_are_corrupt_nothing_is_started_anew_silently(tmp_path: Path):
    saved(tmp_path)
    for path in tmp_path.glob("*-step-*"):
        damage(path / "state.json", "cut")
    with pytest.raises(ConfigError, match="none of 2 checkpoints can be loaded"):
        Checkpoints(tmp_path).load()


def test_a_corrupt_checkpoint_is_neither_counted_nor_removed(tmp_path: Path):
    saved(tmp_path)
    damage(tmp_path / "000002-step-200" / "state.json", "cut")
    checkpoints = Checkpoints(tmp_path, keep=2)
    checkpoints.load()
    checkpoints.save(150, tensors(), {})
    wanted = ["000001-step-100", "000002-step-200", "000003-step-150", "latest"]
    assert names(tmp_path) == wanted
    found = Checkpoints(tmp_path).load()
    assert found and found[0] == 150


@pytest.mark.parametrize(
    ("here", "said"),
    [
        ({"system": "reverie", "model": {"deter": 256}}, 'system is "daydreamer" there'),
        ({"system": "daydreamer", "model": {"deter": 512}}, "model.deter is 256 there and 512"),
        ({"system": "daydreamer", "model": {}}, "model.deter is 256 there and null here"),
    ],
)
def test_a_folder_of_another_configuration_is_refused_untouched(
    tmp_path: Path, here: dict, said: str
):
    saved(tmp_path, configuration={"system": "daydreamer", "model": {"deter": 256}})
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    with pytest.raises(ConfigError, match=said) as refusal:
        Checkpoints(tmp_path, configuration=here)
    assert "\n" not in str(refusal.value)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_an_equal_configuration_is_continued_and_none_reads_any(tmp_path: Path):
    saved(tmp_path, configuration={"sizes": (1, 2), "lr": 3e-4})
    assert Checkpoints(tmp_path, configuration={"lr": 3e-4, "sizes": [1, 2]}).load()
    assert Checkpoints(tmp_path).load()


def test_a_later_format_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "FORMAT", 2)
        saved(tmp_path, steps=1)
    with pytest.raises(ConfigError, match="format 2; this version reads 1"):
        Checkpoints(tmp_path).load()


def test_bad_names_values_and_state_are_refused_and_nothing_is_written(tmp_path: Path):
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(TypeError, match="'lr'.*got float; allowed is a tensor"):
        checkpoints.save(1, {"lr": 0.1}, {})  # type: ignore[dict-item]
    for name in ("", "__metadata__"):
        with pytest.raises(ValueError, match="is not allowed"):
            checkpoints.save(1, {name: torch.zeros(1)}, {})
    with pytest.raises(TypeError, match="not JSON serializable"):
        checkpoints.save(1, tensors(), {"rng": torch.zeros(1)})
    with pytest.raises(ValueError, match="step -1"):
        checkpoints.save(-1, tensors(), {})
    with pytest.raises(ValueError, match="keep 0"):
        Checkpoints(tmp_path, keep=0)
    assert names(tmp_path) == []


def test_a_full_disk_leaves_the_older_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    checkpoints = saved(tmp_path)
    before = names(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            checkpoints.save(300, tensors(3), {})
    assert names(tmp_path) == before
    checkpoints.save(300, tensors(3), {})
    found = checkpoints.load()
    assert found and found[0] == 300


def test_leftovers_of_a_kill_are_ignored_and_cleared_by_the_next_save(tmp_path: Path):
    checkpoints = saved(tmp_path)
    (tmp_path / ".saving").mkdir()
    (tmp_path / ".saving" / "tensors.safetensors").write_bytes(b"half")
    (tmp_path / ".latest").write_text("")
    (tmp_path / "000002-step-200" / "done").unlink()
    found = checkpoints.load()
    assert found and found[0] == 100
    checkpoints.save(300, tensors(3), {})
    assert names(tmp_path) == ["000001-step-100", "000002-step-300", "latest"]


@pytest.mark.slow
def test_a_kill_at_any_moment_of_a_save_leaves_a_loadable_checkpoint(tmp_path: Path):
    points, timed = 70, 40
    command = [sys.executable, str(VICTIM), str(tmp_path / "run"), str(points), str(timed)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == points + timed
    assert "corrupt" not in done.stderr
    for line in lines:
        assert line["same"] and line["state"] == {"step": line["loaded"]}
        # What was reported as saved is there; at most the save under way is, beyond it.
        assert line["whole"] <= line["loaded"] <= line["whole"] + 1
    at_points = [line["killed"] for line in lines[:points]]
    assert at_points.count(9) > 20 and at_points[-1] == 0  # past the last operation it lived
    assert all(line["killed"] == 9 for line in lines[points:])
