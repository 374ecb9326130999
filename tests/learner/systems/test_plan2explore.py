"""Plan2Explore as a whole: what may touch what, in each phase, and the numbers of its presets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from learner.agent import AgentPolicy
from learner.behaviour.disagreement import Disagreement, PredictionError, variance
from learner.behaviour.explorer import RandomPlay
from learner.behaviour.noise import ModeNoise, SeededNoise
from learner.model.ensemble import resampled_rows
from learner.model.rssm import State
from learner.systems import plan2explore
from learner.train.curiosity import EmbedTarget
from learner.train.updates import Lesson
from robot.wire.spec import RobotSpec, box

SPEC = RobotSpec({"vector": box(-1.0, 1.0, (3,))}, box(-1.0, 1.0, (2,)), 10.0)
ROWS, LENGTH, UNTIL = 4, 6, 100
SMALL: dict[str, Any] = {
    "batch": ROWS, "length": LENGTH, "keys": ("vector",), "deter": 12, "hidden": 12, "units": 12,
    "layers": 1, "stoch": 3, "classes": 4, "horizon": 3, "look": 3, "members": 3,
    "member_units": 12, "explore_steps": UNTIL, "bfloat16": False, "lr": 1e-2,
}  # fmt: skip
GROUPS = ("encoder", "dynamics", "decoder", "reward", "cont", "task", "explorer", "curiosity")


def build(**changes: Any) -> Any:
    torch.manual_seed(0)
    return plan2explore.build(SPEC, plan2explore.PAPER.but(**SMALL | changes))


def experience(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    made = {"vector": (ROWS, LENGTH, 3), "action": (ROWS, LENGTH, 2), "reward": (ROWS, LENGTH)}
    floats = {key: rng.normal(size=shape).astype(np.float32) for key, shape in made.items()}
    flags = {key: np.zeros((ROWS, LENGTH), bool) for key in ("is_first", "is_last", "is_terminal")}
    flags["is_first"][:, 0] = flags["is_first"][1, 3] = True
    return floats | flags


def group(name: str) -> str:
    """Which part of the agent a weight belongs to."""
    if ".ensemble." in name or ".predictor." in name or ".gauge." in name:
        return "curiosity"
    return next(part for part in name.split(".") if part in GROUPS)


def weights(agent: Any) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in agent.named_parameters()}


def moved(agent: Any, before: Mapping[str, Tensor]) -> set[str]:
    """Parts whose weights are not what they were."""
    return {group(n) for n, w in agent.named_parameters() if not torch.equal(w, before[n])}


def learn(agent: Any, reward: float, steps: int, batches: int = 4) -> None:
    """Some training steps; `reward` multiplies what the experience paid."""
    torch.manual_seed(1)
    for seed in range(batches):
        made = experience(seed)
        agent.learn({**made, "reward": reward * made["reward"]}, steps)


@pytest.mark.parametrize("explorer", ["disagreement", "prediction_error", "random"])
def test_while_it_explores_rewards_touch_neither_model_nor_explorer(explorer: str):
    """The same to the last bit, whether rewards are large, or all zero."""
    paid, unpaid = build(explorer=explorer), build(explorer=explorer)
    learn(paid, reward=1e4, steps=UNTIL - 1)
    learn(unpaid, reward=0.0, steps=UNTIL - 1)
    differ = moved(paid, weights(unpaid))
    assert differ == {"reward", "task"}
    rows = {"vector": np.ones(3, np.float32), "is_first": np.array(True)}
    first, second = (one_action(agent, SeededNoise(0), rows) for agent in (paid, unpaid))
    assert np.array_equal(first, second)
    first, second = (one_action(agent, ModeNoise(0), rows) for agent in (paid, unpaid))
    assert not np.array_equal(first, second)


def one_action(agent: Any, noise: SeededNoise, observation: Mapping[str, np.ndarray]) -> np.ndarray:
    policy = AgentPolicy(agent, noise)
    return policy.act(policy.initial(), observation)[1]


def test_after_exploration_rewards_teach_the_model():
    paid, unpaid = build(), build()
    learn(paid, reward=1.0, steps=UNTIL)
    learn(unpaid, reward=0.0, steps=UNTIL)
    assert moved(paid, weights(unpaid)) >= {"encoder", "dynamics", "reward", "task"}


def test_the_phase_is_set_by_steps_and_travels_with_weights_and_checkpoints():
    learner, robot, resumed = build(), build(), build()
    for steps, exploring in ((UNTIL - 1, True), (UNTIL, False)):
        learner.learn(experience(), steps)
        robot.load_policy_weights(learner.policy_weights())
        resumed.load_tensors({k: v.clone() for k, v in learner.tensors().items()})
        for agent in (learner, robot, resumed):
            assert bool(agent.behaviour.phase.exploring) is exploring


TRAINS = {
    "model": {"encoder", "dynamics", "decoder"},
    "heads": {"reward", "cont"},
    "actor": {"task"},
    "critic": {"task"},
    "curiosity": {"curiosity"},
    "explorer_actor": {"explorer"},
    "explorer_critic": {"explorer"},
    "phase": set(),
}


def test_every_update_moves_its_own_part_and_no_other():
    agent = build()
    assert [update.name for update in agent.updates] == list(TRAINS)
    lesson = Lesson({key: torch.as_tensor(value) for key, value in experience().items()})
    for update in agent.updates:
        before = weights(agent)
        update(lesson)
        assert moved(agent, before) == TRAINS[update.name], update.name
        assert all(w.grad is None or not w.grad.any() for w in agent.parameters()), update.name


def test_the_explorers_gradient_passes_through_dynamics_and_members_and_stays_in_its_actor():
    agent = build()
    lesson = Lesson({key: torch.as_tensor(value) for key, value in experience().items()})
    by_name = {update.name: update for update in agent.updates}
    by_name["model"](lesson)
    by_name["explorer_actor"].loss(lesson).backward()
    reached = {n for n, w in agent.named_parameters() if w.grad is not None and w.grad.any()}
    assert reached and all(n.startswith("behaviour.explorer.actor.") for n in reached)
    curiosity = agent.behaviour.explorer.reward
    dream = next(iter(lesson.dreams.values())).dream
    assert torch.autograd.grad(curiosity(agent.model, dream).sum(), dream.actions)[0].any()


def test_both_behaviours_dream_from_the_states_of_the_same_batch():
    agent = build()
    lesson = Lesson({key: torch.as_tensor(value) for key, value in experience().items()})
    for update in agent.updates:
        update(lesson)
    states: State | None = lesson.watched
    assert states is not None
    starts = [dreamt.dream.states.stoch[:, 0] for dreamt in lesson.dreams.values()]
    assert len(starts) == 2
    for start in starts:
        assert torch.equal(start, states.stoch.flatten(0, 1))


def test_metrics_tell_both_behaviours_apart():
    metrics = build().learn(experience(), UNTIL - 1)
    assert {"critic/return", "explorer_critic/return", "curiosity/loss"} <= metrics.keys()
    assert float(metrics["phase/exploring"]) == 1.0
    assert all(value.isfinite() and value.numel() == 1 for value in metrics.values())


def test_the_paper_has_the_numbers_of_its_code():
    config = plan2explore.PRESETS["paper"]
    agent: Any = plan2explore.build(SPEC, config.model_copy(update={"keys": ("vector",)}))
    explorer = agent.behaviour.explorer
    reward = explorer.reward
    assert isinstance(reward, Disagreement) and (reward.spread, reward.scale) == (variance, 1e4)
    members = dict(reward.ensemble.named_parameters())
    shapes = [tuple(members[f"layers.{i}.weight"].shape) for i in range(3)]
    feat = 32 * 32 + 256
    assert shapes == [(5, 1024, feat + 2), (5, 1024, 1024 + 2), (5, 512, 1024 + 2)]
    assert reward.ensemble.bootstrap is resampled_rows
    assert (explorer.horizon, explorer.returns.gamma, explorer.returns.lam) == (15, 0.99, 0.95)
    task = agent.behaviour.task
    assert (task.horizon, task.returns.gamma, task.returns.lam) == (15, 0.99, 0.95)
    adam = {update.name: update for update in agent.updates}["curiosity"].optimiser.settings
    assert (adam.lr, adam.eps, adam.clip, adam.decay) == (6e-4, 1e-4, 100.0, 0.0)
    assert (config.batch, config.length, config.prefill) == (50, 50, 2500)
    assert (config.steps_per_update, config.explore_steps) == (5.0, 500_000)


def test_rivals_are_other_parts():
    wrong = build(explorer="prediction_error").behaviour.explorer.reward
    assert isinstance(wrong, PredictionError) and wrong.gauge.members == 1
    assert isinstance(build(explorer="random").behaviour.explorer, RandomPlay)
    near = build(look=1, look_gamma=0.0).behaviour
    assert (near.explorer.horizon, near.explorer.returns.gamma) == (1, 0.0)
    assert (near.task.horizon, near.task.returns.gamma) == (3, 0.99)


def test_what_members_foretell_is_chosen():
    stoch = build(target="stoch").behaviour.explorer.reward.ensemble
    assert stoch(torch.zeros(1, 24), torch.zeros(1, 2)).shape == (3, 1, 3 * 4)
    model = build().model
    made = {key: torch.as_tensor(value) for key, value in experience().items()}
    target, states = EmbedTarget(model), model.observe(made).states
    assert torch.equal(target(made, states), model.encoder(made))
    assert not target(made, states).requires_grad


def test_members_stay_in_float32_where_all_else_is_bfloat16():
    agent = build(bfloat16=True)
    kinds = {group(name): weight.dtype for name, weight in agent.named_parameters()}
    assert kinds.pop("curiosity") == torch.float32 and set(kinds.values()) == {torch.bfloat16}
    assert agent.learn(experience(), 0)["explorer_critic/return"].isfinite()
