"""Weights by their hash: whole, proven, each once, and thinned out."""

import errno
import hashlib
import os

import numpy as np
import pytest

from robot.wire.weights import Weights, WeightsError
from robot.wire.weights_store import WeightsStore


def weights(version: int) -> Weights:
    return Weights({"a": np.full(100, version, np.float32)}, version, "spec")


@pytest.fixture
def store(tmp_path) -> WeightsStore:
    return WeightsStore(tmp_path / "weights")


def fill(store: WeightsStore, count: int) -> list[str]:
    """Weights 0, 1, ...; each a second younger than the one before."""
    hashes = []
    for version in range(count):
        made = weights(version)
        path = store.put(made.to_bytes())
        os.utime(path, (version, version))
        hashes.append(path.stem)
    return hashes


def test_weights_come_back_by_their_hash(store):
    for version, sha256 in enumerate(fill(store, 3)):
        back = store.get(sha256)
        assert back.version == version and (back.arrays["a"] == version).all()
        data = store.path(sha256).read_bytes()
        assert data == weights(version).to_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256


def test_equal_weights_are_kept_once(store):
    made = weights(4)
    first = store.put(made.to_bytes())
    before = first.stat().st_mtime_ns
    assert store.put(weights(4).to_bytes()) == first
    assert first.stat().st_mtime_ns == before and len(store.kept()) == 1


def test_what_is_not_there_or_not_what_it_says_is_refused(store):
    with pytest.raises(FileNotFoundError):
        store.get("0" * 64)
    one, other = fill(store, 2)
    store.path(one).write_bytes(store.path(other).read_bytes())
    with pytest.raises(WeightsError, match="has the hash"):
        store.get(one)
    cut = store.put(b"no weights")
    with pytest.raises(WeightsError, match="not weights"):
        store.get(cut.stem)


def test_a_full_disk_leaves_nothing_behind(store, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    made = weights(1)
    with pytest.raises(OSError, match="No space left"):
        store.put(made.to_bytes())
    assert list(store.folder.iterdir()) == []


def test_pruning_thins_out_the_old_and_leaves_the_newest_and_the_first(store):
    hashes = fill(store, 20)
    size = store.path(hashes[0]).stat().st_size
    gone = store.prune(17 * size, newest=4)
    assert [hashes.index(path.stem) for path in gone] == [1, 3, 5]
    store.prune(9 * size, newest=4)
    left = [hashes.index(path.stem) for path in store.kept()]
    assert left == [0, 7, 11, 13, 15, 16, 17, 18, 19]
    store.prune(0, newest=4)
    assert [hashes.index(path.stem) for path in store.kept()] == [0, 16, 17, 18, 19]


def test_nothing_is_pruned_while_all_fit(store):
    hashes = fill(store, 5)
    assert store.prune(float("inf")) == [] == store.prune(10**6)
    assert [path.stem for path in store.kept()] == hashes
