"""What a model foretells, held against linear systems whose error is known at every step."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learner.model.latents import Gaussians
from learner.model.objectives import FreeNats
from learner.model.open_loop import (
    Foretold,
    foretell,
    open_loop_errors,
    reconstruction_errors,
)
from learner.model.rssm import State
from learner.model.world_model import WorldModel

ROWS, LENGTH, CONTEXT = 5, 12, 4
HORIZON = LENGTH - CONTEXT


class Linear(nn.Module):
    """x' = growth x + action, seen as it is; dreams add `noise` times a normal to every step."""

    action = feat_width = 2

    def __init__(self, growth: float, noise: float = 0.0) -> None:
        super().__init__()
        self.growth, self.noise, self.latents = growth, noise, Gaussians(2)

    def initial(self, batch: int) -> State:
        return State(torch.zeros(batch, 0), torch.zeros(batch, 2))

    def prior(self, deter: Tensor) -> Tensor:
        return torch.zeros(*deter.shape[:-1], 2, 2)

    def observe_step(self, state: State, action: Tensor, embed: Tensor, noise: Tensor):
        return State(state.deter, embed), torch.zeros(len(embed), 2, 2)

    def imagine_step(self, state: State, action: Tensor, noise: Tensor) -> State:
        chance = self.noise * torch.special.ndtri(noise.clamp(1e-6, 1 - 1e-6))
        return State(state.deter, self.growth * state.stoch + action + chance)


class Wrong(nn.Module):
    """Decodes positions `off` too high."""

    def __init__(self, off: float) -> None:
        super().__init__()
        self.off = off

    def forward(self, feat: Tensor) -> dict[str, Tensor]:
        return {"position": feat + self.off}


class Twice(nn.Module):
    """Foretells twice the first entry as the reward."""

    def forward(self, feat: Tensor) -> Tensor:
        return 2 * feat[..., 0]


def model(growth: float, off: float = 0.0, noise: float = 0.0) -> WorldModel:
    encoder = lambda batch: batch["position"]  # noqa: E731
    parts = Linear(growth, noise), Wrong(off), Twice(), nn.Identity()
    return WorldModel(encoder, *parts, FreeNats(0.0))  # type: ignore[arg-type]


def lived(growth: float, seed: int = 0) -> dict[str, np.ndarray]:
    """Chunks of a world that grows so, step by step."""
    rng = np.random.default_rng(seed)
    position = np.zeros((ROWS, LENGTH, 2))
    action = rng.normal(size=(ROWS, LENGTH, 2))
    position[:, 0] = rng.normal(size=(ROWS, 2))
    for t in range(LENGTH - 1):
        position[:, t + 1] = growth * position[:, t] + action[:, t]
    is_first = np.zeros((ROWS, LENGTH), bool)
    is_first[:, 0] = True
    return {
        "position": position,
        "action": action,
        "reward": 2 * position[..., 0],
        "is_first": is_first,
    }


def told(world: dict[str, np.ndarray], by: WorldModel, futures: int = 1) -> Foretold:
    batch = {k: torch.as_tensor(v) for k, v in world.items()}
    batch |= {k: v.float() for k, v in batch.items() if v.is_floating_point()}
    return foretell(by, batch, CONTEXT, futures)


def dreamt(world: dict[str, np.ndarray], growth: float) -> np.ndarray:
    """Where a believer in `growth` thinks that the world goes after the context, (B, H, 2)."""
    there = np.zeros((ROWS, HORIZON, 2))
    for b in range(ROWS):
        now = world["position"][b, CONTEXT - 1]
        for k in range(HORIZON):
            now = growth * now + world["action"][b, CONTEXT - 1 + k]
            there[b, k] = now
    return there


def shares(world: dict[str, np.ndarray], guess: np.ndarray) -> list[float]:
    """Errors of a guess (B, H, 2) at each step, over those of the mean of all that was lived."""
    mean = world["position"].reshape(-1, 2).mean(0)
    found = []
    for k in range(HORIZON):
        miss = spread = 0.0
        for b in range(ROWS):
            truth = world["position"][b, CONTEXT + k]
            miss += ((guess[b, k] - truth) ** 2).sum()
            spread += ((mean - truth) ** 2).sum()
        found.append(miss / spread)
    return found


def test_who_knows_the_world_foretells_it_without_error() -> None:
    errors = open_loop_errors(told(lived(0.9), model(0.9)))
    assert errors.keys() == {"position", "reward"}
    for found in errors.values():
        np.testing.assert_allclose(found.foretold, 0, atol=1e-9)
        np.testing.assert_allclose(found.seen, 0, atol=1e-12)
        assert (found.persistence > 0.01).all()


def test_errors_of_a_wrong_model_are_those_worked_out_step_by_step() -> None:
    world = lived(0.9)
    found = open_loop_errors(told(world, model(0.5, off=0.1)))["position"]
    guess = dreamt(world, 0.5) + 0.1
    stays = np.repeat(world["position"][:, CONTEXT - 1 : CONTEXT], HORIZON, 1)
    seen = world["position"][:, CONTEXT:] + 0.1
    np.testing.assert_allclose(found.foretold, shares(world, guess), rtol=1e-5)
    np.testing.assert_allclose(found.persistence, shares(world, stays), rtol=1e-5)
    np.testing.assert_allclose(found.seen, shares(world, seen), rtol=1e-4)
    miss = guess - world["position"][:, CONTEXT:]
    np.testing.assert_allclose(found.rms, np.sqrt((miss**2).mean((0, 2))), rtol=1e-5)


