"""Spaces of environments become specs, and observations arrays that fit them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from robot.config import ConfigError
from sim.observations import Observations

LARGEST = np.finfo(np.float32).max


def shown(space: gym.Space, value: Any) -> dict[str, np.ndarray]:
    """What is seen of a value, checked against the spec."""
    observations = Observations(space)
    seen = observations(value)
    assert seen.keys() == observations.spec.keys()
    for key, spec in observations.spec.items():
        spec.check(key, seen[key])
    return seen


def test_a_vector_is_float32_with_centre_and_scale_from_its_bounds() -> None:
    space = gym.spaces.Box(np.array([-1.0, 0.0]), np.array([3.0, 10.0]), dtype=np.float64)
    seen = shown(space, np.array([0.5, 20.0]))
    assert seen["vector"].tolist() == [0.5, 10.0]
    spec = Observations(space).spec["vector"]
    assert spec.centre.tolist() == [1.0, 5.0] and spec.scale.tolist() == [2.0, 5.0]


def test_bounds_that_say_nothing_leave_the_numbers_as_they_are() -> None:
    low, high = np.array([-np.inf, -LARGEST, -2.0]), np.array([np.inf, LARGEST, 2.0])
    space = gym.spaces.Box(low, high, dtype=np.float32)
    assert shown(space, np.array([1e9, -5.0, 7.0]))["vector"].tolist() == [1e9, -5.0, 2.0]
    spec = Observations(space).spec["vector"]
    assert spec.centre.tolist() == [0, 0, 0] and spec.scale.tolist() == [1, 1, 2]


def test_a_number_and_a_small_matrix_are_vectors() -> None:
    number = gym.spaces.Box(-np.inf, np.inf, (), np.float64)
    matrix = gym.spaces.Box(-1.0, 1.0, (8, 2), np.float32)
    assert shown(number, np.float64(0.25))["vector"].tolist() == [0.25]
    values = np.linspace(-1, 1, 16, dtype=np.float32).reshape(8, 2)
    assert (shown(matrix, values)["vector"] == values.reshape(-1)).all()


@pytest.mark.parametrize(
    ("space", "value", "expected"),
    [
        (gym.spaces.Discrete(3, start=5), 6, [0, 1, 0]),
        (gym.spaces.MultiDiscrete([2, 3]), np.array([1, 0]), [0, 1, 1, 0, 0]),
        (gym.spaces.MultiBinary(3), np.array([1, 0, 1], np.int8), [1, 0, 1]),
    ],
)
def test_choices_are_zeros_and_ones(space: gym.Space, value: Any, expected: list[int]) -> None:
    assert shown(space, value)["vector"].tolist() == expected


def test_a_picture_of_the_right_size_is_left_as_it_is() -> None:
    space = gym.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    picture = space.sample()
    assert (shown(space, picture)["image"] == picture).all()


def test_other_pictures_are_averaged_to_64_by_64() -> None:
    space = gym.spaces.Box(0, 255, (128, 128), np.uint8)
    picture = np.random.default_rng(0).integers(0, 256, (128, 128), np.uint8)
    means = picture.reshape(64, 2, 64, 2).astype(float).mean((1, 3))
    seen = shown(space, picture)["image"]
    assert seen.shape == (64, 64, 1)
    assert np.abs(seen[..., 0] - means).max() <= 0.5
    many = gym.spaces.Box(0, 255, (32, 96, 12), np.uint8)
    assert shown(many, many.sample())["image"].shape == (64, 64, 12)


def test_depths_become_bytes_between_their_bounds() -> None:
    space = gym.spaces.Box(0.0, 4.0, (64, 64), np.float32)
    depth = np.full((64, 64), 1.0, np.float32)
    depth[0, :3] = (0.0, 4.0, 9.0)
    seen = shown(space, depth)["image"]
    assert seen.shape == (64, 64, 1) and seen[0, :4, 0].tolist() == [0, 255, 255, 64]
    with pytest.raises(ConfigError, match="needs finite bounds"):
        Observations(gym.spaces.Box(0.0, np.inf, (64, 64, 1), np.float32))


def test_mixtures_keep_their_keys() -> None:
    space = gym.spaces.Dict(
        camera=gym.spaces.Box(0, 255, (64, 64, 3), np.uint8),
        body=gym.spaces.Dict(pos=gym.spaces.Box(-1.0, 1.0, (2,)), gripper=gym.spaces.Discrete(2)),
    )
    value = space.sample()
    seen = shown(space, value)
    assert set(seen) == {"camera", "body/pos", "body/gripper"}
    assert (seen["body/pos"] == value["body"]["pos"]).all()


@pytest.mark.parametrize(
    ("space", "named"),
    [
        (gym.spaces.Text(5), "is a Text; allowed is Box"),
        (gym.spaces.Dict(a=gym.spaces.Tuple((gym.spaces.Discrete(2),))), "'a': is a Tuple"),
        (gym.spaces.Dict(reward=gym.spaces.Discrete(2)), "'reward': this name is taken"),
    ],
)
def test_what_has_no_place_in_a_spec_is_refused(space: gym.Space, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Observations(space)


def test_a_number_that_is_not_finite_is_refused() -> None:
    observations = Observations(gym.spaces.Dict(pos=gym.spaces.Box(-np.inf, np.inf, (2,))))
    with pytest.raises(ValueError, match="'pos' is not finite"):
        observations({"pos": np.array([0.0, np.nan], np.float32)})
