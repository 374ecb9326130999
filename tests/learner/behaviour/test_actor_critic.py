"""The actor's gradient on a system small enough to differentiate by hand."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from learner.behaviour.actor import Normal
from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.normalise import FixedEntropy
from learner.behaviour.returns import ArrivalReturns, Judged
from learner.model.latents import Categoricals
from learner.model.rssm import State
from learner.model.world_model import Dream, WorldModel

GAMMA, LAM, SLOPE, STD = 0.9, 0.8, 0.3, 0.5
W, BIAS, START = -0.4, 0.2, 1.5
NOISE = [0.3, -0.7, 0.1, 0.5]
STEPS = len(NOISE) - 1


class Adder(nn.Module):
    """s' = s + a."""

    latents = Categoricals(1, 2)

    def imagine_step(self, state: State, action: Tensor, noise: Tensor) -> State:
        return State(state.deter + action, state.stoch)


class Quadratic(nn.Module):
    """r = -s^2."""

    def forward(self, feat: Tensor) -> Tensor:
        return -feat[..., 0].square()


class Slope(nn.Module):
    """v = c s."""

    def forward(self, feat: Tensor) -> Tensor:
        return SLOPE * feat[..., 0]


@dataclass
class Hole:
    """c = 1 but for one state, where the episode ends."""

    at: float = float("inf")

    def __call__(self, feat: Tensor) -> Tensor:
        return ((feat[..., 0] - self.at).abs() > 1e-4).float()


class Linear(nn.Module):
    """a ~ N(w s + b, std)."""

    action = 1

    def __init__(self) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.tensor(W)), nn.Parameter(torch.tensor(BIAS))

    def forward(self, feat: Tensor) -> Normal:
        mean = self.w * feat[..., :1] + self.b
        return Normal(mean, torch.full_like(mean, STD))

    def entropy_bounds(self) -> tuple[float, float]:
        return 0.0, 1.0


class Plain(nn.Module):
    """The advantage as it is."""

    def forward(self, returns: Tensor, value: Tensor) -> Tensor:
        return returns - value


@dataclass
class World:
    """What dreaming needs of a world model."""

    dynamics: Adder
    reward: Quadratic
    cont: Hole
    imagine = WorldModel.imagine


def make(hole: float = float("inf")) -> tuple[World, ActorCritic]:
    behaviour = ActorCritic(
        Linear(),  # type: ignore[arg-type]
        Slope(),  # type: ignore[arg-type]
        STEPS,
        ArrivalReturns(GAMMA, LAM),
        Plain(),
        FixedEntropy(0.0),
    )
    return World(Adder(), Quadratic(), Hole(hole)), behaviour


def dream_of(world: World, behaviour: ActorCritic) -> Dream:
    start = State(torch.tensor([[START]]), torch.zeros(1, 0))
    noise = torch.tensor(NOISE)[:, None, None]
    return world.imagine(start, behaviour.sample, (torch.zeros(STEPS, 1, 1), noise))  # type: ignore[arg-type]


def by_hand(through_policy_input: bool) -> tuple[float, float]:
    """Gradient of the loss to w and b, in floats, by the chain rule."""
    s, ds = [START], [(0.0, 0.0)]
    for eps in NOISE[:-1]:
        action = W * s[-1] + BIAS + STD * eps
        passed = W if through_policy_input else 0.0
        d = ds[-1]
        s.append(s[-1] + action)
        ds.append((d[0] + s[-2] + passed * d[0], d[1] + 1 + passed * d[1]))
    totals = []
    for part in range(2):
        carried, grads = SLOPE * ds[STEPS][part], [0.0] * STEPS
        for t in reversed(range(STEPS)):
            reward = -2 * s[t + 1] * ds[t + 1][part]
            value = SLOPE * ds[t + 1][part]
            carried = reward + GAMMA * ((1 - LAM) * value + LAM * carried)
            grads[t] = carried
        totals.append(-sum(GAMMA**t * g for t, g in enumerate(grads)) / STEPS)
    return totals[0], totals[1]


def gradient() -> tuple[float, float]:
    world, behaviour = make()
    dream = dream_of(world, behaviour)
    judged = behaviour.judge(world, dream, torch.ones(1))  # type: ignore[arg-type]
    behaviour.actor_loss(dream, judged).mean().backward()
    actor = behaviour.actor
    return float(actor.w.grad), float(actor.b.grad)  # type: ignore[arg-type]


def test_the_actors_gradient_is_the_one_derived_by_hand():
    assert gradient() == pytest.approx(by_hand(through_policy_input=False), rel=1e-5)


def test_no_gradient_runs_through_the_input_of_the_policy():
    got, full = gradient(), by_hand(through_policy_input=True)
    assert abs(got[0] - full[0]) > 0.1 and abs(got[1] - full[1]) > 0.1


def test_returns_and_weights_follow_an_end_that_is_foreseen():
    s = [START]
    for eps in NOISE[:-1]:
        s.append(s[-1] + W * s[-1] + BIAS + STD * eps)
    world, behaviour = make(hole=s[2])
    dream = dream_of(world, behaviour)
    judged = behaviour.judge(world, dream, torch.ones(1))  # type: ignore[arg-type]
    second = -(s[2] ** 2)  # state 2 ends: nothing counts behind its reward
    first = -(s[1] ** 2) + GAMMA * ((1 - LAM) * SLOPE * s[1] + LAM * second)
    assert judged.returns[0, :2].tolist() == pytest.approx([first, second], rel=1e-5)
    assert judged.weight[0].tolist() == pytest.approx([1, GAMMA, 0])


def test_a_dream_from_a_terminal_state_counts_nothing():
    world, behaviour = make()
    dream = dream_of(world, behaviour)
    judged = behaviour.judge(world, dream, torch.zeros(1))  # type: ignore[arg-type]
    assert judged.weight.eq(0).all()
    assert behaviour.actor_loss(dream, judged).eq(0).all()


def test_noise_makes_the_policy_act_as_it_dreams():
    world, behaviour = make()
    dream = dream_of(world, behaviour)
    for t, eps in enumerate(NOISE[:-1]):
        state = State(dream.states.deter[:, t], dream.states.stoch[:, t])
        acted = behaviour.sample(state, torch.tensor([[eps]]))
        assert torch.equal(acted, dream.actions[:, t])


class Spreading(Linear):
    """A deviation of exp(k s), so that entropy is k s and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.k = nn.Parameter(torch.tensor(0.2))

    def forward(self, feat: Tensor) -> Normal:
        return Normal(super().forward(feat).mean, torch.exp(self.k * feat[..., :1]))


def test_entropy_is_paid_for_where_the_policy_is_and_not_for_where_it_leads():
    world, behaviour = make()
    behaviour.actor, behaviour.explore = Spreading(), FixedEntropy(1.0)  # type: ignore[assignment]
    dream = dream_of(world, behaviour)
    nothing, weight = torch.zeros(1, STEPS), GAMMA ** torch.arange(STEPS)[None]
    judged = Judged(0, nothing, weight, nothing, nothing, weight)
    behaviour.actor_loss(dream, judged).mean().backward()
    expected = (
        -sum(GAMMA**t * float(dream.states.deter[0, t].detach()) for t in range(STEPS)) / STEPS
    )
    actor = behaviour.actor
    assert float(actor.k.grad) == pytest.approx(expected, rel=1e-5)  # type: ignore[arg-type]
    assert actor.w.grad is None and actor.b.grad is None
