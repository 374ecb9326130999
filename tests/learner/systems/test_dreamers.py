"""Dreamer and DreamerV2: for every kind of robot, and which loss moves which weights."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learner.agent import Agent
from learner.behaviour.gradient import Mixed, Reinforce, Through
from learner.behaviour.jitter import Jitter, Slips
from learner.model.fixed_kl import WholeKL
from learner.model.heads import Aside
from learner.model.plain import BareGRU, SigmoidGaussians
from learner.systems import dreamer_v1, dreamer_v2, make_settings
from learner.train.updates import Lesson
from robot.config import ConfigError
from robot.wire.spec import RobotSpec, box, discrete, image

B, T = 3, 6
VECTOR, PICTURE = {"joints": box(-2, 2, (3,))}, {"camera": image(64, 64)}
MOVES, CHOICES = box(-1, 1, (2,)), discrete(4)
ROBOTS = {
    "vectors": RobotSpec(VECTOR, MOVES, 20.0),
    "pictures": RobotSpec(PICTURE, MOVES, 20.0),
    "both": RobotSpec(VECTOR | PICTURE, MOVES, 20.0),
    "choices": RobotSpec(VECTOR | PICTURE, CHOICES, 20.0),
}
PAGES: dict[str, Any] = {"v1": dreamer_v1, "v2": dreamer_v2}
SMALL: dict[str, Any] = {
    "batch": B, "length": T, "deter": 12, "hidden": 12, "stoch": 4, "units": 12, "layers": 1,
    "depth": 2, "horizon": 4, "starts": 0, "ends": True, "bfloat16": False,
}  # fmt: skip
CHOOSING = {"v1": {}, "v2": {"classes": 4}}
COMBINATIONS = [(page, robot) for page in PAGES for robot in ROBOTS]


def build(page: str, robot: str, **changes: Any) -> Agent:
    torch.manual_seed(0)
    settings = PAGES[page].PAPER.but(**SMALL | CHOOSING[page] | changes)
    return PAGES[page].build(ROBOTS[robot], settings)


def experience(robot: str, seed: int = 0) -> dict[str, np.ndarray]:
    """Chunks (B, T, ...) of anything."""
    rng, spec = np.random.default_rng(seed), ROBOTS[robot]
    made = {}
    for key, one in spec.observation.items():
        shape = (B, T, *one.shape)
        values = rng.integers(0, 256, shape) if one.is_image else rng.normal(size=shape)
        made[key] = values.astype(one.dtype)
    actions = [spec.action.space.sample() for _ in range(B * T)]
    made["action"] = np.stack(actions).reshape(B, T, -1)
    made["reward"] = rng.normal(size=(B, T)).astype(np.float32)
    for key in ("is_first", "is_last", "is_terminal"):
        made[key] = np.zeros((B, T), bool)
    made["is_first"][:, 0], made["is_terminal"][0, -1] = True, True
    return made


def batch(robot: str) -> dict[str, Tensor]:
    return {key: torch.as_tensor(value) for key, value in experience(robot).items()}


def grads(loss: Tensor, part: nn.Module | Iterable[nn.Parameter]) -> float:
    """Sum of the sizes of a loss's gradients to a part."""
    weights = list(part.parameters() if isinstance(part, nn.Module) else part)
    found = torch.autograd.grad(loss, weights, allow_unused=True, retain_graph=True)
    return sum(float(g.abs().sum()) for g in found if g is not None)


@pytest.mark.parametrize(("page", "robot"), COMBINATIONS)
def test_every_kind_of_robot_can_learn_in_bfloat16(page: str, robot: str):
    agent = build(page, robot, bfloat16=True)
    assert all(value.isfinite() for value in agent.learn(experience(robot)).values())


@pytest.mark.parametrize(("page", "robot"), COMBINATIONS)
def test_the_model_is_moved_by_its_own_losses_alone(page: str, robot: str):
    agent: Any = build(page, robot)
    dreamer = getattr(agent.behaviour, "behaviour", agent.behaviour)
    model, lesson = agent.model, Lesson(batch(robot))
    loss, actor, critic = (update.loss(lesson) for update in agent.updates)
    parts = {
        "encoder": model.encoder,
        "dynamics": model.dynamics,
        "decoder": model.decoder,
        "reward": model.reward,
        "ends": model.cont,
        "actor": dreamer.actor,
        "critic": dreamer.critic.head,
    }
    moved = {
        name: {part for part, module in parts.items() if grads(one, module)}
        for name, one in {"model": loss, "actor": actor, "critic": critic}.items()
    }
    assert moved == {
        "model": {"encoder", "dynamics", "decoder", "reward", "ends"},
        "actor": {"actor"},
        "critic": {"critic"},
    }


