"""Which loss updates which weights, for both systems, and in which order."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learner.agent import Agent
from learner.behaviour.normalise import FixedEntropy
from learner.train.updates import Lesson, ModelLesson, Update, frozen, sum_of

MODEL = ("encoder", "dynamics", "decoder", "reward", "cont")
KL = {"reverie": ("dynamics", "representation"), "daydreamer": ("kl",)}
# Which groups a loss must reach; all others it must not.
REACHES = {
    "vector": {"encoder", "dynamics", "decoder"},
    "reward": {"encoder", "dynamics", "reward"},
    "continue": {"encoder", "dynamics", "cont"},
    "kl": {"encoder", "dynamics"},
    "representation": {"encoder", "dynamics"},
    "dynamics": {"encoder", "dynamics"},
    "actor": {"actor"},
    "critic": {"critic"},
}
CASES = [("reverie", loss) for loss in REACHES if loss not in ("kl", "continue")] + [
    ("daydreamer", loss) for loss in REACHES if loss not in ("dynamics", "representation")
]


@pytest.fixture
def ready(tiny: Callable[..., Agent]) -> Callable[[str], Agent]:
    """A tiny agent in which no gradient is zero by chance: last layers start at zero."""

    def build(name: str) -> Agent:
        agent = tiny(name)
        for weight in agent.parameters():
            weight.data += 0.1 * torch.randn_like(weight)
        if name == "reverie":
            agent.model.objective.free = 0.0  # type: ignore[attr-defined]
        return agent

    return build


@pytest.fixture
def lesson(batch: Callable, as_tensors: Callable) -> Callable[[Agent], Lesson]:
    return lambda agent: Lesson(as_tensors(batch(agent)))


def groups(agent: Agent) -> dict[str, nn.Module]:
    found: dict[str, nn.Module] = {name: getattr(agent.model, name) for name in MODEL}
    critic: nn.Module = agent.behaviour.critic  # type: ignore[assignment]
    heads = {name: getattr(critic, name) for name in ("slow", "average") if hasattr(critic, name)}
    return found | {"actor": agent.behaviour.actor, "critic": critic.head} | heads  # type: ignore[dict-item]


def reached(agent: Agent) -> set[str]:
    """Groups of which any weight has a gradient that is not zero."""
    return {
        name
        for name, module in groups(agent).items()
        if any(p.grad is not None and p.grad.ne(0).any() for p in module.parameters())
    }


def update(agent: Agent, name: str) -> Update:
    found = next(u for u in agent.updates if u.name == name)
    assert isinstance(found, Update)
    return found


def loss_of(agent: Agent, name: str, lesson: Lesson) -> Tensor:
    if name not in ("actor", "critic"):
        return agent.model.losses(lesson.batch)[0][name].mean()
    with torch.no_grad():
        update(agent, "model").loss(lesson)
    return update(agent, name).loss(lesson)


@pytest.mark.parametrize(("system", "name"), CASES)
def test_a_loss_reaches_its_own_weights_and_no_others(
    system: str, name: str, ready: Callable, lesson: Callable
):
    agent = ready(system)
    loss_of(agent, name, lesson(agent)).backward()
    assert reached(agent) == REACHES[name]


@pytest.mark.parametrize("system", ["reverie", "daydreamer"])
def test_the_posterior_is_taught_by_what_it_must_explain(
    system: str, ready: Callable, lesson: Callable
):
    """The divergence teaches prior and posterior; in the reconstruction the prior has no part."""
    agent = ready(system)
    prior, post = agent.model.dynamics.prior_out.weight, agent.model.dynamics.post_out.weight
    assert isinstance(prior, Tensor) and isinstance(post, Tensor)
    losses, _ = agent.model.losses(lesson(agent).batch)
    losses["vector"].mean().backward(retain_graph=True)
    assert prior.grad is not None and post.grad is not None
    assert prior.grad.eq(0).all() and post.grad.ne(0).any()
    sum_of([losses[k].mean() for k in KL[system]]).backward()
    assert prior.grad.ne(0).any()


@pytest.mark.parametrize("system", ["reverie", "daydreamer"])
def test_the_actor_learns_through_dynamics_reward_and_values(
    system: str, ready: Callable, lesson: Callable
):
    """With the reward's and the critic's last layers at zero nothing is left to be gained."""
    agent, gradients = ready(system), []
    agent.behaviour.explore = FixedEntropy(0.0)
    for silent in (False, True):
        if silent:
            heads = [agent.model.reward, agent.behaviour.critic.head]  # type: ignore[attr-defined]
            heads += [agent.behaviour.critic.slow]  # type: ignore[attr-defined]
            for head in heads:
                head.out.weight.data.zero_()
                head.out.bias.data.zero_()
        torch.manual_seed(0)
        loss_of(agent, "actor", lesson(agent)).backward()
        weight = agent.behaviour.actor.out.weight
        gradients.append(float(weight.grad.abs().max()))  # type: ignore[union-attr]
        weight.grad.zero_()  # type: ignore[union-attr]
    assert gradients[0] > 1e-6 and gradients[1] < 1e-3 * gradients[0]


@pytest.mark.parametrize("system", ["reverie", "daydreamer"])
def test_no_update_leaves_a_gradient_for_another(system: str, ready: Callable, batch: Callable):
    agent = ready(system)
    for seed in range(2):
        agent.learn(batch(agent, seed=seed))
        assert not reached(agent)
        assert all(
            p.requires_grad
            for n, p in agent.named_parameters()
            if ".slow." not in n and ".average." not in n
        )


@pytest.mark.parametrize(
    ("system", "order"),
    [("reverie", ["model", "actor", "critic"]), ("daydreamer", ["model", "critic", "actor"])],
)
def test_updates_run_in_the_order_of_their_system(system: str, order: list[str], tiny: Callable):
    assert [u.name for u in tiny(system).updates] == order


@pytest.mark.parametrize("system", ["reverie", "daydreamer"])
def test_actor_and_critic_judge_the_same_dream(system: str, ready: Callable, lesson: Callable):
    agent = ready(system)
    one = lesson(agent)
    for each in agent.updates[:2]:
        each(one)
    (dreamt,) = one.dreams.values()
    agent.updates[2](one)
    assert list(one.dreams.values()) == [dreamt]


def test_the_critics_targets_are_returns_of_the_slow_values(ready: Callable, lesson: Callable):
    """DayDreamer: the fast head has no say in what it is taught."""
    agent = ready("daydreamer")
    targets = []
    for change in (0.0, 5.0):
        agent.behaviour.critic.head.out.bias.data += change  # type: ignore[union-attr]
        torch.manual_seed(0)
        one = lesson(agent)
        loss_of(agent, "critic", one)
        targets.append(float(one.metrics["critic/return"]))
    assert targets[0] == targets[1]


def test_dreams_from_terminal_states_count_nothing(ready: Callable, lesson: Callable):
    agent = ready("daydreamer")
    one = lesson(agent)
    one.batch["is_terminal"][:] = True
    assert float(loss_of(agent, "critic", one).detach()) == 0
    assert float(loss_of(agent, "actor", one).detach()) == 0


def test_losses_are_weighted_by_their_scales_and_averaged(ready: Callable, lesson: Callable):
    agent = ready("daydreamer")
    totals = []
    for scales in ({}, {"reward": 3.0}):
        torch.manual_seed(0)
        agent.model.objective.scale.fill_(1.0)  # type: ignore[union-attr, operator]
        one = lesson(agent)
        totals.append(float(ModelLesson(agent.model, scales).loss(one).detach()))
        parts = {k: float(v) for k, v in one.metrics.items()}
    expected = sum(parts.values()) + 2 * parts["model/reward"]
    assert totals[1] == pytest.approx(expected, rel=1e-5)
    assert totals[0] == pytest.approx(sum(parts.values()), rel=1e-5)


def test_frozen_weights_let_gradients_pass_and_thaw_again():
    layer, fixed = nn.Linear(2, 2), nn.Parameter(torch.zeros(1), requires_grad=False)
    layer.register_parameter("fixed", fixed)
    x = torch.ones(1, 2, requires_grad=True)
    with pytest.raises(RuntimeError, match="on purpose"), frozen(layer):
        layer(x).sum().backward()
        raise RuntimeError("on purpose")
    assert x.grad is not None
    np.testing.assert_allclose(x.grad[0], layer.weight.detach().sum(0))
    assert layer.weight.grad is None and layer.weight.requires_grad
    assert not fixed.requires_grad


def test_an_update_names_itself_when_its_gradient_is_not_finite(tiny: Callable, batch: Callable):
    agent = tiny("daydreamer")
    broken = batch(agent)
    broken["reward"][0, 0] = np.nan
    with pytest.raises(FloatingPointError, match="update of the model: gradient norm nan"):
        agent.learn(broken)
