"""One contract for every learning system: what a trainer and a robot may rely on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from learner.agent import Agent, AgentPolicy
from learner.behaviour.noise import ModeNoise, SeededNoise
from learner.model.encoders import pick
from learner.model.rssm import State
from learner.systems import SYSTEMS, build_agent, find_system, make_settings
from learner.train.replay import Replay
from learner.train.settings import Settings
from learner.train.updates import Lesson
from robot.config import load_config
from robot.policy.observe import robot_spec
from robot.tasks import make_task
from robot.wire.spec import RobotSpec, discrete
from robot.wire.transition import Transition

CONFIG = load_config("hardware_configs/a1.yaml")
SPEC = robot_spec(CONFIG, make_task(CONFIG))
ACTIONS = SPEC.action.shape[0]
BATCH, LENGTH = 3, 8

FAST = ("lr_model=0.003", "free_nats=0")
# A new system adds the changes that make it tiny and quick to learn.
TINY = {
    "world_models": (
        *("units=32", "head_layers=1", "lr_vision=0.003", "lr_memory=0.003", "fitness=dream"),
        *("reads=z", "evolve_after=0", "show_every=1", "population=16"),
    ),
    "planet": (
        *("units=32", "hidden=32", "layers=2", "lr=0.003"),
        *("candidates=200", "iterations=3", "horizon=2"),
    ),
    "reverie": ("units=32", "starts=8", "bins=21", "mirror=false", "lr_model=0.003", "classes=8"),
    "daydreamer": ("units=32", "hidden=32", "layers=2", "lr=0.003", "classes=8"),
    "dreamer_v1": ("units=32", "hidden=32", "layers=2", *FAST, "lr_behaviour=0.001"),
    "dreamer_v2": ("units=32", "hidden=32", "layers=2", *FAST, "lr_actor=0.001", "classes=8"),
    "dreamer_v3": (
        *("units=32", "hidden=32", "layers=2", "lr=0.003", "warmup=0", "classes=8", "bins=21"),
        *("blocks=4", "starts=0"),
    ),
    "dreamer_v3_2023": ("units=32", "lr_model=0.003", "lr_behaviour=0.001", "classes=8", "bins=21"),
    "plan2explore": (
        *("units=32", "classes=8", "hidden=32", "layers=2", "lr=0.003"),
        *("look=3", "members=3", "member_units=16", "bonus=1"),
    ),
}
SHARED = (f"batch={BATCH}", f"length={LENGTH}", "deter=32", "stoch=8", "horizon=3")

Arrays = dict[str, np.ndarray]


def settings(name: str, *changes: str) -> Settings:
    preset = next(iter(find_system(name).presets))
    every = [*SHARED, *TINY[name], "bfloat16=false", *changes]
    return make_settings(name, preset, every)


def build(name: str, *changes: str, seed: int = 0) -> Agent:
    torch.manual_seed(seed)
    return build_agent(name, SPEC, settings(name, *changes))


def experience(keys: tuple[str, ...], rows: int = BATCH, seed: int = 0) -> Arrays:
    """Waves that can be foretold: what is sensed, done and earned moves together."""
    rng = np.random.default_rng(seed)
    time = np.arange(LENGTH)[None, :, None] + rng.uniform(0, 30, (rows, 1, 1))
    shapes = {key: SPEC.observation[key].shape for key in keys} | {"action": (ACTIONS,)}
    made = {key: 0.5 * np.sin(time + rng.uniform(0, 6, shape)) for key, shape in shapes.items()}
    made["reward"] = 5 + np.sin(time[..., 0])
    flags = {key: np.zeros((rows, LENGTH), bool) for key in ("is_first", "is_last", "is_terminal")}
    flags["is_first"][:, 0] = True
    return {key: value.astype(np.float32) for key, value in made.items()} | flags


def tensors(batch: Arrays) -> dict[str, torch.Tensor]:
    return {key: torch.as_tensor(value) for key, value in batch.items()}


def saved(agent: Agent) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in agent.tensors().items()}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tiny networks are slower on more."""
    torch.set_num_threads(1)


@pytest.fixture(params=SYSTEMS)
def name(request: pytest.FixtureRequest) -> str:
    """Name of a system."""
    return request.param


@pytest.fixture
def agent(name: str) -> Agent:
    """A system in small."""
    return build(name)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Agent, Arrays], State]:
    """Watch a batch with noise that is the same for every row, so that rows may be compared."""

    def run(agent: Agent, batch: Arrays) -> State:
        noise = torch.rand(LENGTH, 1, 8, generator=torch.Generator().manual_seed(3))
        shared = noise.expand(-1, batch["is_first"].shape[0], -1)
        with monkeypatch.context() as patched:
            patched.setattr(torch, "rand", lambda *shape, **_: shared)
            return agent.model.observe(tensors(batch)).states

    return run