def test_the_slow_critic_is_only_copied():
    agent: Any = build("v2", "vectors")
    critic = agent.behaviour.critic
    assert not any(weight.requires_grad for weight in critic.slow.parameters())
    agent.learn(experience("vectors"))
    for slow, fast in zip(critic.slow.parameters(), critic.head.parameters(), strict=True):
        assert torch.equal(slow, fast)
    agent.learn(experience("vectors"))
    pairs = zip(critic.slow.parameters(), critic.head.parameters(), strict=True)
    assert any(not torch.equal(slow, fast) for slow, fast in pairs)


@pytest.mark.parametrize(
    ("robot", "changes", "through"),
    [("vectors", {}, True), ("choices", {}, False), ("choices", {"ablation": "mixed"}, True)],
)
def test_choices_are_learnt_by_their_odds_and_movements_through_the_dream(
    robot: str, changes: dict[str, str], through: bool
):
    agent: Any = build("v2", robot, **changes)
    lesson = Lesson(batch(robot))
    agent.updates[0].loss(lesson)
    agent.updates[1].loss(lesson)
    (dreamt,) = lesson.dreams.values()
    assert dreamt.dream.states.deter.requires_grad == through


def test_dreamer_starts_no_dream_where_an_episode_ended():
    agent = build("v1", "vectors")
    lesson = Lesson(batch("vectors"))
    agent.updates[0].loss(lesson)  # type: ignore[attr-defined]
    agent.updates[1].loss(lesson)  # type: ignore[attr-defined]
    (dreamt,) = lesson.dreams.values()
    assert dreamt.live.tolist() == [1.0] * (B * T - 1)


def test_only_dreamer_disturbs_its_actions():
    assert type(build("v1", "vectors").behaviour) is Jitter
    assert type(build("v1", "choices").behaviour) is Slips
    assert not isinstance(build("v2", "vectors").behaviour, Jitter)


def test_every_ablation_has_a_name_in_the_settings():
    assert all(set(parts) <= set(dreamer_v2.FULL) for parts in dreamer_v2.ABLATIONS.values())
    with pytest.raises(ConfigError, match="ablation: got 'no_actor'; allowed is none, gaussian, "):
        make_settings("dreamer_v2", "cpu", ["ablation=no_actor"])


@pytest.mark.parametrize("ablation", dreamer_v2.ABLATIONS)
def test_every_ablation_learns(ablation: str):
    agent = build("v2", "choices", ablation=ablation)
    assert all(value.isfinite() for value in agent.learn(experience("choices")).values())


def test_ablations_are_other_parts():
    def made(name: str, robot: str = "choices") -> Any:
        return build("v2", robot, ablation=name)

    assert isinstance(made("gaussian").model.dynamics.latents, SigmoidGaussians)
    assert isinstance(made("no_balance").model.objective, WholeKL)
    assert isinstance(made("no_layer_norm").model.dynamics.cell, BareGRU)
    assert isinstance(made("reinforce_only", "vectors").behaviour.gradient, Reinforce)
    assert isinstance(made("dynamics_only").behaviour.gradient, Through)
    assert isinstance(made("mixed").behaviour.gradient, Mixed)


@pytest.mark.parametrize(
    ("ablation", "silent"), [("no_image_gradient", "decoder"), ("no_reward_gradient", "reward")]
)
def test_a_part_that_is_ablated_learns_aside(ablation: str, silent: str):
    agent: Any = build("v2", "both", ablation=ablation)
    made, names = batch("both"), {"decoder": ("image", "vector"), "reward": ("reward",)}
    losses, _ = agent.model.losses(made)
    assert isinstance(getattr(agent.model, silent), Aside)
    for part, keys in names.items():
        for key in keys:
            reached = grads(losses[key].mean(), agent.model.encoder)
            assert (reached == 0) == (part == silent)
            assert grads(losses[key].mean(), getattr(agent.model, part)) > 0


def count(part: nn.Module) -> float:
    return sum(weight.numel() for weight in part.parameters()) / 1e6


def test_dreamer_v2_on_games_is_as_large_as_the_paper_says():
    """22 million weights: 20 of the world model, 1 of the actor, 1 of the critic (section 3)."""
    spec = RobotSpec({"screen": image(64, 64, 1)}, discrete(18), 15.0)
    agent: Any = dreamer_v2.build(spec, dreamer_v2.PRESETS["atari"])
    assert count(agent.model) == pytest.approx(20, abs=1.5)
    assert count(agent.behaviour.actor) == pytest.approx(1, abs=0.2)
    assert count(agent.behaviour.critic.head) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("page", PAGES)
def test_the_small_preset_is_small(page: str):
    agent: Any = PAGES[page].build(ROBOTS["vectors"], PAGES[page].PRESETS["cpu"])
    assert 0.2 < count(agent) < 1.2
