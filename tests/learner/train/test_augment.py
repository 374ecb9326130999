"""Mirroring, the shift of the reward and the choice of starts."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from learner.agent import Agent
from learner.train.augment import Mirror, PickLive, PickStarts, ShiftReward, TanhReward
from robot.config import ConfigError
from robot.wire.spec import RobotSpec

KEYS = ("gravity", "gyro", "joint_pos")


@pytest.fixture
def all_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every chunk be reflected."""
    monkeypatch.setattr(torch, "rand", lambda *shape: torch.zeros(*shape))


@pytest.fixture
def seen(tiny: Callable[..., Agent], batch: Callable, as_tensors: Callable):
    return as_tensors(batch(tiny("reverie"), rows=64, length=3))


def test_two_reflections_are_none(spec: RobotSpec, seen: dict, all_chosen: None):
    mirror = Mirror(spec.mirror, KEYS)
    once, twice = mirror(seen), mirror(mirror(seen))
    for key in (*KEYS, "action"):
        assert torch.equal(twice[key], seen[key])
        assert not torch.equal(once[key], seen[key])


def test_reward_and_flags_are_those_of_the_mirror_image(
    spec: RobotSpec, seen: dict, all_chosen: None
):
    once = Mirror(spec.mirror, KEYS)(seen)
    for key in ("reward", "is_first", "is_last", "is_terminal"):
        assert torch.equal(once[key], seen[key])


def test_left_becomes_right_in_observation_and_action_alike(
    spec: RobotSpec, seen: dict, all_chosen: None
):
    """The A1's order is FR FL RR RL, three joints each; abduction turns its sign."""
    once = Mirror(spec.mirror, KEYS)(seen)
    for key in ("joint_pos", "action"):
        legs = seen[key].numpy().reshape(64, 3, 4, 3)
        expected = legs[:, :, [1, 0, 3, 2]] * np.array([-1, 1, 1])
        np.testing.assert_array_equal(once[key].numpy().reshape(64, 3, 4, 3), expected)
    np.testing.assert_array_equal(once["gravity"], seen["gravity"].numpy() * [1, -1, 1])
    np.testing.assert_array_equal(once["gyro"], seen["gyro"].numpy() * [-1, 1, -1])


def test_about_half_of_the_chunks_are_reflected_whole(spec: RobotSpec, seen: dict):
    once = Mirror(spec.mirror, KEYS)(seen)
    changed = {k: (once[k] != seen[k]).any(-1) for k in (*KEYS, "action")}
    rows = changed["action"][:, 0]
    assert 16 < int(rows.sum()) < 48
    for key, where in changed.items():
        assert torch.equal(where, rows[:, None].expand(64, 3)), key


def test_the_batch_itself_stays_as_it_was(spec: RobotSpec, seen: dict, all_chosen: None):
    before = {k: v.clone() for k, v in seen.items()}
    Mirror(spec.mirror, KEYS)(seen)
    assert all(torch.equal(before[k], seen[k]) for k in seen)


def test_a_body_without_symmetry_is_left_alone(seen: dict):
    once = Mirror({}, KEYS)(seen)
    assert all(once[k] is seen[k] for k in seen)


def test_a_key_whose_reflection_is_unknown_is_refused(spec: RobotSpec):
    with pytest.raises(ConfigError, match="no reflection of 'image_front' is known; set mirror="):
        Mirror(spec.mirror, (*KEYS, "image_front"))


def test_the_reward_is_shifted_and_nothing_else(seen: dict):
    shifted = ShiftReward(5.0)(seen)
    np.testing.assert_allclose(shifted["reward"], seen["reward"].numpy() - 5, rtol=1e-6)
    assert all(shifted[k] is seen[k] for k in seen if k != "reward")


def test_starts_are_drawn_without_repeats():
    rows = PickStarts(6)(torch.ones(10))
    assert len(rows) == 6 == len(set(rows.tolist())) and rows.max() < 10
    assert not torch.equal(rows, PickStarts(6)(torch.ones(10)))


@pytest.mark.parametrize("count", [0, 10, 11])
def test_zero_or_enough_takes_every_start_in_order(count: int):
    assert PickStarts(count)(torch.ones(10)).tolist() == list(range(10))


def test_no_start_is_drawn_where_nothing_comes_after():
    live = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    assert PickLive(0)(live).tolist() == [0, 2, 3, 5]
    drawn = {row for _ in range(50) for row in PickLive(2)(live).tolist()}
    assert drawn == {0, 2, 3, 5}
    assert len(PickLive(2)(live)) == 2


def test_a_reward_can_be_kept_within_one(seen: dict):
    kept = TanhReward()(seen)
    np.testing.assert_allclose(kept["reward"], np.tanh(seen["reward"].numpy()), rtol=1e-6)
    assert all(kept[k] is seen[k] for k in seen if k != "reward")
