"""The replay against a slow list of what it was given."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from learner.train.replay import Replay
from learner.train.sampling import EpisodeChunks, RecentMixture, UniformChunks
from robot.wire.spec import RobotSpec, Spec, box, image
from robot.wire.transition import Transition

SPEC = RobotSpec({"vector": box(-9e9, 9e9, (3,)), "camera": image(4, 5)}, box(-1, 1, (2,)), 20.0)


def step(
    index: int, run: str = "run", length: int = 10, valid: bool = True, **changes: Any
) -> Transition:
    """Step `index` of a stream of episodes of `length` steps; its arrays say which step it is."""
    place = index % length
    arrays = {
        "vector": np.array([index, index // length, place], np.float32),
        "camera": np.full((4, 5, 3), index % 256, np.uint8),
        "action": np.array([index, -index], np.float32),
        "applied": np.array([index, -index], np.float32),
        "reward": np.array(index / 2, np.float32),
        "is_first": np.array(place == 0),
        "is_last": np.array(place == length - 1),
        "is_terminal": np.array(False),
    }
    arrays |= changes
    return Transition("a1", run, index, index // length, place, 0, valid, arrays)


def filled(steps: Iterable[Transition], capacity: int = 100, sampler: Any = None, seed: int = 0):
    replay = Replay(SPEC, capacity, sampler or UniformChunks(), seed)
    for one in steps:
        replay.add(one)
    return replay


def starts(replay: Replay, length: int, batches: int = 50) -> list[int]:
    """Index of the first step of many chunks, after checking that each chunk is unbroken."""
    found = []
    for _ in range(batches):
        index = replay.sample(16, length)["vector"][..., 0]
        np.testing.assert_array_equal(np.diff(index, axis=1), 1)
        found += index[:, 0].astype(int).tolist()
    return found


def assert_equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_a_chunk_holds_what_was_added_step_by_step():
    chunk = filled(step(i) for i in range(60)).sample(8, 7)
    assert chunk.keys() == {"vector", "camera", "action", "reward", "is_first", "is_last"} | {
        "is_terminal"
    }
    for row in range(8):
        for t, index in enumerate(chunk["vector"][row, :, 0].astype(int)):
            given = step(index).arrays
            for key in chunk.keys() - {"is_first"}:
                np.testing.assert_array_equal(chunk[key][row, t], given[key])


def test_types_are_uint8_images_float32_numbers_and_bool_flags():
    chunk = filled(step(i) for i in range(60)).sample(8, 7)
    types = {key: value.dtype for key, value in chunk.items()}
    assert types["camera"] == np.uint8
    assert chunk["camera"].shape == (8, 7, 4, 5, 3)
    assert types["vector"] == types["action"] == types["reward"] == np.float32
    assert types["is_first"] == types["is_last"] == types["is_terminal"] == np.bool_


def test_float64_is_kept_as_float32_and_a_discrete_action_as_an_integer():
    wide = Spec(gym.spaces.Box(-1, 1, (2,), np.float64))
    spec = RobotSpec({"x": wide}, Spec(gym.spaces.Discrete(4)), 20.0)
    replay = Replay(spec, 10, UniformChunks(), 0)
    for i in range(5):
        replay.add(step(i, x=np.full(2, 0.1), action=np.array(3)))
    chunk = replay.sample(2, 3)
    assert chunk["x"].dtype == np.float32
    assert chunk["action"].shape == (2, 3)
    assert chunk["action"].dtype == np.int64
    assert (chunk["action"] == 3).all()


def test_only_the_keys_asked_for_are_kept():
    replay = Replay(SPEC, 50, UniformChunks(), 0, keys=["vector"])
    for i in range(20):
        replay.add(step(i))
    assert "camera" not in replay.sample(2, 4)
    assert replay.bytes_bound < Replay(SPEC, 50, UniformChunks(), 0).bytes_bound - 50 * 59


def test_an_unknown_key_is_refused_with_what_the_robot_senses():
    with pytest.raises(ValueError, match="unknown key 'lidar'; the robot senses vector, camera"):
        Replay(SPEC, 50, UniformChunks(), 0, keys=["lidar"])


@pytest.mark.parametrize("sampler", [UniformChunks(), RecentMixture(0.5, 20), EpisodeChunks()])
def test_the_first_step_of_every_chunk_is_first(sampler: Any):
    chunk = filled((step(i) for i in range(60)), sampler=sampler).sample(64, 4)
    assert chunk["is_first"][:, 0].all()


@pytest.mark.parametrize("sampler", [UniformChunks(), RecentMixture(0.5, 20), EpisodeChunks()])
def test_a_chunk_enters_another_episode_only_where_is_first_says_so(sampler: Any):
    replay = filled((step(i) for i in range(90)), capacity=70, sampler=sampler)
    for _ in range(30):
        chunk = replay.sample(16, 8)
        crossed = np.diff(chunk["vector"][..., 1], axis=1) != 0
        np.testing.assert_array_equal(crossed, chunk["is_first"][:, 1:])


def test_sampling_does_not_change_what_is_stored():
    replay = filled((step(i) for i in range(60)), sampler=EpisodeChunks(prioritise_ends=False))
    for _ in range(20):
        replay.sample(16, 4)["vector"][:] = -1
    firsts = replay.sample(64, 10)["is_first"]
    np.testing.assert_array_equal(firsts, np.tile(np.arange(10) == 0, (64, 1)))
    starts(replay, 4)


def test_a_new_episode_without_is_first_is_never_joined_to_the_one_before():
    steps = [step(i, is_first=np.array(False)) for i in range(40)]
    assert {s // 10 for s in starts(filled(steps), 5)} == {0, 1, 2, 3}
    assert max(s % 10 for s in starts(filled(steps), 5)) == 5


def test_the_oldest_step_is_forgotten_first():
    replay = Replay(SPEC, 30, UniformChunks(), 0)
    for i in range(95):
        replay.add(step(i))
        if i >= 3:
            oldest = max(0, i - 29)
            seen = starts(replay, 4, 20)
            assert oldest <= min(seen) and max(seen) <= i - 3
    assert len(replay) == 30 and replay.added == 95
    assert set(starts(replay, 4, 60)) == set(range(65, 92))


def test_a_window_whose_first_step_was_overwritten_is_gone():
    replay = filled((step(i) for i in range(12)), capacity=6)
    assert set(starts(replay, 6)) == {6}
    assert not replay.ready(7)


def test_all_windows_of_all_streams_are_drawn_equally_often():
    streams = [[step(i + 1000 * s, f"run{s}") for i in range(n)] for s, n in enumerate((30, 12, 5))]
    mixed = [s for i in range(30) for stream in streams for s in stream[i : i + 1]]
    length, draws = 4, 400
    counts = np.bincount(starts(filled(mixed), length, draws), minlength=2002)
    windows = [s * 1000 + i for s, n in enumerate((30, 12, 5)) for i in range(n - length + 1)]
    assert set(np.flatnonzero(counts)) == set(windows)
    expected = draws * 16 / len(windows)
    chi2 = ((counts[windows] - expected) ** 2 / expected).sum()
    assert chi2 < 75  # 38 degrees of freedom: p below .001 above 70.7


def test_interleaved_streams_are_evicted_in_order_of_arrival():
    mixed = [step(i + 1000 * s, f"run{s}") for i in range(40) for s in range(2)]
    seen = starts(filled(mixed, capacity=21), 5, 100)
    assert set(seen) == set(range(30, 36)) | set(range(1029, 1036))


def test_random_histories_agree_with_a_plain_list():
    rng = np.random.default_rng(5)
    for trial in range(30):
        capacity, length = int(rng.integers(1, 40)), int(rng.integers(1, 6))
        replay = Replay(SPEC, capacity, UniformChunks(), trial)
        stored: list[tuple[int, int]] = []  # (stream, index), oldest first
        clock = [1000 * s for s in range(4)]
        for _ in range(int(rng.integers(5, 150))):
            s = int(rng.choice(4, p=[0.6, 0.2, 0.15, 0.05]))
            clock[s] += 1 + int(rng.random() < 0.05)  # sometimes one is missing
            valid = bool(rng.random() > 0.1)
            replay.add(step(clock[s], f"run{s}", valid=valid))
            stored = [*stored, (s, clock[s])][-capacity:] if valid else stored
        held = set(stored)
        wanted = {i for s, i in held if all((s, i + t) in held for t in range(length))}
        assert replay.ready(length) == bool(wanted)
        if wanted:
            assert set(starts(replay, length, 60)) == wanted


def test_no_chunk_contains_an_invalid_step():
    bad = {17, 18, 40}
    replay = filled(step(i, valid=i not in bad) for i in range(60))
    seen = set(starts(replay, 5, 100))
    assert seen == {s for s in range(56) if not bad & set(range(s, s + 5))}
    assert len(replay) == 57 and replay.added == 60


def test_invalid_steps_need_no_arrays_beyond_the_flags():
    replay = filled([])
    replay.add(Transition("a1", "run", 0, 0, 0, 0, False, {}))
    replay.add(step(1))
    assert len(replay) == 1


def test_windows_between_many_gaps_are_still_found():
    replay = filled((step(i, valid=i % 3 != 2 or i == 500) for i in range(999)), capacity=700)
    assert set(starts(replay, 4)) == {498, 499}


def test_steps_that_are_not_new_are_refused():
    replay = filled(step(i) for i in range(5))
    with pytest.raises(ValueError, match="index 4 of robot a1, run run: must be above 4"):
        replay.add(step(4))
    assert len(replay) == replay.added == 5


def test_a_wrong_shape_or_a_missing_array_is_refused_and_changes_nothing():
    replay = filled(step(i) for i in range(5))
    with pytest.raises(ValueError, match=r"vector: got shape \(1,\); allowed is \(3,\)"):
        replay.add(step(5, vector=np.zeros(1, np.float32)))
    lacking = step(5)
    del lacking.arrays["camera"]  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="transition 5 lacks camera"):
        replay.add(lacking)
    replay.add(step(5))
    assert set(starts(replay, 6)) == {0}


def test_asking_too_early_is_one_clear_line():
    replay = filled(step(i) for i in range(5))
    assert not replay.ready(6)
    with pytest.raises(ValueError, match=r"no chunk of 6 steps yet \(5 steps in 1 streams\)"):
        replay.sample(2, 6)
    with pytest.raises(ValueError, match="batch 0, length 4: both must be 1 or more"):
        replay.sample(0, 4)
    with pytest.raises(ValueError, match="capacity 0"):
        Replay(SPEC, 0, UniformChunks(), 0)


@pytest.mark.parametrize("sampler", [UniformChunks(), RecentMixture(0.5, 20), EpisodeChunks()])
def test_equal_seeds_and_steps_give_equal_chunks(sampler: Any):
    def history(seed: int) -> list[dict[str, np.ndarray]]:
        replay = filled((step(i) for i in range(40)), sampler=sampler, seed=seed)
        chunks = [replay.sample(8, 5) for _ in range(3)]
        for i in range(40, 80):
            replay.add(step(i))
        return [*chunks, replay.sample(8, 5)]

    for a, b in zip(history(3), history(3), strict=True):
        assert_equal(a, b)
    assert not np.array_equal(history(3)[0]["vector"], history(4)[0]["vector"])


@pytest.mark.parametrize("sampler", [UniformChunks(), RecentMixture(0.5, 20), EpisodeChunks()])
def test_a_restored_replay_goes_on_with_the_same_chunks(sampler: Any):
    log = [step(i, f"run{i % 2}", valid=i % 17 != 3) for i in range(150)]
    replay = filled(log, capacity=60, sampler=sampler)
    replay.sample(8, 1)
    saved = json.loads(json.dumps(replay.state()))
    restored = filled(log, capacity=60, sampler=sampler, seed=99)
    restored.restore(saved)
    for _ in range(3):
        assert_equal(replay.sample(8, 1), restored.sample(8, 1))


def test_the_memory_bound_is_what_the_arrays_take_and_never_grows():
    replay = Replay(SPEC, 1000, UniformChunks(), 0)
    bound = replay.bytes_bound
    per_step = 3 * 4 + 4 * 5 * 3 + 2 * 4 + 4 + 3  # vector, camera, action, reward, flags
    assert 1000 * per_step < bound < 1000 * (per_step + 64)
    for i in range(3000):
        replay.add(step(i, f"run{i // 7}", length=3))  # many short streams and episodes
    replay.sample(4, 2)
    assert replay.bytes_bound == bound and len(replay) == 1000
    assert len(replay._windows._numbered) <= 1000
    assert max(replay._windows._numbered) < 1000