def test_without_actions_a_wrong_growth_misses_by_a_difference_of_powers() -> None:
    world = lived(0.9)
    world["action"][:] = 0
    start = np.array([2.0, -1.0])
    world["position"][:] = start * 0.9 ** np.arange(LENGTH)[:, None]
    found = open_loop_errors(told(world, model(0.5)))["position"]
    ahead = np.arange(1, HORIZON + 1)
    at = np.linalg.norm(start) * 0.9 ** (CONTEXT - 1)
    expected = at * np.abs(0.9**ahead - 0.5**ahead) / math.sqrt(2)
    np.testing.assert_allclose(found.rms, expected, rtol=1e-5)


def test_the_mean_itself_scores_one_at_every_step() -> None:
    found = told(lived(0.9), model(0.9))
    mean = found.truth["position"].mean((0, 1)).expand(ROWS, 1, HORIZON, 2)
    guessed = replace(found, futures={**found.futures, "position": mean})
    errors = open_loop_errors(guessed)["position"]
    np.testing.assert_allclose(errors.foretold, 1, rtol=1e-5)


def test_the_mean_of_many_dreams_misses_less_than_one_of_them() -> None:
    world = lived(0.9)
    one, many = (
        open_loop_errors(told(world, model(0.9, noise=0.5), futures))["position"].rms
        for futures in (1, 400)
    )
    # A walk's deviation after k steps, and of the mean of 400 of them a twentieth.
    k = np.arange(1, HORIZON + 1)
    walk = 0.5 * np.sqrt((1 - 0.81**k) / (1 - 0.81))
    assert (many < 0.25 * walk).all() and 0.5 < (one / walk).mean() < 1.5


def test_what_comes_after_an_episodes_end_is_not_held_against_the_model() -> None:
    world = lived(0.9)
    cut = CONTEXT + 3
    world["is_first"][0, cut] = True
    world["position"][0, cut:] = 50.0  # the next episode begins elsewhere
    found = told(world, model(0.9))
    assert found.live[0].tolist() == [True] * 3 + [False] * (HORIZON - 3)
    assert bool(found.live[1:].all())
    np.testing.assert_allclose(open_loop_errors(found)["position"].foretold, 0, atol=1e-9)


def test_an_episode_that_begins_in_the_context_is_foretold_from_there() -> None:
    world = lived(0.9)
    world["is_first"][:, CONTEXT - 1] = True
    found = told(world, model(0.9))
    assert bool(found.live.all())
    np.testing.assert_allclose(open_loop_errors(found)["position"].foretold, 0, atol=1e-9)


def test_nothing_is_told_of_what_never_varies_or_never_goes_on() -> None:
    world = lived(0.9)
    world["is_first"][:, CONTEXT + 2] = True
    world["reward"][:] = 0.3
    errors = open_loop_errors(told(world, model(0.9)))
    assert np.isnan(errors["reward"].foretold).all()
    assert np.isfinite(errors["position"].foretold).tolist() == [True] * 2 + [False] * (HORIZON - 2)
    assert math.isnan(reconstruction_errors(told(world, model(0.9)))["reward"])


def test_reconstruction_counts_every_step() -> None:
    world = lived(0.9)
    found = reconstruction_errors(told(world, model(0.9, off=0.3)))["position"]
    assert found == pytest.approx(0.3**2 / world["position"].var((0, 1)).mean(), rel=1e-4)


class Grey(nn.Module):
    """Decodes every state as a grey picture."""

    def forward(self, feat: Tensor) -> dict[str, Tensor]:
        return {"image": torch.full((*feat.shape[:-1], 64, 64, 3), 0.5)}


def test_pictures_are_told_in_shares_of_white() -> None:
    grey = model(0.9)
    grey.decoder = Grey()
    world = lived(0.9)
    picture = np.zeros((ROWS, LENGTH, 64, 64, 3), np.uint8)
    picture[1::2] = 51
    batch = {k: torch.as_tensor(v) for k, v in world.items()} | {"image": torch.as_tensor(picture)}
    found = foretell(grey, batch, CONTEXT, 2)
    assert found.futures["image"].shape == (ROWS, 2, HORIZON, 64, 64, 3)
    # Two pictures are 0.2 bright and three are black: misses of 0.3 and 0.5, around a mean of 0.08.
    miss, spread = (2 * 0.09 + 3 * 0.25) / 5, (2 * 0.12**2 + 3 * 0.08**2) / 5
    errors = open_loop_errors(found)["image"]
    np.testing.assert_allclose(errors.foretold, miss / spread, rtol=1e-4)
    np.testing.assert_allclose(errors.persistence, 0, atol=1e-9)


@pytest.mark.parametrize("context", [0, LENGTH])
def test_a_context_must_leave_something_to_see_and_to_foretell(context: int) -> None:
    batch = {k: torch.as_tensor(v).float() for k, v in lived(0.9).items()}
    with pytest.raises(ValueError, match=f"context {context}: allowed is 1 to 11"):
        foretell(model(0.9), batch, context, 1)
