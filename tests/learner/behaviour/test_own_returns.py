"""Returns that include a state's own reward: golden numbers, loops of floats, whose credit."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.distributions import OneHot
from learner.behaviour.gradient import Gradient, Mixed, Reinforce, Through
from learner.behaviour.normalise import FixedEntropy, Unscaled
from learner.behaviour.own_returns import OwnReturns, StartlessReturns, reach
from learner.behaviour.returns import Judged
from learner.model.rssm import State
from learner.model.world_model import Dream

REWARD, VALUE, CONT = [1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0], [0.9, 0.8, 0.7, 0.6]
GAMMA, LAM = 0.9, 0.7


def rows(*lists: list[float] | np.ndarray) -> list[Tensor]:
    return [torch.tensor(np.array(numbers)[None]) for numbers in lists]


def backwards(reward, value, discount, lam: float) -> np.ndarray:
    """R_N = v_N, R_t = r_t + d_t ((1 - lam) v_{t+1} + lam R_{t+1}), in floats."""
    carried, returns = value[-1], []
    for t in reversed(range(len(reward) - 1)):
        carried = reward[t] + discount[t] * ((1 - lam) * value[t + 1] + lam * carried)
        returns.append(carried)
    return np.array(returns[::-1])


def test_golden_numbers_of_dreamer_v2():
    judged = OwnReturns(1.0, 0.5)(*rows(REWARD, VALUE, CONT))
    np.testing.assert_allclose(judged.returns[0], [21.88, 26.40, 31.00])
    np.testing.assert_allclose(judged.weight[0], [1, 0.9, 0.72])
    np.testing.assert_allclose(judged.credit[0], [26.40, 31.00])
    np.testing.assert_allclose(judged.baseline[0], [10, 20])
    np.testing.assert_allclose(judged.credit_weight[0], [1, 0.9])
    assert judged.first == 0


def test_golden_weights():
    np.testing.assert_allclose(reach(torch.tensor([CONT]))[0], [1, 0.9, 0.72, 0.504], rtol=1e-6)


def test_dreamer_looks_at_its_dream_as_if_it_began_one_step_later():
    rng = np.random.default_rng(0)
    reward, value, cont = rng.normal(size=8), rng.normal(size=8), rng.uniform(size=8)
    judged = StartlessReturns(GAMMA, LAM)(*rows(reward, value, cont))
    expected = backwards(reward[1:], value[1:], GAMMA * cont[1:], LAM)
    np.testing.assert_allclose(judged.returns[0], expected)
    weight = [1.0]
    for c in cont[1:6]:
        weight.append(weight[-1] * GAMMA * c)
    np.testing.assert_allclose(judged.weight[0], weight)
    assert judged.first == 1 and judged.returns.shape == (1, 6)
    assert not judged.baseline.any()


def test_a_value_of_a_constant_reward_stays():
    value = 2.0 / (1 - GAMMA)
    for returns in (OwnReturns(GAMMA, LAM), StartlessReturns(GAMMA, LAM)):
        judged = returns(*rows(np.full(9, 2.0), np.full(9, value), np.ones(9)))
        np.testing.assert_allclose(judged.returns, np.full(judged.returns.shape, value))


@pytest.mark.parametrize("k", range(4))
def test_an_end_takes_the_weight_from_the_next_state_on(k: int):
    cont = torch.ones(1, 6)
    cont[0, k] = 0
    weight = OwnReturns(GAMMA, LAM)(torch.ones(1, 6), torch.ones(1, 6), cont).weight[0]
    assert (weight[: k + 1] > 0).all() and (weight[k + 1 :] == 0).all()


def test_a_terminal_start_counts_for_dreamer_v2_by_its_own_reward_alone():
    judged = OwnReturns(GAMMA, LAM)(*rows(REWARD, VALUE, [0.0, 1.0, 1.0, 1.0]))
    assert float(judged.returns[0, 0]) == REWARD[0]
    assert judged.weight[0].tolist() == [1, 0, 0]


def test_weights_carry_no_gradient():
    cont = torch.rand(2, 5, requires_grad=True)
    for returns in (OwnReturns(GAMMA, LAM), StartlessReturns(GAMMA, LAM)):
        judged = returns(torch.ones(2, 5), torch.ones(2, 5), cont)
        assert not judged.weight.requires_grad and not judged.credit_weight.requires_grad


def loss_by_hand(returns: type, w: float) -> float:
    """Loss of w in a = w s + noise, s' = s + a, r = -s^2, v = s / 2, by a loop of floats.

    The policy reads states as they are at w = 0.3: changes reach it through the dynamics alone.
    """
    noises, read, s = [0.3, -0.7, 0.1, 0.5, 0.2], [1.5], [1.5]
    for noise in noises:
        s.append(s[-1] + w * read[-1] + noise)
        read.append(read[-1] + 0.3 * read[-1] + noise)
    states = np.array(s)
    skip = 1 if returns is StartlessReturns else 0
    reward, value = -np.square(states[skip:]), states[skip:] / 2
    total = backwards(reward, value, np.full(len(reward), GAMMA), LAM)
    credit = total if skip else total[1:]
    return -float(np.mean(GAMMA ** np.arange(len(credit)) * credit))


@pytest.mark.parametrize("returns", [StartlessReturns, OwnReturns])
def test_the_gradient_through_the_dynamics_is_that_of_differences(
    returns: Callable[[float, float], StartlessReturns | OwnReturns],
):
    w = torch.tensor(0.3, dtype=torch.double, requires_grad=True)
    states = [torch.tensor([1.5], dtype=torch.double)]
    for noise in [0.3, -0.7, 0.1, 0.5, 0.2]:
        states.append(states[-1] + w * states[-1].detach() + noise)
    s = torch.stack(states, 1)
    judged = returns(GAMMA, LAM)(-s.square(), s / 2, torch.ones_like(s))
    loss = -(judged.credit_weight * judged.credit).mean()
    step = 1e-5
    ends = [loss_by_hand(returns, 0.3 + d) for d in (step, -step)]  # type: ignore[arg-type]
    assert float(loss.detach()) == pytest.approx(sum(ends) / 2, rel=1e-6)
    assert float(torch.autograd.grad(loss, w)[0]) == pytest.approx(
        (ends[0] - ends[1]) / (2 * step), rel=1e-6
    )


class Table(nn.Module):
    """A policy with its own logits for each state; a state's features say which it is."""

    action = 2

    def __init__(self, states: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.linspace(-1, 1, 2 * states).reshape(states, 2))

    def forward(self, feat: Tensor) -> OneHot:
        return OneHot(torch.log_softmax(feat @ self.logits, -1))

    def entropy_bounds(self) -> tuple[float, float]:
        return 0.0, 1.0


