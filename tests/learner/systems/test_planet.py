"""PlaNet: numbers of the paper, its three models, and what its robots are given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from learner.agent import Agent, AgentPolicy
from learner.behaviour.jitter import Jitter, Slips
from learner.behaviour.noise import ModeNoise, SeededNoise
from learner.behaviour.planner import Effort, Planner, Softly, WarmPlanner, equally
from learner.behaviour.plans import BoxPlans, OneHotPlans
from learner.model.heads import NeverEnds
from learner.model.objectives import FreeNats
from learner.model.rssm import RSSM
from learner.model.ssm import SSM, Means
from learner.systems import planet
from learner.train.keras_adam import KerasAdam
from learner.train.updates import Lesson
from robot.config import ConfigError, apply_change, check_config
from robot.wire.spec import RobotSpec, box, discrete, image

SMALL = (
    *("batch=3", "length=6", "deter=16", "hidden=16", "units=16", "layers=1", "stoch=4"),
    *("depth=2", "horizon=3", "candidates=20", "iterations=2", "bfloat16=false"),
)
PIXELS = RobotSpec({"front": image(64, 64)}, box(-1, 1, (6,)), 20.0)
CHOICES = RobotSpec({"cue": box(-1, 1, (3,))}, discrete(4), 20.0)
Batch = dict[str, Tensor]


def config(*changes: str, preset: str = "paper") -> planet.Config:
    data = planet.PRESETS[preset].model_dump()
    for change in changes:
        apply_change(data, change)
    return check_config(planet.Config, data, "test")


def small(spec: RobotSpec, *changes: str) -> Agent:
    torch.manual_seed(0)
    return planet.build(spec, config(*SMALL, *changes))


def experience(spec: RobotSpec, rows: int = 3, length: int = 6) -> Batch:
    rng = np.random.default_rng(0)
    spaces = {**{k: s.space for k, s in spec.observation.items()}, "action": spec.action.space}
    made = {}
    for key, space in spaces.items():
        space.seed(0)
        drawn = [[space.sample() for _ in range(length)] for _ in range(rows)]
        made[key] = torch.tensor(np.array(drawn))
    made["reward"] = torch.tensor(rng.normal(size=(rows, length))).float()
    flags = {k: torch.zeros(rows, length, dtype=torch.bool) for k in ("is_first", "is_terminal")}
    flags["is_first"][:, 0] = True
    return {**made, **flags}


def linear(width_in: int, width_out: int) -> int:
    return width_in * width_out + width_out


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_paper_s_model_has_the_weights_of_the_released_code():
    """Added up from scripts/configs.py, models/rssm.py and networks/conv_ha.py, of 6 actions."""
    model = planet.build(PIXELS, config()).model
    stats = linear(200, 200) + linear(200, 60)
    posterior = linear(200 + 1024, 200) + linear(200, 60)
    cell = linear(400, 400) + linear(400, 200)
    assert isinstance(model.dynamics, RSSM)
    assert count(model.dynamics) == linear(36, 200) + cell + stats + posterior
    convs = [(3, 32), (32, 64), (64, 128), (128, 256)]
    assert count(model.encoder) == sum(16 * a * b + b for a, b in convs)  # type: ignore[arg-type]
    deconvs = [(1024, 128, 5), (128, 64, 5), (64, 32, 6), (32, 3, 6)]
    painted = sum(k * k * a * b + b for a, b, k in deconvs)
    assert count(model.decoder) == linear(230, 1024) + painted
    assert count(model.reward) == linear(230, 300) + 2 * linear(300, 300) + linear(300, 1)


def test_the_paper_s_numbers():
    agent = planet.build(PIXELS, numbers := config())
    assert (numbers.batch, numbers.length, numbers.pretrain) == (50, 50, 100)
    assert (numbers.prefill, numbers.steps_per_update) == (5 * 250, 250 / 100)
    (update,) = agent.updates
    adam = update.optimiser  # type: ignore[attr-defined]
    assert isinstance(adam, KerasAdam)
    assert (adam.settings.lr, adam.settings.eps, adam.settings.clip) == (1e-3, 1e-4, 1000.0)
    objective = agent.model.objective
    assert isinstance(objective, FreeNats) and (objective.free, objective.scale) == (3.0, 1.0)
    assert agent.model.extras == () and isinstance(agent.model.cont, NeverEnds)
    tries = agent.behaviour
    assert isinstance(tries, Jitter) and not isinstance(tries, Slips) and tries.amount == 0.3
    assert type(tries.behaviour) is Planner
    search = tries.behaviour.search
    assert search.effort == Effort(12, 1000, 10, 100) and search.weigh is equally
    assert isinstance(search.plans, BoxPlans) and search.plans.action == 6


def test_errors_of_the_reward_count_ten_times_those_of_a_picture():
    agent, batch = small(PIXELS), experience(PIXELS)
    torch.manual_seed(1)
    losses, _ = agent.model.losses(batch)
    torch.manual_seed(1)
    total = agent.updates[0].loss(Lesson(batch))  # type: ignore[attr-defined]
    means = {name: loss.mean().item() for name, loss in losses.items()}
    assert means.keys() == {"image", "reward", "kl", "continue"} and means["image"] > 100
    by_hand = means["image"] + 10 * means["reward"] + means["kl"]
    assert total.item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "kind", "scale"), [("rssm", RSSM, 1.0), ("ssm", SSM, 1.0), ("rnn", RSSM, 0.0)]
)
def test_the_three_models_are_told_apart_by_their_parts(name: str, kind: type, scale: float):
    model = small(CHOICES, f"dynamics={name}").model
    assert type(model.dynamics) is kind
    assert isinstance(model.dynamics.latents, Means) == (name == "rnn")
    assert isinstance(model.objective, FreeNats) and model.objective.scale == scale


@pytest.fixture(params=["rssm", "ssm", "rnn"])
def agent(request: pytest.FixtureRequest) -> Agent:
    """One of the three models in small, of weights large enough to matter."""
    built = small(CHOICES, f"dynamics={request.param}")
    for weight in built.model.parameters():
        weight.data += 0.2 * torch.randn_like(weight)
    return built


def test_watching_is_taking_steps_one_by_one_and_begins_anew_with_an_episode(agent: Agent):
    model, batch = agent.model, experience(CHOICES)
    batch["is_first"][1, 3] = True
    torch.manual_seed(1)
    whole = model.observe(batch).states
    torch.manual_seed(1)
    noise = torch.rand(6, 3, model.dynamics.latents.stoch)
    state, action = model.dynamics.initial(3), torch.zeros(3, 4)
    for t in range(6):
        embed = model.encoder({"cue": batch["cue"][:, t]})
        state, _ = model.step(state, action, embed, batch["is_first"][:, t, None], noise[t])
        np.testing.assert_allclose(whole.feat[:, t].detach(), state.feat.detach(), atol=1e-6)
        action = batch["action"][:, t]
    short = {k: v[1:2, 3:] for k, v in batch.items()}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch, "rand", lambda *_, **__: noise[3:, 1:2])
        alone = model.observe(short).states
    np.testing.assert_allclose(whole.feat[1:2, 3:].detach(), alone.feat.detach(), atol=1e-6)


def test_an_unrolled_plan_is_a_dream_in_which_the_policy_repeats_it(agent: Agent):
    model, actions = agent.model, experience(CHOICES)["action"]
    start = model.observe(experience(CHOICES)).states.at(-1).detach()
    noise = torch.rand(6, 3, model.dynamics.latents.stoch)
    followed = model.unroll(start, actions, noise)
    told = iter([*actions.unbind(1), torch.zeros(3, 4)])
    dream = model.imagine(start, lambda *_: next(told), (noise, torch.zeros(7, 3, 4)))
    assert torch.equal(dream.states.feat[:, 0], start.feat)
    assert torch.equal(dream.states.feat[:, 1:], followed.feat)
    changed = actions.clone()
    changed[:, 2] = changed[:, 2].roll(1, -1)
    other = model.unroll(start, changed, noise)
    assert torch.equal(other.feat[:, :2], followed.feat[:, :2])
    assert not torch.equal(other.feat[:, 2], followed.feat[:, 2])


def test_nothing_teaches_the_prior_of_the_deterministic_rival():
    agent = small(CHOICES, "dynamics=rnn")
    before = {k: v.clone() for k, v in agent.model.dynamics.named_parameters()}  # type: ignore[attr-defined]
    agent.learn({k: v.numpy() for k, v in experience(CHOICES).items()})
    for name, weight in agent.model.dynamics.named_parameters():  # type: ignore[attr-defined]
        assert torch.equal(weight, before[name]) == name.startswith("prior"), name


def test_a_robot_that_chooses_is_given_one_hot_plans():
    agent = small(CHOICES, "refit=mppi", "temperature=0.5", "warm=true")
    tries = agent.behaviour
    assert isinstance(tries, Slips) and isinstance(tries.behaviour, WarmPlanner)
    assert isinstance(tries.behaviour.search.plans, OneHotPlans)
    assert tries.behaviour.search.weigh == Softly(0.5)
    policy = AgentPolicy(agent, SeededNoise(0))
    carry = policy.initial()
    for step in range(4):
        seen = {"cue": np.ones(3, np.float32), "is_first": np.array(step == 0)}
        carry, action = policy.act(carry, seen)
        CHOICES.action.check("action", action)


def test_a_robot_is_given_what_it_plans_with_and_no_decoder():
    agent = small(PIXELS, "ends=true")
    names = {name.partition(".")[0] for name in agent.policy_weights()}
    assert names == {"encoder", "dynamics", "reward", "cont"}
    other = small(PIXELS, "ends=true")
    agent.learn({k: v.numpy() for k, v in experience(PIXELS).items()})
    other.load_policy_weights(agent.policy_weights())
    seen = {"front": np.full((64, 64, 3), 90, np.uint8), "is_first": np.array(True)}
    acts = [AgentPolicy(a, ModeNoise(3)) for a in (agent, other)]
    one, two = (policy.act(policy.initial(), seen)[1] for policy in acts)
    assert np.array_equal(one, two)


def test_where_an_episode_ends_is_learnt_aside():
    batch, changed = experience(CHOICES), experience(CHOICES)
    changed["is_terminal"][:, -1] = True
    weights = []
    for made in (batch, changed):
        agent = small(CHOICES, "ends=true")
        torch.manual_seed(2)
        agent.updates[0].loss(Lesson(made)).backward()  # type: ignore[attr-defined]
        rest = {k: p.grad for k, p in agent.model.named_parameters() if "cont" not in k}
        weights.append(rest)
    for name, grad in weights[0].items():
        assert grad is not None and torch.equal(grad, weights[1][name]), name


def test_overshooting_is_a_part_that_is_added():
    agent = small(CHOICES, "overshooting=3")
    metrics = agent.learn({k: v.numpy() for k, v in experience(CHOICES).items()})
    assert metrics["model/overshooting"].isfinite()


def test_iterations_of_none_leave_exploration_alone():
    """Random collection, as the released code asks for it: `planner_iterations: 0`."""
    agent = small(PIXELS, "iterations=0", "explore=1.0")
    policy = AgentPolicy(agent, SeededNoise(0))
    carry, seen = policy.initial(), {"front": np.zeros((64, 64, 3), np.uint8)}
    actions = []
    for _ in range(50):
        carry, action = policy.act(carry, {**seen, "is_first": np.array(False)})
        actions.append(action)
    assert np.abs(np.mean(actions)) < 0.15 and np.abs(actions).max() == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [("dynamics=lstm", "dynamics: got 'lstm'"), ("refit=best", "refit: got 'best'"),
     ("overshooting=0", "overshooting: got 0"), ("elite_share=0", "elite_share: got 0")],
)  # fmt: skip
def test_a_bad_value_is_named(change: str, said: str):
    with pytest.raises(ConfigError, match=said):
        config(change)


@pytest.mark.parametrize("preset", planet.PRESETS)
def test_a_search_is_smaller_with_fewer_candidates_but_never_without_elites(preset: str):
    for candidates, elites in ((4, 1), (50, 5)):
        agent = planet.build(CHOICES, config(f"candidates={candidates}", preset=preset))
        assert agent.behaviour.behaviour.search.effort.elites == elites  # type: ignore[attr-defined]


LINE = RobotSpec({"place": box(-1, 1, (1,))}, box(-1, 1, (1,)), 20.0)


def move(place: np.ndarray, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A point on a line that is paid for being near 0.4: new place and reward, any shape."""
    place = np.clip(place + 0.2 * np.clip(action, -1, 1), -1, 1).astype(np.float32)
    return place, (1 - np.abs(place - 0.4)).astype(np.float32)


