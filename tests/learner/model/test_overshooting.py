"""Latent overshooting against rollouts by hand, divergences of torch and masks drawn on paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence

from learner.model.cells import ResetFirstGRU
from learner.model.latents import Gaussians
from learner.model.nets import Style, uniform_average
from learner.model.objectives import FreeNats
from learner.model.overshooting import LatentOvershooting
from learner.model.rssm import RSSM, State, ZeroStart
from learner.model.ssm import SSM
from learner.model.world_model import Posterior, WorldModel

ROWS, LENGTH, ACTION, STOCH = 2, 6, 2, 3
STYLE = Style(torch.relu, uniform_average)
Batch = dict[str, Tensor]


class Embed(nn.Module):
    """What was seen, as it is."""

    width = 4

    def forward(self, observation: Batch) -> Tensor:
        """(B, T, 4)."""
        return observation["seen"]


def build(dynamics: RSSM | SSM) -> WorldModel:
    unused = nn.Identity()
    model = WorldModel(Embed(), dynamics, unused, unused, unused, FreeNats(3.0))
    for weight in model.parameters():
        nn.init.normal_(weight, 0, 0.7)
    return model


@pytest.fixture(params=["rssm", "ssm"])
def model(request: pytest.FixtureRequest) -> WorldModel:
    """A model with weights far from their start, so that divergences are not small."""
    torch.manual_seed(0)
    latents = Gaussians(STOCH)
    if request.param == "ssm":
        return build(SSM(ACTION, 4, 8, latents, STYLE))
    return build(RSSM(ACTION, 4, 5, 8, latents, STYLE, ZeroStart(), cell=ResetFirstGRU))


@pytest.fixture
def batch() -> Batch:
    """Two rows; an episode starts at step 3 of the second."""
    first = torch.zeros(ROWS, LENGTH, dtype=torch.bool)
    first[:, 0] = first[1, 3] = True
    noise = torch.Generator().manual_seed(1)
    shapes = {"seen": 4, "action": ACTION}
    made = {k: torch.randn(ROWS, LENGTH, w, generator=noise) for k, w in shapes.items()}
    return {**made, "is_first": first}


def watch(model: WorldModel, batch: Batch) -> Posterior:
    torch.manual_seed(2)
    return model.observe(batch)


def divergence(post: Tensor, prior: Tensor) -> Tensor:
    """The same by torch.distributions, in float64."""
    one, other = (Normal(d[..., 0].double(), d[..., 1].double()) for d in (post, prior))
    return kl_divergence(Independent(one, 1), Independent(other, 1))


def test_one_step_ahead_is_the_ordinary_divergence_with_a_fixed_posterior(
    model: WorldModel, batch: Batch
):
    watched = watch(model, batch)
    excess, exists = LatentOvershooting(2, free=1.0).divergences(model, watched, batch)
    prior = model.dynamics.prior(watched.states.deter)
    plain = (divergence(watched.post.detach(), prior)[:, 1:] - 1).clamp(min=0)
    inside = ~batch["is_first"][:, 1:]
    np.testing.assert_allclose(
        excess[:, :-1, 0][inside].detach(), plain[inside].detach(), rtol=1e-4
    )
    assert torch.equal(exists[:, :-1, 0].bool(), inside) and plain[inside].gt(0).any()


def test_pairs_beyond_the_chunk_or_an_episode_do_not_exist(model: WorldModel, batch: Batch):
    watched = watch(model, batch)
    excess, exists = LatentOvershooting(8, 0.0).divergences(model, watched, batch)
    drawn = [
        [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]],
        [[1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]],
    ]
    assert exists[:, :5, :5].tolist() == drawn
    assert not exists[:, 5].any() and not exists[..., 5:].any()
    assert not excess[~exists.bool()].any() and excess[exists.bool()].gt(0).all()


def test_a_distance_of_three_is_three_steps_without_looking(
    model: WorldModel, batch: Batch, monkeypatch: pytest.MonkeyPatch
):
    watched = watch(model, batch)
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.full(shape, 0.3))
    excess, _ = LatentOvershooting(3, 0.0).divergences(model, watched, batch)
    for t in (0, 2):
        state = State(*(part[:1, t] for part in watched.states))
        for action in batch["action"][:1, t : t + 3].unbind(1):
            state = model.dynamics.imagine_step(state, action, torch.full((1, STOCH), 0.3))
        by_hand = divergence(watched.post[:1, t + 3], model.dynamics.prior(state.deter))
        assert excess[0, t, 2].item() == pytest.approx(by_hand.item(), rel=1e-4)


def test_the_loss_is_the_mean_over_pairs_averaged_over_distances_from_two_on(
    model: WorldModel, batch: Batch
):
    watched, part = watch(model, batch), LatentOvershooting(4, 0.5, scale=2.0)
    torch.manual_seed(3)
    excess, exists = part.divergences(model, watched, batch)
    by_hand = [excess[..., d][exists[..., d].bool()].mean().item() for d in (1, 2, 3)]
    torch.manual_seed(3)
    loss = part(model, watched, batch)["overshooting"]
    assert loss.shape == (ROWS, LENGTH)
    assert loss.mean().item() == pytest.approx(2 * np.mean(by_hand), rel=1e-5)


def test_a_chunk_too_short_to_look_ahead_costs_nothing(model: WorldModel, batch: Batch):
    short = {k: v[:, :2] for k, v in batch.items()}
    loss = LatentOvershooting(3, 0.0)(model, watch(model, short), short)["overshooting"]
    assert loss.eq(0).all()


def test_targets_get_no_gradient_and_priors_and_starts_do(model: WorldModel, batch: Batch):
    watched = watch(model, batch)
    leaves = Posterior(
        type(watched.states)(*(p.detach().requires_grad_() for p in watched.states)),
        watched.post.detach().requires_grad_(),
    )
    loss = LatentOvershooting(3, 0.0)(model, leaves, batch)["overshooting"].sum()
    wanted = (leaves.post, leaves.states.stoch, *model.dynamics.parameters())  # type: ignore[attr-defined]
    grads = torch.autograd.grad(loss, wanted, allow_unused=True)
    assert grads[0] is None, "targets"
    assert grads[1].abs().sum() > 0, "starts"
    named = dict(zip((n for n, _ in model.dynamics.named_parameters()), grads[2:], strict=True))  # type: ignore[attr-defined]
    for name, grad in named.items():
        assert (grad is None) == name.startswith("post"), name


def test_no_gradient_below_the_free_nats(model: WorldModel, batch: Batch):
    loss = LatentOvershooting(3, 1e9)(model, watch(model, batch), batch)["overshooting"].sum()
    grads = torch.autograd.grad(loss, tuple(model.parameters()), allow_unused=True)
    assert loss.item() == 0 and all(g is None or not g.any() for g in grads)


def test_a_distance_below_two_is_refused():
    with pytest.raises(ValueError, match="distance 1: allowed is 2 or more"):
        LatentOvershooting(1, 3.0)
