"""Time in the world model: what each state has seen, restarts, and dreams."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from learner.agent import Agent
from learner.model.rssm import RSSM, State
from learner.model.world_model import WorldModel, prev_actions

Batch = dict[str, Tensor]
LENGTH = 6


@pytest.fixture(params=["reverie", "daydreamer"])
def agent(request: pytest.FixtureRequest, tiny: Callable[..., Agent]) -> Agent:
    """A tiny agent whose heads and norms have numbers of their own."""
    built = tiny(request.param)
    for weight in built.model.parameters():
        weight.data += 0.2 * torch.randn_like(weight)
    return built


@pytest.fixture
def seen(agent: Agent, batch: Callable, as_tensors: Callable) -> Batch:
    return as_tensors(batch(agent, length=LENGTH))


def observe(model: WorldModel, batch: Batch, seed: int = 0, **more: object) -> State:
    torch.manual_seed(seed)
    return model.observe(batch, **more).states  # type: ignore[arg-type]


def part(batch: Batch, steps: slice) -> Batch:
    return {k: v[:, steps] for k, v in batch.items()}


def at(state: State, t: int) -> State:
    return State(state.deter[:, t], state.stoch[:, t])


def same(a: State, b: State) -> bool:
    return torch.equal(a.deter, b.deter) and torch.equal(a.stoch, b.stoch)


def close(a: State, b: State) -> bool:
    return bool((a.deter - b.deter).abs().max() < 1e-5) and torch.equal(a.stoch, b.stoch)


def test_previous_actions_of_two_episodes_in_one_chunk():
    action = torch.tensor([[[1.0], [2.0], [3.0], [4.0], [5.0]]])
    first = torch.tensor([[True, False, False, True, False]])
    assert prev_actions(action, first).flatten().tolist() == [0, 1, 2, 0, 4]


def test_the_action_before_a_chunk_counts_unless_an_episode_starts():
    action = torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])
    first = torch.tensor([[False, False], [True, False]])
    before = torch.tensor([[8.0], [9.0]])
    got = prev_actions(action, first, before)
    assert got.flatten().tolist() == [8, 1, 0, 3]
    assert action.flatten().tolist() == [1, 2, 3, 4], "the batch itself stays as it was"


def test_watching_a_chunk_is_taking_its_steps_one_by_one(agent: Agent, seen: Batch):
    model = agent.model
    whole = observe(model, seen)
    torch.manual_seed(0)
    noise = torch.rand(LENGTH, 4, model.dynamics.latents.stoch)
    state, action = model.dynamics.initial(4), torch.zeros(4, 12)
    for t in range(LENGTH):
        embed = model.encoder({k: v[:, t] for k, v in seen.items()})
        first = torch.full((4, 1), t == 0)
        state, _ = model.step(state, action, embed, first, noise[t])
        action = seen["action"][:, t]
        assert close(at(whole, t), state)


def test_a_chunk_is_gone_on_with_from_its_last_state_and_action(agent: Agent, seen: Batch):
    whole = observe(agent.model, seen)
    head = observe(agent.model, part(seen, slice(0, 3)))
    torch.manual_seed(0)
    torch.rand(3, 4, agent.model.dynamics.latents.stoch)  # what the first half drew
    before = seen["action"][:, 2]
    tail = agent.model.observe(part(seen, slice(3, None)), at(head, 2), before).states
    assert close(at(whole, 5), at(tail, 2))


def test_a_restart_in_mid_chunk_makes_two_sequences_of_it(agent: Agent, seen: Batch):
    seen["is_first"][:, 3] = True
    whole = observe(agent.model, seen)
    first = observe(agent.model, part(seen, slice(0, 3)))
    torch.manual_seed(0)
    torch.rand(3, 4, agent.model.dynamics.latents.stoch)
    second = agent.model.observe(part(seen, slice(3, None))).states
    assert close(at(whole, 2), at(first, 2)) and close(at(whole, 3), at(second, 0))
    assert close(at(whole, 5), at(second, 2))


@pytest.mark.parametrize("bad", [5.0, float("nan"), float("inf")])
def test_nothing_before_a_restart_matters_not_even_what_is_not_finite(agent: Agent, bad: float):
    model, embed = agent.model, torch.randn(2, agent.model.encoder.width)
    noise, action = torch.rand(2, model.dynamics.latents.stoch), torch.full((2, 12), bad)
    first = torch.tensor([[True], [True]])
    clean = model.dynamics.initial(2)
    dirty = State(torch.full_like(clean.deter, bad), torch.full_like(clean.stoch, bad))
    expected, _ = model.step(clean, torch.zeros(2, 12), embed, first, noise)
    got, _ = model.step(dirty, action, embed, first, noise)
    assert same(got, expected)


def test_only_rows_that_restart_forget(agent: Agent):
    model, embed = agent.model, torch.randn(2, agent.model.encoder.width)
    noise, action = torch.rand(2, model.dynamics.latents.stoch), torch.randn(2, 12)
    clean = model.dynamics.initial(2)
    other = State(clean.deter + 1, clean.stoch)
    first = torch.tensor([[True], [False]])
    a, _ = model.step(clean, action, embed, first, noise)
    b, _ = model.step(other, action, embed, first, noise)
    assert torch.equal(a.deter[0], b.deter[0]) and not torch.equal(a.deter[1], b.deter[1])


def test_no_state_has_seen_the_future(agent: Agent, seen: Batch):
    key = "joint_pos"
    for t in range(LENGTH - 1):
        watched = {**seen, key: seen[key].clone().requires_grad_()}
        torch.manual_seed(0)
        posterior = agent.model.observe(watched)
        total = posterior.states.feat[:, : t + 1].sum() + posterior.post[:, : t + 1, :, 0].sum()
        (grad,) = torch.autograd.grad(total, watched[key])
        assert grad[:, t + 1 :].eq(0).all()
        assert grad[:, t].ne(0).any(), "the present must count"


def test_an_action_leads_to_the_next_state(agent: Agent, seen: Batch):
    before = observe(agent.model, seen)
    changed = {**seen, "action": seen["action"].clone()}
    changed["action"][:, 2] += 1
    after = observe(agent.model, changed)
    assert all(same(at(before, t), at(after, t)) for t in range(3))
    assert not torch.equal(before.deter[:, 3], after.deter[:, 3])


def dream(model: WorldModel, actions: Tensor, seed: int = 0):
    """Dream with a policy that takes recorded actions (H+1, N, A)."""
    torch.manual_seed(seed)
    horizon, count = len(actions) - 1, actions.shape[1]
    noise = torch.rand(horizon, count, model.dynamics.latents.stoch)
    start = State(torch.randn(count, 16), model.dynamics.initial(count).stoch)
    return model.imagine(start, lambda _, action: action, (noise, actions)), start, noise


def test_a_dream_is_a_rollout_of_the_prior(agent: Agent):
    model, actions = agent.model, torch.randn(5, 3, 12)
    rssm = model.dynamics
    assert isinstance(rssm, RSSM)
    dreamt, start, noise = dream(model, actions)
    assert dreamt.states.deter.shape == (3, 5, 16) and dreamt.actions.shape == (3, 5, 12)
    assert same(at(dreamt.states, 0), start)
    state = start
    for t in range(4):
        deter = rssm.recall(state, actions[t])
        state = State(deter, rssm.latents.sample(rssm.prior(deter), noise[t]))
        assert same(at(dreamt.states, t + 1), state)
    np.testing.assert_array_equal(dreamt.actions.transpose(0, 1), actions)
    unrolled = model.unroll(start, actions[:4].transpose(0, 1), noise)
    assert all(same(unrolled.at(t), at(dreamt.states, t + 1)) for t in range(4))


@pytest.mark.parametrize("t", range(4))
def test_a_dreamt_action_leads_to_the_next_state(agent: Agent, t: int):
    actions = torch.randn(5, 3, 12)
    before, *_ = dream(agent.model, actions)
    actions[t] += 1
    after, *_ = dream(agent.model, actions)
    assert all(same(at(before.states, i), at(after.states, i)) for i in range(t + 1))
    assert not torch.equal(before.states.deter[:, t + 1], after.states.deter[:, t + 1])


def test_the_last_action_of_a_dream_leads_nowhere(agent: Agent):
    actions = torch.randn(5, 3, 12)
    before, *_ = dream(agent.model, actions)
    actions[4] += 1
    after, *_ = dream(agent.model, actions)
    assert same(before.states, after.states)


def test_every_loss_is_given_per_step(agent: Agent, seen: Batch):
    losses, states = agent.model.losses(seen)
    assert all(loss.shape == (4, LENGTH) for loss in losses.values())
    assert states.deter.shape == (4, LENGTH, 16)
    assert {"vector", "reward", "continue"} < set(losses)


def test_the_continue_target_is_the_terminal_flag_and_not_the_end(
    tiny: Callable[..., Agent], batch: Callable, as_tensors: Callable
):
    agent = tiny("daydreamer")
    seen = as_tensors(batch(agent))
    torch.manual_seed(0)
    plain, _ = agent.model.losses(seen)
    seen["is_last"][:, 3] = True
    torch.manual_seed(0)
    ended, _ = agent.model.losses(seen)
    assert torch.equal(plain["continue"], ended["continue"])
    seen["is_terminal"][:, 3] = True
    torch.manual_seed(0)
    died, _ = agent.model.losses(seen)
    p = torch.exp(-plain["continue"][:, 3]).detach()
    np.testing.assert_allclose(died["continue"][:, 3].detach(), -torch.log1p(-p), rtol=1e-4)
