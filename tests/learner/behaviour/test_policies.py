"""Actors of every kind of action: how random they start, how random they may be."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from learner.behaviour.actor import NormalActor, Spread
from learner.behaviour.policies import (
    OneHotActor,
    TanhNormalActor,
    TruncatedNormalActor,
    make_actor,
)
from learner.model.nets import Hidden
from learner.model.plain import dense_style
from robot.wire.spec import Spec, box, discrete

HIDDEN = Hidden(16, 1, dense_style(F.elu))
FEAT = torch.zeros(2, 5)
EVEN = Spread(0.1, 2.1, mean_scale=1.0, unimix=0.08)


@pytest.mark.parametrize(
    ("action", "vector", "expected"),
    [
        (discrete(4), NormalActor, OneHotActor),
        (discrete(4), TanhNormalActor, OneHotActor),
        (box(-1, 1, (4,)), NormalActor, NormalActor),
        (box(-1, 1, (4,)), TruncatedNormalActor, TruncatedNormalActor),
    ],
)
def test_the_actor_fits_the_action(action: Spec, vector: Any, expected: type[nn.Module]):
    actor = make_actor(action, 5, HIDDEN, EVEN, vector)
    assert type(actor) is expected
    assert actor(FEAT).sample(torch.randn(2, 4)).shape == (2, 4)
    assert actor(FEAT).log_prob(torch.eye(4)[:2]).shape == (2,)


def test_a_share_of_the_choices_is_uniform():
    actor = OneHotActor(5, 4, HIDDEN, EVEN)
    with torch.no_grad():
        assert actor.out.bias is not None
        actor.out.bias.copy_(torch.tensor([1e4, 0.0, -1e4, 3.0]))
    probs = actor(FEAT).log_probs.detach().exp()[0]
    np.testing.assert_allclose(probs, [0.94, 0.02, 0.02, 0.02], rtol=1e-5)


def test_a_choice_without_unimix_is_a_softmax():
    actor = OneHotActor(5, 3, HIDDEN, Spread(0.1, mean_scale=1.0))
    with torch.no_grad():
        assert actor.out.bias is not None
        actor.out.bias.copy_(torch.log(torch.tensor([0.5, 0.3, 0.2])))
    np.testing.assert_allclose(actor(FEAT).log_probs.detach().exp()[0], [0.5, 0.3, 0.2], rtol=1e-5)
    assert actor.entropy_bounds() == (0.0, math.log(3))


def test_the_actor_of_dreamer_starts_at_a_deviation_of_five():
    offset = math.log(math.expm1(5))
    policy = TanhNormalActor(5, 3, HIDDEN, Spread(1e-4, std_offset=offset, mean_scale=1.0))(FEAT)
    np.testing.assert_allclose(policy.std.detach(), np.full((2, 3), 5.0001), rtol=1e-5)
    drawn = policy.sample(torch.randn(10_000, 1, 3))
    assert float((drawn.abs() > 0.99).float().mean()) > 0.5  # P(|N(0, 5)| > 2.65) is 0.6


def test_the_mean_of_dreamer_is_bound_by_five():
    actor = TanhNormalActor(5, 1, HIDDEN, Spread(1e-4, mean_scale=1.0))
    with torch.no_grad():
        assert actor.mean.bias is not None
        actor.mean.bias.fill_(8.0)
    assert actor(FEAT).mean.flatten().tolist() == pytest.approx([5 * math.tanh(1.6)] * 2)


def test_the_actor_of_dreamer_v2_starts_in_the_middle_of_its_range():
    policy = TruncatedNormalActor(5, 3, HIDDEN, Spread(0.1, 2.1, mean_scale=1.0))(FEAT)
    np.testing.assert_allclose(policy.std.detach(), np.full((2, 3), 1.1), rtol=1e-6)
    assert policy.mean.detach().abs().max() < 1


@pytest.mark.parametrize("size", [-1e3, 1e3])
def test_a_cut_policy_stays_finite_when_it_is_sure(size: float):
    actor = TruncatedNormalActor(5, 2, HIDDEN, Spread(0.1, 2.1, mean_scale=1.0))
    with torch.no_grad():
        for part in (actor.mean, actor.std):
            assert part.bias is not None
            part.bias.fill_(size)
    policy = actor(FEAT)
    drawn = policy.sample(torch.randn(2, 2))
    score = policy.log_prob(drawn.detach()).sum() + policy.entropy().sum() + drawn.sum()
    assert torch.isfinite(score)
    for grad in torch.autograd.grad(score, list(actor.parameters())):
        assert torch.isfinite(grad).all()
