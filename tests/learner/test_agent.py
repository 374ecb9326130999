"""Acting as it learnt, and going on from what was saved, bit for bit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from learner.agent import Agent, AgentPolicy
from learner.behaviour.noise import ModeNoise, SeededNoise
from learner.train.checkpoint import Checkpoints

SYSTEMS = ["reverie", "daydreamer"]
PRECISIONS = ["bfloat16=false", "bfloat16=true"]


class RecordedNoise(SeededNoise):
    """Gives rows of noise that were drawn before."""

    def __init__(self, latent: Tensor, action: Tensor) -> None:
        super().__init__(0)
        self.latents, self.actions = iter(latent), iter(action)

    def latent(self, stoch: int) -> Tensor:
        return next(self.latents)

    def action(self, width: int) -> Tensor:
        return next(self.actions)[None]


def learn(agent: Agent, batch: Callable, seeds: range) -> None:
    for seed in seeds:
        torch.manual_seed(seed)
        agent.learn(batch(agent, seed=seed))


def saved(agent: Agent) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in agent.tensors().items()}


def assert_equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    different = [k for k in a if not torch.equal(a[k], b[k])]
    assert not different


def observations(made: dict[str, np.ndarray], keys: tuple[str, ...]) -> list[dict]:
    length = made["action"].shape[1]
    return [{k: made[k][0, t] for k in (*keys, "is_first")} for t in range(length)]


@pytest.mark.parametrize("system", SYSTEMS)
def test_acting_is_observing_with_the_same_noise(
    system: str, tiny: Callable, batch: Callable, as_tensors: Callable
):
    agent = tiny(system)
    learn(agent, batch, range(2))
    made = batch(agent, rows=1)
    made["is_first"][0, 3] = True  # a new episode begins in the middle
    torch.manual_seed(5)
    latent, action = torch.rand(6, 1, agent.model.dynamics.latents.stoch), torch.randn(6, 12)
    policy = AgentPolicy(agent, RecordedNoise(latent, action))
    carry, states = policy.initial(), []
    for t, observation in enumerate(observations(made, agent.keys)):
        carry, acted = policy.act(carry, observation)
        made["action"][0, t] = acted
        states.append(carry.state)
    torch.manual_seed(5)
    watched = agent.model.observe(as_tensors(made)).states
    for t, state in enumerate(states):
        assert torch.equal(state.stoch[0], watched.stoch[0, t])
        np.testing.assert_allclose(state.deter[0], watched.deter[0, t].detach(), atol=1e-5)
    chosen = agent.behaviour.sample(watched.flatten(), action).detach()
    np.testing.assert_allclose(made["action"][0], chosen, atol=1e-5)


@pytest.mark.parametrize("system", SYSTEMS)
def test_actions_are_of_the_robots_shape_and_type(system: str, tiny: Callable, batch: Callable):
    agent = tiny(system)
    policy = AgentPolicy(agent, SeededNoise(0), version=7)
    _, action = policy.act(policy.initial(), observations(batch(agent), agent.keys)[0])
    assert action.shape == (12,) and action.dtype == np.float32 and policy.version == 7


def test_noise_is_repeatable_and_the_mode_has_none():
    a, b, mode = SeededNoise(3), SeededNoise(3), ModeNoise(3)
    assert torch.equal(a.latent(4), b.latent(4)) and torch.equal(a.action(5), b.action(5))
    assert not torch.equal(a.action(5), SeededNoise(4).action(5))
    assert mode.action(5).eq(0).all() and mode.latent(4).shape == (1, 4)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_learning_goes_on_bit_for_bit_in_another_agent(
    system: str, precision: str, tiny: Callable, batch: Callable, tmp_path: Path
):
    one, other = tiny(system, precision, seed=0), tiny(system, precision, seed=1)
    learn(one, batch, range(3))
    Checkpoints(tmp_path).save(3, one.tensors(), {})
    found = Checkpoints(tmp_path).load()
    assert found is not None
    other.load_tensors(found[1])
    assert_equal(saved(one), saved(other))
    learn(one, batch, range(3, 6))
    learn(other, batch, range(3, 6))
    assert_equal(saved(one), saved(other))


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_same_seed_learns_the_same(system: str, tiny: Callable, batch: Callable):
    one, other = tiny(system, "bfloat16=true"), tiny(system, "bfloat16=true")
    learn(one, batch, range(3))
    learn(other, batch, range(3))
    assert_equal(saved(one), saved(other))


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_agent_can_return_to_before_its_first_update(
    system: str, tiny: Callable, batch: Callable
):
    one, other = tiny(system), tiny(system)
    start = saved(one)
    learn(one, batch, range(2))
    one.load_tensors(start)
    learn(one, batch, range(5, 7))
    learn(other, batch, range(5, 7))
    assert_equal(saved(one), saved(other))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_robot_acts_with_the_weights_that_were_learnt(
    system: str, precision: str, tiny: Callable, batch: Callable
):
    learner, robot = tiny(system, precision), tiny(system, seed=9)
    learn(learner, batch, range(2))
    weights = learner.policy_weights()
    robot.load_policy_weights(weights)
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float32)}
    for name, array in robot.policy_weights().items():
        np.testing.assert_array_equal(array, weights[name])
    actions = []
    for agent in (learner, robot):
        policy, carry = AgentPolicy(agent, SeededNoise(0)), None
        carry = policy.initial()
        for observation in observations(batch(learner), learner.keys):
            carry, action = policy.act(carry, observation)
        actions.append(action)
    tolerance = 1e-6 if precision == "bfloat16=false" else 0.1
    np.testing.assert_allclose(actions[0], actions[1], atol=tolerance)


def test_weights_are_a_copy(tiny: Callable, batch: Callable):
    agent = tiny("reverie")
    weights = agent.policy_weights()
    before = {k: v.copy() for k, v in weights.items()}
    learn(agent, batch, range(1))
    assert all(np.array_equal(before[k], weights[k]) for k in before)
    assert any(not np.array_equal(before[k], v) for k, v in agent.policy_weights().items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.pop("actor.out.weight"), "actor.out.weight is missing"),
        (lambda w: w.update(spy=np.zeros(1, np.float32)), "spy is not known here"),
        (
            lambda w: w.update({"actor.out.bias": np.zeros(1, np.float32)}),
            r"actor.out.bias is \(1,\); allowed is \(24,\)",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named_and_change_nothing(
    change: Callable, said: str, tiny: Callable
):
    agent = tiny("reverie")
    before = agent.policy_weights()
    weights = {k: v + 1 for k, v in before.items()}
    change(weights)
    with pytest.raises(ValueError, match=said):
        agent.load_policy_weights(weights)
    assert all(np.array_equal(before[k], v) for k, v in agent.policy_weights().items())


@pytest.mark.parametrize(
    "name", ["agent.model.encoder.vector.0.linear.weight", "optimiser.actor.0.master"]
)
def test_a_checkpoint_that_does_not_fit_is_named_and_changes_nothing(name: str, tiny: Callable):
    agent = tiny("reverie")
    before = saved(agent)
    tensors = {k: v + 1 for k, v in before.items()}
    tensors[name] = torch.zeros(1)
    with pytest.raises(ValueError, match=rf"{name.partition('.')[2].split('.')[-1]} is \(1,\)"):
        agent.load_tensors(tensors)
    assert_equal(before, saved(agent))


def test_a_missing_optimiser_is_noticed(tiny: Callable):
    agent = tiny("daydreamer")
    tensors = {k: v for k, v in saved(agent).items() if not k.startswith("optimiser.critic")}
    with pytest.raises(ValueError, match="0.master is missing"):
        agent.load_tensors(tensors)


def test_everything_random_is_in_the_state_but_the_global_generator(
    tiny: Callable, batch: Callable
):
    """Scales and counts that adapt are saved: only then is the second half the same."""
    names = set(tiny("daydreamer").tensors())
    for buffer in (
        "model.objective.scale",
        "behaviour.explore.scale",
        "behaviour.scale.mean",
        "behaviour.scale.count",
        "behaviour.critic.updates",
    ):
        assert f"agent.{buffer}" in names
