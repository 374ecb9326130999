"""Both generations of DreamerV3: numbers, weights, and which loss trains what."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learner.agent import Agent
from learner.behaviour.actor import NormalActor
from learner.behaviour.gradient import Reinforce, Through
from learner.behaviour.policies import OneHotActor
from learner.behaviour.replay_value import Stretch
from learner.model.block_model import BlockSizes, block_parts
from learner.model.latents import Categoricals
from learner.systems import dreamer_v3, dreamer_v3_2023, make_settings
from learner.train.joint import JointLesson, PickEnds
from learner.train.laprop import LaProp
from learner.train.optimisers import Adam
from learner.train.sampling import UniformChunks
from learner.train.updates import Lesson, Update
from robot.config import ConfigError
from robot.wire.spec import OneHot, RobotSpec, Spec

ROWS, LENGTH, SIZE = 3, 6, 64


def spec_of(action: gym.Space, image: bool = False) -> RobotSpec:
    """A robot with seven numbers, or with a camera, that chooses or moves."""
    vector = {"place": Spec(gym.spaces.Box(-1, 1, (7,), np.float32))}
    picture = {"camera": Spec(gym.spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8))}
    return RobotSpec(picture if image else vector, Spec(action), control_hz=20.0)


MOVES = spec_of(gym.spaces.Box(-1, 1, (2,), np.float32))
TINY: dict[str, Any] = {
    "batch": ROWS, "length": LENGTH, "deter": 16, "units": 16, "stoch": 4, "classes": 4, "bins": 21,
    "horizon": 4, "depth": 2, "bfloat16": False,
}  # fmt: skip


def tiny(spec: RobotSpec = MOVES, **changes: Any) -> Agent:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = dreamer_v3.CPU.model_copy(update=TINY | {"hidden": 8, "blocks": 4} | changes)
    return dreamer_v3.build(spec, config)


def tiny_2023(spec: RobotSpec = MOVES) -> Agent:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = dreamer_v3_2023.PRESETS["cpu"].model_copy(update=TINY)
    return dreamer_v3_2023.build(spec, config)


def experience(spec: RobotSpec, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}
    for key, value in {**spec.observation, "action": spec.action}.items():
        drawn = [value.space.sample() for _ in range(ROWS * LENGTH)]
        made[key] = np.stack(drawn).reshape(ROWS, LENGTH, *value.shape)
    made["reward"] = rng.normal(size=(ROWS, LENGTH)).astype(np.float32)
    flags = {k: np.zeros((ROWS, LENGTH), bool) for k in ("is_first", "is_last", "is_terminal")}
    flags["is_first"][:, 0] = True
    return made | flags


def tensors(batch: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {key: torch.as_tensor(value) for key, value in batch.items()}


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def dense(width_in: int, width_out: int) -> int:
    """Weights, and an offset and a gain for each output, where the norm stands."""
    return width_in * width_out + 2 * width_out


def linear(width_in: int, width_out: int) -> int:
    return (width_in + 1) * width_out


def test_the_smallest_size_has_the_weights_of_the_reference():
    """Added up from configs.yaml, size1m: 7 numbers seen, 2 moved, 32 x 4 latents, 8 blocks."""
    agent: Any = dreamer_v3.build(MOVES, dreamer_v3.PRESETS["size1m"])
    deter, units, latent = 512, 64, 128
    feat, blocks = deter + latent, 8
    inputs = dense(deter, units) + dense(latent, units) + dense(2, units)
    mixed = deter * (deter // blocks + 3 * units) + 2 * deter
    gates = 3 * deter * (deter // blocks) + 3 * deter
    prior = dense(deter, units) + dense(units, units) + linear(units, latent)
    posterior = dense(deter + units, units) + linear(units, latent)
    assert count(agent.model.dynamics) == inputs + mixed + gates + prior + posterior
    three, from_feat = 2 * dense(units, units), dense(feat, units)
    assert count(agent.model.encoder) == dense(7, units) + three
    assert count(agent.model.decoder) == from_feat + three + linear(units, 7)
    assert count(agent.model.reward) == from_feat + linear(units, 255)
    assert count(agent.model.cont) == from_feat + linear(units, 1)
    assert count(agent.behaviour.actor) == from_feat + three + linear(units, 4)
    assert count(agent.behaviour.critic.head) == from_feat + three + linear(units, 255)


@pytest.mark.parametrize("millions", [12, 25, 50, 100, 200])
def test_sizes_have_about_the_weights_that_they_are_named_for(millions: int):
    """The names round up: for a camera and 18 choices, 166 million weights are called 200."""
    c = dreamer_v3.PRESETS[f"size{millions}m"]
    spec = spec_of(OneHot(18), image=True)
    with torch.device("meta"):
        sizes = BlockSizes(c.deter, c.blocks, c.hidden, c.units, c.layers, c.depth)
        parts = block_parts(spec, ["camera"], sizes, Categoricals(c.stoch, c.classes))
    width = c.deter + c.stoch * c.classes
    heads = 4 * dense(width, c.units) + 4 * dense(c.units, c.units)
    last = linear(c.units, 255) * 2 + linear(c.units, 1) + linear(c.units, 18)
    assert 0.8 < (count(*parts) + heads + last) / (millions * 1e6) < 1.0


def test_paper_has_the_numbers_of_the_reference():
    c = dreamer_v3.PRESETS["paper"]
    assert (c.batch, c.length, c.capacity, c.horizon) == (16, 64, 5_000_000, 15)
    assert (c.deter, c.hidden, c.stoch, c.classes, c.units, c.layers) == (
        8192,
        1024,
        32,
        64,
        1024,
        3,
    )
    assert c == dreamer_v3.PRESETS["size200m"]
    assert (c.gamma, c.lam, c.entropy, c.starts) == (1 - 1 / 333, 0.95, 3e-4, 0)
    agent: Any = tiny()
    assert agent.model.objective.dynamics == 1.0 and agent.model.objective.representation == 0.1
    assert agent.model.dynamics.latents.unimix == 0.01
    (update,) = agent.updates
    numbers = update.optimiser.numbers
    assert isinstance(update.optimiser, LaProp) and (numbers.clip, numbers.eps) == (0.3, 1e-20)
    assert (c.lr, c.warmup) == (4e-5, 1000)


def test_january_2023_has_the_numbers_of_its_release():
    c = dreamer_v3_2023.PRESETS["paper"]
    assert (c.deter, c.units, c.layers, c.depth, c.classes) == (512, 512, 2, 32, 32)
    agent: Any = dreamer_v3_2023.build(MOVES, c.model_copy(update=TINY))
    found = {u.name: u.optimiser.settings for u in agent.updates}
    assert all(isinstance(u.optimiser, Adam) for u in agent.updates)
    numbers = {name: (s.lr, s.eps, s.clip) for name, s in found.items()}
    few = (3e-5, 1e-5, 100.0)
    assert numbers == {"model": (1e-4, 1e-8, 1000.0), "actor": few, "critic": few}
    assert agent.model.objective.dynamics == 0.5 and agent.model.objective.representation == 0.1
    assert agent.sampler == UniformChunks()
    assert isinstance(agent.behaviour.gradient, Through)
    chooses: Any = tiny_2023(spec_of(OneHot(5)))
    assert isinstance(chooses.behaviour.gradient, Reinforce)


def test_predictions_of_what_pays_start_at_zero():
    for agent in (tiny(), tiny_2023()):
        found: Any = agent
        states = found.model.observe(tensors(experience(MOVES))).states
        assert found.model.reward(states.feat).eq(0).all()
        assert found.behaviour.critic(states.feat).eq(0).all()


def test_actors_start_random_and_the_current_one_centred():
    feat = torch.randn(50, 32)
    policy = tiny().behaviour.actor(feat)  # type: ignore[attr-defined]
    np.testing.assert_allclose(policy.std.detach(), 0.8927, atol=0.01)
    assert float(policy.mean.detach().abs().max()) < 0.1


def test_the_robot_decides_which_actor_there_is():
    assert isinstance(tiny().behaviour.actor, NormalActor)  # type: ignore[attr-defined]
    chooser: Any = tiny(spec_of(OneHot(5))).behaviour.actor  # type: ignore[attr-defined]
    assert isinstance(chooser, OneHotActor) and chooser.unimix == 0.01
    probs = chooser(torch.randn(9, 32)).log_probs.exp()
    assert float(probs.detach().min()) >= 0.01 / 5


@pytest.mark.parametrize("build", [tiny, tiny_2023])
@pytest.mark.parametrize("action", [OneHot(4), gym.spaces.Box(-1, 1, (2,), np.float32)])
def test_pictures_are_learnt_from(build: Any, action: gym.Space):
    spec = spec_of(action, image=True)
    agent, batch = build(spec), experience(spec)
    metrics = [agent.learn(batch) for _ in range(3)][-1]
    assert all(value.isfinite() for value in metrics.values()) and "model/image" in metrics


def groups(agent: Any) -> dict[str, nn.Module]:
    model, behaviour = agent.model, agent.behaviour
    return {
        "encoder": model.encoder, "dynamics": model.dynamics, "decoder": model.decoder,
        "reward": model.reward, "continue": model.cont, "actor": behaviour.actor,
        "critic": behaviour.critic.head, "slow": behaviour.critic.slow,
    }  # fmt: skip


def touched(agent: Any, loss: Tensor) -> set[str]:
    """Parts that get a gradient from a loss."""
    for part in groups(agent).values():
        for p in part.parameters():
            p.grad = torch.zeros_like(p) if p.requires_grad else None
    loss.backward(retain_graph=True)
    found = groups(agent).items()
    return {
        name
        for name, part in found
        if any(p.grad is not None and p.grad.ne(0).any() for p in part.parameters())
    }


def woken(agent: Any) -> Any:
    """The same with no last layer at zero, which would let no gradient through."""
    for head in (agent.model.reward, agent.behaviour.critic.head, agent.behaviour.critic.slow):
        nn.init.normal_(head.out.weight, std=0.1)
    agent.behaviour.critic.average.load_state_dict(agent.behaviour.critic.slow.state_dict())
    return agent


def test_each_loss_trains_its_own_part_and_recorded_values_the_model_too():
    agent = woken(tiny(starts=0))
    joint: Any = agent.updates[0].loss.__self__
    lesson = Lesson(tensors(experience(MOVES)))
    model = joint.model.loss(lesson)
    whole = {"encoder", "dynamics", "decoder", "reward", "continue"}
    assert touched(agent, model) == whole
    assert touched(agent, joint.dreams.actor_loss(lesson)) == {"actor"}
    assert touched(agent, joint.dreams.critic_loss(lesson)) == {"critic"}
    assert touched(agent, joint._replay_loss(lesson)) == {"encoder", "dynamics", "critic"}


def test_one_step_moves_everything_and_the_slow_critic_a_fiftieth_of_the_way():
    agent = woken(tiny(warmup=0))
    before = {k: [p.detach().clone() for p in m.parameters()] for k, m in groups(agent).items()}
    old = agent.behaviour.critic.slow.out.weight.detach().clone()
    agent.learn(experience(MOVES))
    for name, module in groups(agent).items():
        moved = [
            not torch.equal(a, b) for a, b in zip(before[name], module.parameters(), strict=True)
        ]
        assert any(moved), name
    slow, fast = agent.behaviour.critic.slow.out, agent.behaviour.critic.head.out
    expected = 0.98 * old + 0.02 * fast.weight
    np.testing.assert_allclose(slow.weight.detach(), expected.detach(), atol=1e-6)


def test_dreams_start_from_the_last_states_in_their_order():
    rows = PickEnds(length=4, count=2)(torch.ones(12))
    assert rows.tolist() == [2, 3, 6, 7, 10, 11]
    assert PickEnds(length=4, count=0)(torch.ones(8)).tolist() == list(range(8))


class Listener:
    """Stands where recorded values are taken, and keeps what it was given."""

    def loss(self, feat: Tensor, steps: Stretch) -> Tensor:
        self.feat, self.steps = feat, steps
        return feat.sum(-1)


@pytest.mark.parametrize("starts", [0, 3])
def test_a_recorded_step_is_given_the_return_of_its_own_dream(starts: int):
    agent = woken(tiny(starts=starts))
    inner: Any = agent.updates[0].loss.__self__
    listener, batch = Listener(), tensors(experience(MOVES))
    joint = JointLesson(inner.model, inner.dreams, listener, 1.0)  # type: ignore[arg-type]
    lesson = Lesson(batch)
    joint.loss(lesson)
    kept = starts or LENGTH
    dreamt = lesson.dreams[inner.dreams]
    begun = dreamt.dream.states.feat[:, 0]
    assert listener.feat.shape[:2] == (ROWS, kept)
    assert torch.equal(listener.feat.detach().flatten(0, 1), begun)
    assert dreamt.judged is not None
    assert torch.equal(listener.steps.boot.flatten(), dreamt.judged.returns[:, 0])
    assert torch.equal(listener.steps.reward, batch["reward"][:, LENGTH - kept :])


def test_new_steps_are_replayed_once_on_average():
    """Each update takes `steps_per_update` new steps and draws batch x length of them in all."""
    agent: Any = tiny(batch=8, length=10, steps_per_update=4.0)
    assert agent.sampler.newest == 10
    assert agent.sampler.fraction * 8 * 10 == pytest.approx(4.0)


def test_blocks_that_do_not_divide_the_memory_are_named():
    with pytest.raises(ConfigError, match="blocks: got 5; allowed is what divides deter 16"):
        tiny(blocks=5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("starts=1", "starts: 1 leaves no step between two dreams; allowed is 0"),
        ("bins=20", "bins: 20 is even; allowed is odd"),
        ("warmup=-1", "warmup: got -1"),
        ("units=0", "units: got 0"),
    ],
)
def test_a_bad_number_is_named(change: str, said: str):
    with pytest.raises(ConfigError, match=said):
        make_settings("dreamer_v3", "cpu", [change])


def test_updates_are_named_for_what_they_train():
    names = [[u.name for u in a.updates if isinstance(u, Update)] for a in (tiny(), tiny_2023())]
    assert names == [["joint"], ["model", "actor", "critic"]]
