"""Actions of agents become those of environments."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from robot.config import ConfigError
from sim.actions import make_actions


def test_minus_one_and_one_stand_for_the_bounds() -> None:
    low, high = np.array([-2.0, 0.0]), np.array([2.0, 10.0])
    actions = make_actions(gym.spaces.Box(low, high, dtype=np.float64))
    for action, expected in (((-1, -1), low), ((1, 1), high), ((0, 0.5), (0, 7.5))):
        given = actions.undo(np.array(action, np.float32))
        assert given.tolist() == list(expected) and given.dtype == np.float64


def test_shape_and_type_are_those_of_the_space() -> None:
    space = gym.spaces.Box(-3.0, 3.0, (2, 2), np.float32)
    actions = make_actions(space)
    assert actions.spec.shape == (4,)
    assert space.contains(actions.undo(np.full(4, 0.3, np.float32)))


def test_actions_are_clipped() -> None:
    actions = make_actions(gym.spaces.Box(-3.0, 3.0, (2,), np.float32))
    sound = actions.sound(np.array([-1.5, 0.5], np.float32))
    actions.spec.check("action", sound)
    assert sound.tolist() == [-1.0, 0.5]


def test_a_choice_is_the_number_of_its_one() -> None:
    actions = make_actions(gym.spaces.Discrete(3, start=-1))
    assert actions.spec.is_discrete and actions.spec.shape == (3,)
    assert [actions.undo(row) for row in np.eye(3, dtype=np.float32)] == [-1, 0, 1]
    sound = actions.sound(np.array([0.2, 0.1, 0.7], np.float32))
    actions.spec.check("action", sound)
    assert sound.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "space",
    [
        gym.spaces.Box(-np.inf, np.inf, (2,), np.float32),
        gym.spaces.MultiDiscrete([2, 2]),
        gym.spaces.Box(0, 255, (2,), np.uint8),
    ],
)
def test_other_actions_are_refused(space: gym.Space) -> None:
    with pytest.raises(ConfigError, match="allowed is Discrete, or a Box with finite bounds"):
        make_actions(space)
