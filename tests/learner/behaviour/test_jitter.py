"""Noise upon actions: how large, how often, and none where a policy shows its best."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learner.behaviour.jitter import Jitter, Slips
from learner.behaviour.noise import ModeNoise, SeededNoise

NOTHING: Any = None


@dataclass
class Always:
    """Does one thing."""

    action: Tensor

    def act(self, model: object, state: object, noise: object) -> Tensor:
        return self.action

    def parts(self, model: object) -> dict[str, nn.Module]:
        return {"actor": nn.Identity()}


def acted(behaviour: Jitter, noise: SeededNoise, count: int) -> np.ndarray:
    return torch.cat([behaviour.act(NOTHING, NOTHING, noise) for _ in range(count)]).numpy()


def test_jitter_is_normal_about_the_action_and_clipped():
    drawn = acted(Jitter(Always(torch.tensor([[0.0, 0.9]])), 0.3), SeededNoise(0), 4000)
    assert drawn[:, 0].std() == pytest.approx(0.3, rel=0.05)
    assert drawn[:, 0].mean() == pytest.approx(0.0, abs=0.02)
    assert np.abs(drawn).max() == 1.0
    assert (drawn[:, 1] == 1.0).mean() == pytest.approx(0.37, abs=0.03)  # P(N(.9, .3) > 1)


def test_slips_are_as_frequent_as_told_and_even():
    drawn = acted(Slips(Always(torch.tensor([[0.0, 1.0, 0.0, 0.0]])), 0.4), SeededNoise(0), 4000)
    assert (drawn.sum(1) == 1).all()
    np.testing.assert_allclose(drawn.mean(0), [0.1, 0.7, 0.1, 0.1], atol=0.025)


@pytest.mark.parametrize("make", [Jitter, Slips])
def test_the_best_is_shown_without_noise(make: type[Jitter]):
    best = torch.tensor([[0.0, 1.0]])
    behaviour = make(Always(best), 0.3)
    assert torch.equal(behaviour.act(NOTHING, NOTHING, ModeNoise(0)), best)
    assert set(behaviour.parts(NOTHING)) == {"actor"}