def random_play(rng: np.random.Generator, rows: int, length: int) -> dict[str, np.ndarray]:
    """Chunks of random actions, (B, T, ...)."""
    action = rng.uniform(-1, 1, (rows, length, 1)).astype(np.float32)
    places, rewards = [rng.uniform(-1, 1, (rows, 1)).astype(np.float32)], [np.zeros((rows, 1))]
    for t in range(length - 1):
        place, reward = move(places[-1], action[:, t])
        places.append(place)
        rewards.append(reward)
    flags = {k: np.zeros((rows, length), bool) for k in ("is_first", "is_terminal")}
    flags["is_first"][:, 0] = True
    reward = np.stack(rewards, 1)[..., 0].astype(np.float32)
    return {"place": np.stack(places, 1), "action": action, "reward": reward, **flags}


def shown(policy: AgentPolicy, starts: np.ndarray, steps: int) -> float:
    """Mean reward of a policy over episodes from some starts."""
    earned = []
    for start in starts:
        place, carry = start, policy.initial()
        for t in range(steps):
            seen = {"place": place, "is_first": np.array(t == 0)}
            carry, action = policy.act(carry, seen)
            place, reward = move(place, action)
            earned.append(float(reward[0]))
    return float(np.mean(earned))


@pytest.mark.slow
def test_a_target_is_reached_by_planning_in_what_random_play_has_taught():
    rng = np.random.default_rng(0)
    size = ("deter=32", "hidden=32", "units=32", "candidates=60", "horizon=6", "batch=32")
    agent = small(LINE, *size, "gain=2", "free_nats=0.5", "reward_scale=100")
    for _ in range(400):
        agent.learn(random_play(rng, 32, 10))
    starts = np.linspace(-0.9, 0.9, 5, dtype=np.float32)[:, None]
    found = shown(AgentPolicy(agent, ModeNoise(0)), starts, 12)
    optimum, places = [], starts
    for _ in range(12):
        places, reward = move(places, (0.4 - places) / 0.2)
        optimum.append(reward.mean())
    assert found > 0.9 * np.mean(optimum)