def test_rows_of_a_batch_do_not_know_of_each_other(agent: Agent, watch: Callable):
    batch, order = experience(agent.keys, rows=4), [2, 0, 3, 1]
    straight = watch(agent, batch)
    turned = watch(agent, {key: value[order] for key, value in batch.items()})
    np.testing.assert_allclose(turned.deter.detach(), straight.deter[order].detach(), atol=1e-5)
    assert torch.equal(turned.stoch, straight.stoch[order])


@pytest.mark.parametrize("t", [0, 3, LENGTH - 2])
def test_a_state_knows_nothing_of_what_comes(agent: Agent, watch: Callable, t: int):
    batch = experience(agent.keys)
    before = watch(agent, batch)
    for key in (*agent.keys, "reward"):
        batch[key][:, t + 1 :] += 1
    batch["action"][:, t:] += 1  # the action taken in a state is not part of it either
    after = watch(agent, batch)
    assert torch.equal(before.feat[:, : t + 1], after.feat[:, : t + 1])
    assert not torch.equal(before.feat[:, t + 1 :], after.feat[:, t + 1 :])


def test_an_episodes_start_inside_a_chunk_forgets_what_was(agent: Agent, watch: Callable):
    batch = experience(agent.keys)
    batch["is_first"][:, 4] = True
    before = watch(agent, batch)
    for key in (*agent.keys, "action"):
        batch[key][:, :4] += 1
    after = watch(agent, batch)
    assert torch.equal(before.feat[:, 4:], after.feat[:, 4:])
    assert not torch.equal(before.feat[:, :4], after.feat[:, :4])


def test_what_was_saved_by_one_is_the_same_in_another(name: str):
    one, other = build(name, seed=0), build(name, seed=1)
    batch = experience(one.keys)
    for _ in range(2):
        one.learn(batch)
    other.load_tensors(saved(one))
    for agent in (one, other):
        torch.manual_seed(7)
        agent.learn(batch)
    a, b = saved(one), saved(other)
    assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_learning_lowers_the_loss_on_a_batch_that_is_repeated(agent: Agent):
    batch, totals = experience(agent.keys), []
    for _ in range(30):
        metrics = agent.learn(batch)
        totals.append(float(metrics["model/vector"] + metrics["model/reward"]))
    assert np.mean(totals[-3:]) < 0.7 * np.mean(totals[:3])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16=false", "bfloat16=true"])
def test_one_batch_can_be_learnt_by_heart(name: str, precision: str):
    agent = build(name, precision)
    made = tensors(experience(agent.keys))
    for change in agent.diet.prepare:
        made = change(made)
    lesson, losses = Lesson(made), []
    for _ in range(200):
        for update in agent.updates:
            if update.name in ("model", "vision", "memory", "heads", "joint"):
                update(lesson)
        losses.append(float(lesson.metrics["model/vector"]))
    assert np.mean(losses[-5:]) < 0.1 * losses[0]
    with torch.no_grad():
        foretold = agent.model.reward(agent.model.observe(made).states.feat)
    error = (foretold - made["reward"])[:, 1:].abs().mean()
    assert error < 0.25 * made["reward"].std(), "guessing the mean is off by 0.8 deviations"


def test_metrics_are_finite_scalars_under_the_name_of_their_part(agent: Agent):
    names = [update.name for update in agent.updates]
    for key, value in agent.learn(experience(agent.keys)).items():
        assert key.partition("/")[0] in {"model", *names} and value.numel() == 1
        assert value.isfinite() and not value.requires_grad


def test_learning_leaves_the_batch_as_it_was(agent: Agent):
    batch = experience(agent.keys)
    before = {key: value.copy() for key, value in batch.items()}
    agent.learn(batch)
    assert all(np.array_equal(before[key], batch[key]) for key in batch)


def test_the_actor_learns_what_pays(name: str):
    """Reward is the first action: after some lessons the policy has moved that way."""
    agent = build(name)
    rng, made = np.random.default_rng(0), experience(agent.keys)
    before = mean_action(agent, made)
    for _ in range(60):
        made["action"] = rng.uniform(-1, 1, made["action"].shape).astype(np.float32)
        made["reward"][:, 1:] = 5 + 3 * made["action"][:, :-1, 0]
        agent.learn(made)
    assert mean_action(agent, made) > before + 0.02


