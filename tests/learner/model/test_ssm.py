"""The RSSM's rivals: what each may remember, against steps taken by hand."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from learner.model.latents import Gaussians
from learner.model.nets import Style, uniform_average
from learner.model.rssm import RSSM, ZeroStart, stack
from learner.model.ssm import SSM, Means, Sampled

STYLE = Style(torch.relu, uniform_average)


def ssm() -> SSM:
    return SSM(action=2, embed=5, units=8, latents=Gaussians(3), style=STYLE)


def rnn() -> RSSM:
    return RSSM(2, 5, 6, 8, Means(3), STYLE, ZeroStart())


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_features_of_the_ssm_are_the_sample_alone():
    model = ssm()
    state, post = model.observe_step(
        model.initial(4), drawn(4, 2), drawn(4, 5), torch.full((4, 3), 0.5)
    )
    assert model.feat_width == 3 and state.feat is state.stoch
    assert torch.equal(state.stoch, post[..., 0]), "the middle of the noise draws the mean"
    assert isinstance(stack([state, state]), Sampled)
    assert isinstance(state.detach()[torch.tensor([0])], Sampled)


def test_the_ssm_s_prior_is_what_was_foretold_from_sample_and_action():
    model = ssm()
    before = Sampled(drawn(4, 6), drawn(4, 3))
    after = model.imagine_step(before, drawn(4, 2), torch.full((4, 3), 0.5))
    hidden = model.prior_layer(torch.cat([before.stoch, drawn(4, 2)], -1))
    mean, raw = model.prior_out(hidden).chunk(2, -1)
    prior = model.prior(after.deter)
    np.testing.assert_allclose(prior[..., 0].detach(), mean.detach(), atol=1e-6)
    by_hand = torch.log1p(raw.exp()) + 0.1
    np.testing.assert_allclose(prior[..., 1].detach(), by_hand.detach(), atol=1e-6)


def test_the_ssm_remembers_nothing_but_its_sample():
    model, noise = ssm(), torch.rand(4, 3)
    state, same_sample = (Sampled(drawn(4, 6) * k, drawn(4, 3)) for k in (1.0, -5.0))
    one, other = (
        model.observe_step(s, drawn(4, 2), drawn(4, 5), noise) for s in (state, same_sample)
    )
    assert torch.equal(one[1], other[1]) and torch.equal(one[0].deter, other[0].deter)


def test_the_ssm_s_posterior_reads_prior_and_observation():
    model, noise = ssm(), torch.full((1, 3), 0.5)
    start = model.initial(1)
    action, embed = drawn(1, 2).requires_grad_(), drawn(1, 5).requires_grad_()
    _, post = model.observe_step(start, action, embed, noise)
    to_action, to_embed = torch.autograd.grad(post.sum(), (action, embed))
    assert to_action.abs().sum() > 0 and to_embed.abs().sum() > 0


def test_the_deterministic_rival_draws_the_mean_whatever_the_noise():
    model = rnn()
    states = [
        model.imagine_step(model.initial(4), drawn(4, 2), torch.full((4, 3), u)) for u in (0.1, 0.9)
    ]
    assert torch.equal(states[0].stoch, states[1].stoch)
    assert torch.equal(states[0].stoch, model.prior(states[0].deter)[..., 0])


def test_a_mean_carries_gradients():
    dist = drawn(4, 3, 2).requires_grad_()
    Means(3).sample(dist, torch.rand(4, 3)).sum().backward()
    assert dist.grad is not None
    assert dist.grad[..., 0].eq(1).all() and dist.grad[..., 1].eq(0).all()
