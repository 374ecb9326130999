"""Specs of vectors, pictures and choices: what they allow, and that choices travel like vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robot.policy.random import RandomPolicy
from robot.wire.codec import decode, encode
from robot.wire.log import LogReader, LogWriter
from robot.wire.spec import OneHot, RobotSpec, box, discrete, image
from robot.wire.transition import Transition


def hot(index: int, n: int = 4) -> np.ndarray:
    value = np.zeros(n, np.float32)
    value[index] = 1
    return value


def chooser(n: int = 4) -> RobotSpec:
    return RobotSpec({"vector": box(-1.0, 1.0, (2,))}, discrete(n), 10.0)


def transition(index: int, action: np.ndarray) -> Transition:
    arrays = {
        "vector": np.full(2, index / 10, np.float32),
        "action": action,
        "applied": action,
        "reward": np.array(0.5, np.float32),
        "is_first": np.array(index == 0),
        "is_last": np.array(False),
        "is_terminal": np.array(False),
    }
    return Transition("r", "run", index, 0, index, 0, True, arrays)


def test_a_choice_is_a_one_hot_vector_of_float32() -> None:
    spec = discrete(4)
    assert (spec.shape, spec.dtype, spec.is_discrete) == ((4,), np.float32, True)
    for index in range(4):
        spec.check("action", hot(index))
    spec.check("action", np.zeros(4, np.float32))  # none, at the end of an episode


@pytest.mark.parametrize(
    "value",
    [
        np.array((1, 1, 0, 0), np.float32),
        np.array((0.5, 0.5, 0, 0), np.float32),
        np.array((-1, 0, 0, 0), np.float32),
        np.array((0, np.nan, 0, 0), np.float32),
        np.array((1, 0, 0), np.float32),
        np.array((1, 0, 0, 0), np.float64),
    ],
)
def test_anything_else_is_no_choice(value: np.ndarray) -> None:
    with pytest.raises(ValueError, match="action: "):
        discrete(4).check("action", value)


def test_there_must_be_something_to_choose() -> None:
    with pytest.raises(ValueError, match="got 0 choices"):
        discrete(0)


def test_vectors_and_pictures_are_no_choices() -> None:
    assert not box(0.0, 1.0, (4,)).is_discrete
    assert not image(64, 64).is_discrete


def test_a_choice_has_another_fingerprint_than_a_vector_of_its_bounds() -> None:
    vector = RobotSpec(chooser().observation, box(0.0, 1.0, (4,)), 10.0)
    assert len({chooser().fingerprint(), vector.fingerprint(), chooser(5).fingerprint()}) == 3
    assert OneHot(4) == OneHot(4) != OneHot(5)
    assert OneHot(4) != box(0.0, 1.0, (4,)).space


def test_the_space_draws_every_choice_by_its_seed() -> None:
    drawn = [OneHot(3, seed=0).sample() for _ in range(2)]
    assert (drawn[0] == drawn[1]).all()
    space = OneHot(3, seed=0)
    many = np.array([space.sample() for _ in range(60)])
    assert (many.sum(1) == 1).all() and (many.sum(0) > 5).all()


def test_random_choices_are_uniform_and_follow_their_seed() -> None:
    policies = [RandomPolicy(chooser(), seed) for seed in (3, 3, 4)]
    drawn = [np.array([p.act(None, {})[1] for _ in range(4000)]) for p in policies]
    assert (drawn[0] == drawn[1]).all() and (drawn[0] != drawn[2]).any()
    for action in drawn[0][:20]:
        chooser().action.check("action", action)
    # Chi-squared with 3 degrees of freedom lies below 16.3 in 999 of 1000 cases.
    counts = drawn[0].sum(0)
    assert ((counts - 1000) ** 2 / 1000).sum() < 16.3


def test_random_vectors_are_those_of_the_seed_alone() -> None:
    spec = RobotSpec({}, box(-1.0, 1.0, (3,)), 10.0)
    expected = np.random.default_rng(5).uniform(-1, 1, 3).astype(np.float32)
    assert (RandomPolicy(spec, 5).act(None, {})[1] == expected).all()


def test_choices_travel_over_the_wire_and_through_the_log(tmp_path: Path) -> None:
    sent = [transition(i, hot(i)) for i in range(3)]
    log = LogWriter(tmp_path, "robot", {})
    for step in sent:
        log.append_transition(step, 1, 1)
        back = decode(encode(step), Transition)
        assert (back.arrays["action"] == step.arrays["action"]).all()
        assert back.arrays["action"].dtype == np.float32
    log.close()
    kept = list(LogReader(tmp_path, "robot").transitions())
    assert [int(step.arrays["action"].argmax()) for step in kept] == [0, 1, 2]