@pytest.mark.slow
@pytest.mark.parametrize("name", ["daydreamer", "plan2explore", "dreamer_v2"])
def test_a_choice_is_learnt_by_its_odds(name: str):
    """Reward is the first of three choices: after some lessons nearly every state asks for it."""
    spec = RobotSpec(SPEC.observation, discrete(3), SPEC.control_hz)
    torch.manual_seed(0)
    agent = build_agent(name, spec, settings(name))
    rng, made = np.random.default_rng(0), experience(agent.keys)
    made["reward"][:, 0] = 0
    for _ in range(120):
        made["action"] = np.eye(3, dtype=np.float32)[rng.integers(3, size=(BATCH, LENGTH))]
        made["reward"][:, 1:] = 6 * made["action"][:, :-1, 0] - 2
        agent.learn(made)
    assert mean_action(agent, made) > 0.9


def mean_action(agent: Agent, batch: Arrays) -> float:
    """Mean of the policy's first action over the states of a batch."""
    with torch.no_grad():
        states, noise = agent.model.observe(tensors(batch)).states.flatten(), ModeNoise(0)
        rows = [states[i : i + 1] for i in range(len(states.stoch))]
        acted = [agent.behaviour.act(agent.model, row, noise)[0, 0] for row in rows]
        return float(torch.stack(acted).mean())


@pytest.mark.parametrize("noise", [SeededNoise(0), ModeNoise(0)])
def test_a_policy_acts_within_reason_whatever_a_robot_may_sense(agent: Agent, noise: SeededNoise):
    policy = AgentPolicy(agent, noise)
    carry = policy.initial()
    for step, end in enumerate(("low", "high", "low")):
        bounds = {key: getattr(SPEC.observation[key].space, end) for key in agent.keys}
        observation = {**bounds, "is_first": np.array(step == 0)}
        carry, action = policy.act(carry, observation)
        assert action.shape == (ACTIONS,) and action.dtype == np.float32
        assert np.isfinite(action).all() and np.abs(action).max() < 10


def test_a_policy_forgets_at_the_start_of_an_episode(agent: Agent):
    batch = experience(agent.keys)
    seen = [{key: batch[key][0, t] for key in (*agent.keys, "is_first")} for t in range(3)]
    fresh, used = AgentPolicy(agent, SeededNoise(0)), AgentPolicy(agent, SeededNoise(0))
    carry = used.initial()
    for observation in seen[1:]:
        carry, _ = used.act(carry, observation)
    used.noise = SeededNoise(0)
    assert np.array_equal(used.act(carry, seen[0])[1], fresh.act(fresh.initial(), seen[0])[1])


def test_a_robot_takes_up_what_a_learner_of_lower_precision_gives(name: str):
    learner, robot = build(name, "bfloat16=true"), build(name, seed=1)
    learner.learn(experience(learner.keys))
    weights = learner.policy_weights()
    robot.load_policy_weights(weights)
    assert all(np.isfinite(w).all() and w.dtype == np.float32 for w in weights.values())
    assert all(np.array_equal(weights[key], w) for key, w in robot.policy_weights().items())


def test_the_sampler_draws_from_a_replay_what_the_agent_learns(agent: Agent):
    replay = Replay(SPEC, 200, agent.sampler, seed=0, keys=agent.keys)
    assert not replay.ready(LENGTH)
    for index in range(45):
        replay.add(transition(index, agent.keys))
    assert replay.ready(LENGTH)
    batch = replay.sample(BATCH, LENGTH)
    assert set(batch) == {*agent.keys, "action", "reward", "is_first", "is_last", "is_terminal"}
    assert agent.learn(batch)


def transition(index: int, keys: tuple[str, ...]) -> Transition:
    """A step of episodes of 15."""
    rng = np.random.default_rng(index)
    arrays = {key: np.zeros(SPEC.observation[key].shape, np.float32) for key in keys}
    arrays["action"] = arrays["applied"] = rng.uniform(-1, 1, ACTIONS).astype(np.float32)
    flags = {"is_first": index % 15 == 0, "is_last": index % 15 == 14, "is_terminal": False}
    arrays |= {key: np.array(value) for key, value in flags.items()}
    arrays["reward"] = np.array(5.0, np.float32)
    return Transition("a1", "run", index, index // 15, index % 15, 0, True, arrays)


def test_every_preset_reads_what_the_robot_senses(name: str):
    for preset in find_system(name).presets:
        chosen = make_settings(name, preset).model_dump()["keys"]
        assert pick(SPEC.observation, chosen).keys() <= SPEC.observation.keys()
