"""Who acts in which phase, what a robot is told of it, and what is kept from the model."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learner.behaviour.explorer import Explorer, Phase, RandomPlay, WithheldWhileExploring
from learner.behaviour.noise import ModeNoise, Noise, SeededNoise
from learner.model.rssm import State
from learner.model.world_model import WorldModel
from robot.wire.spec import box, discrete

NO_MODEL = cast(Any, None)
STATE = State(torch.zeros(1, 2), torch.zeros(1, 3))


class Always(nn.Module):
    """Does the same whatever happens."""

    def __init__(self, action: float) -> None:
        super().__init__()
        self.action = nn.Parameter(torch.full((1, 1), action))

    def act(self, model: WorldModel, state: State, noise: Noise) -> Tensor:
        return self.action

    def parts(self, model: WorldModel) -> dict[str, nn.Module]:
        return {"actor": self}


class Fitted(nn.Module):
    """A head that multiplies, with a squared error."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(2.0))

    def forward(self, feat: Tensor) -> Tensor:
        return self.slope * feat.sum(-1)

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        return (self(feat) - target).square()


def acted(behaviour: Explorer, noise: Noise) -> float:
    return float(behaviour.act(NO_MODEL, STATE, noise).detach())


@pytest.mark.parametrize(
    ("steps", "trying", "showing"),
    [(0, 1.0, 2.0), (99, 1.0, 2.0), (100, 2.0, 2.0), (1000, 2.0, 2.0)],
)
def test_the_explorer_collects_until_its_steps_are_over_and_never_shows(
    steps: int, trying: float, showing: float
):
    phase = Phase(100)
    behaviour = Explorer(Always(1.0), Always(2.0), phase)
    phase.count(steps)
    assert acted(behaviour, SeededNoise(0)) == trying
    assert acted(behaviour, ModeNoise(0)) == showing


def test_without_steps_of_exploration_the_task_collects_at_once():
    assert acted(Explorer(Always(1.0), Always(2.0), Phase(0)), SeededNoise(0)) == 2.0


def test_fewer_than_no_steps_are_refused():
    with pytest.raises(ValueError, match="steps -1: allowed is a number from 0"):
        Phase(-1)


def test_a_robot_is_told_the_phase_with_the_weights():
    learner = Explorer(Always(1.0), Always(2.0), Phase(100))
    robot = Explorer(Always(0.0), Always(0.0), Phase(100))
    for steps, trying in ((50, 1.0), (150, 2.0)):
        learner.phase.count(steps)
        for name, part in learner.parts(NO_MODEL).items():
            told = {key: value.float() for key, value in part.state_dict().items()}
            robot.parts(NO_MODEL)[name].load_state_dict(told)
        assert acted(robot, SeededNoise(0)) == trying


def test_the_phase_is_part_of_what_is_saved():
    saved, other = Phase(100), Phase(100)
    saved.count(100)
    other.load_state_dict(saved.state_dict())
    assert not other.exploring


def test_a_withheld_head_teaches_features_only_after_exploration():
    phase = Phase(10)
    head = WithheldWhileExploring(Fitted(), phase)
    told = []
    for steps in (9, 10):
        phase.count(steps)
        feat = torch.ones(2, 3, 4, requires_grad=True)
        loss = head.loss(feat, torch.zeros(2, 3))
        head.zero_grad()
        loss.sum().backward()
        told.append(feat.grad)
        assert loss.shape == (2, 3) and head.part.slope.grad.abs() > 0  # type: ignore[union-attr]
    assert told[0] is None and told[1] is not None
    # d (2 * 4 - 0)^2 / d feat = 2 * 8 * 2
    assert torch.equal(told[1], torch.full((2, 3, 4), 32.0))


def test_a_withheld_head_lets_gradients_of_what_it_foretells_pass():
    feat = torch.ones(4, requires_grad=True)
    WithheldWhileExploring(Fitted(), Phase(10))(feat).backward()
    assert feat.grad is not None and torch.equal(feat.grad, torch.full((4,), 2.0))


def test_random_play_is_uniform_in_every_dimension():
    play, noise = RandomPlay(box(-1.0, 1.0, (2,))), SeededNoise(0)
    drawn = torch.cat([play.act(NO_MODEL, STATE, noise) for _ in range(4000)]).numpy()
    assert drawn.shape == (4000, 2) and np.abs(drawn).max() <= 1
    for dimension in drawn.T:
        share = np.sort((dimension + 1) / 2)
        assert np.abs(share - np.arange(4000) / 4000).max() < 0.03  # Kolmogorov's bound at 0.1%


def test_random_play_chooses_everything_alike_often():
    play, noise = RandomPlay(discrete(4)), SeededNoise(0)
    drawn = torch.cat([play.act(NO_MODEL, STATE, noise) for _ in range(4000)]).numpy()
    assert set(np.unique(drawn)) == {0.0, 1.0} and (drawn.sum(1) == 1).all()
    assert ((drawn.sum(0) - 1000) ** 2 / 1000).sum() < 16.3  # chi-squared, 3 degrees, 0.1%


def test_random_play_needs_nothing_of_the_learner():
    assert RandomPlay(discrete(4)).parts(NO_MODEL) == {}