def behaviour_of(states: int, gradient: Gradient, entropy: float = 0.0) -> ActorCritic:
    parts = (states - 1, OwnReturns(GAMMA, 0.0), Unscaled(), FixedEntropy(entropy), gradient)
    return ActorCritic(Table(states), None, *parts)  # type: ignore[arg-type]


def dream_of(actions: Tensor) -> Dream:
    """A dream (N, H+1, 2) whose t-th state has the t-th unit vector as features."""
    count, steps = actions.shape[:2]
    return Dream(State(torch.zeros(count, steps, 0), torch.eye(steps).repeat(count, 1, 1)), actions)


@pytest.mark.parametrize("k", range(4))
def test_what_an_action_leads_to_is_its_own_credit(k: int):
    """Only arriving in state k + 1 pays: only the action taken in state k is to learn from it."""
    behaviour = behaviour_of(6, Reinforce())
    reward = torch.zeros(1, 6)
    reward[0, k + 1] = 1.0
    judged = behaviour.returns(reward, torch.zeros(1, 6), torch.ones(1, 6))
    actions = torch.eye(2)[torch.tensor([[0, 1, 0, 0, 1, 1]])]
    behaviour.actor_loss(dream_of(actions), judged).mean().backward()
    found = behaviour.actor.logits.grad  # type: ignore[union-attr]
    assert [bool(row.any()) for row in found] == [t == k for t in range(6)]  # type: ignore[union-attr]


def bandit(gradient: Gradient, baseline: float) -> Tensor:
    """Expected gradient on a bandit that pays 1 or 4, over both actions instead of samples."""
    behaviour = behaviour_of(2, gradient)
    probs = torch.softmax(behaviour.actor.logits.detach()[0], -1)  # type: ignore[union-attr]
    pay = torch.tensor([[1.0], [4.0]])
    judged = Judged(0, pay, probs[:, None], pay, torch.full((2, 1), baseline), probs[:, None])
    actions = torch.eye(2)[:, None].repeat(1, 2, 1)
    behaviour.actor_loss(dream_of(actions), judged).sum().backward()
    return behaviour.actor.logits.grad[0]  # type: ignore[union-attr, index]


@pytest.mark.parametrize("baseline", [0.0, 2.5, -3.0])
def test_reinforce_climbs_what_is_expected_whatever_the_baseline(baseline: float):
    p = float(torch.softmax(torch.linspace(-1, 1, 4)[:2], -1)[0])
    by_hand = p * (1 - p) * (1.0 - 4.0)  # d (p 1 + (1 - p) 4) / d logit_0
    np.testing.assert_allclose(bandit(Reinforce(), baseline), [-by_hand, by_hand], rtol=1e-5)


def test_a_mix_takes_its_share_of_reinforce():
    """What is credited here has no history, so that nothing flows through the dream."""
    whole, share = bandit(Reinforce(), 1.0), bandit(Mixed(0.9), 1.0)
    np.testing.assert_allclose(share, 0.9 * whole, rtol=1e-5)


@pytest.mark.parametrize(("gradient", "share"), [(Through(), 1.0), (Mixed(0.9), 0.1)])
def test_the_gradient_of_a_choice_passes_through_the_dream(gradient: Gradient, share: float):
    """The credit is what the straight-through action pays, which is odds 1 and 4 when expected."""
    behaviour = behaviour_of(2, gradient)
    policy = behaviour.actor(torch.eye(2)[:1])
    paid = policy.sample(torch.zeros(1, 2)) @ torch.tensor([[1.0], [4.0]])
    one = torch.ones(1, 1)
    judged = Judged(0, paid, one, paid, paid.detach(), one)
    actions = torch.eye(2)[1].repeat(1, 2, 1)
    behaviour.actor_loss(dream_of(actions), judged).sum().backward()
    p = float(policy.log_probs.detach().exp()[0, 0])
    by_hand = share * p * (1 - p) * (1.0 - 4.0)
    found = behaviour.actor.logits.grad[0]  # type: ignore[union-attr, index]
    np.testing.assert_allclose(found, [-by_hand, by_hand], rtol=1e-5)
