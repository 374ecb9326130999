"""Names, presets and numbers of the systems, counted by hand where they can be."""

from typing import Any

import numpy as np
import pytest
import torch

from learner.agent import AgentPolicy
from learner.behaviour.noise import SeededNoise
from learner.behaviour.normalise import AdaptiveEntropy, MeanStdScale
from learner.behaviour.returns import ArrivalReturns
from learner.model.heads import ContinueHead, SymlogHead
from learner.model.objectives import AdaptiveBalance
from learner.model.rssm import LearnedStart
from learner.systems import SYSTEMS, build_agent, find_system, make_settings
from learner.systems.daydreamer import Config as DayDreamer
from learner.train.sampling import EpisodeChunks, UniformChunks
from robot.config import ConfigError
from robot.wire.spec import RobotSpec, box, discrete


def dense(width_in: int, width_out: int) -> int:
    """Weights of a layer without bias, and of its norm."""
    return width_in * width_out + 2 * width_out


def linear(width_in: int, width_out: int) -> int:
    return width_in * width_out + width_out


def stack(width_in: int) -> int:
    return dense(width_in, 512) + 3 * dense(512, 512)


def head(width_in: int, out: int) -> int:
    return stack(width_in) + linear(512, out)


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_daydreamer_on_paper_has_the_weights_of_the_reference(spec: RobotSpec):
    """Added up from configs.yaml, section a1: 16 inputs, 12 actions, 32 x 32 latents."""
    agent: Any = build_agent("daydreamer", spec, make_settings("daydreamer", "paper"))
    latent, feat = 32 * 32, 32 * 32 + 256
    prior = 3 * dense(256, 256) + linear(256, latent)
    posterior = dense(256 + 512, 256) + linear(256, latent)
    cell = dense(256 + 256, 3 * 256)
    assert count(agent.model.encoder) == stack(16)
    assert count(agent.model.dynamics) == (dense(latent + 12, 256) + cell + prior + posterior + 256)
    assert count(agent.model.decoder) == head(feat, 16)
    assert count(agent.model.reward) == count(agent.model.cont) == head(feat, 1)
    assert count(agent.behaviour.actor) == head(feat, 24)
    assert count(agent.behaviour.critic.head) == head(feat, 1)


def test_daydreamer_on_paper_has_the_numbers_of_the_reference(spec: RobotSpec):
    settings = make_settings("daydreamer", "paper")
    assert isinstance(settings, DayDreamer)
    agent: Any = build_agent("daydreamer", spec, settings)
    assert (settings.batch, settings.length, settings.capacity) == (32, 32, 1_000_000)
    assert (settings.prefill, settings.starts) == (5000, 0)
    assert agent.keys == ("imu", "joint_pos") and agent.sampler == EpisodeChunks(True)
    returns = agent.behaviour.returns
    assert isinstance(returns, ArrivalReturns)
    assert (agent.behaviour.horizon, returns.gamma, returns.lam) == (15, 0.995, 0.95)
    for update in agent.updates:
        adam = update.optimiser.settings
        assert (adam.lr, adam.eps, adam.clip, adam.decay) == (1e-4, 1e-6, 100.0, 1e-2)
    balance = agent.model.objective
    assert isinstance(balance, AdaptiveBalance)
    assert (balance.balance, balance.target, balance.low, balance.high) == (0.8, 3.5, 1e-3, 1.0)
    explore = agent.behaviour.explore
    assert isinstance(explore, AdaptiveEntropy)
    assert (explore.target, explore.low, explore.high) == (0.5, 1e-5, 1.0)
    assert isinstance(agent.behaviour.scale, MeanStdScale) and agent.behaviour.scale.decay == 0.99
    assert agent.behaviour.actor.spread.min_std == 0.1
    assert agent.model.dynamics.latents.unimix == 0.01


def test_daydreamer_is_put_together_from_its_own_parts(spec: RobotSpec):
    agent: Any = build_agent("daydreamer", spec, make_settings("daydreamer", "cpu"))
    model = agent.model
    kinds = {type(model.reward), type(model.cont), type(model.dynamics.start)}
    assert kinds == {SymlogHead, ContinueHead, LearnedStart}
    vector = {k: torch.full((1, *spec.observation[k].shape), 0.37) for k in agent.keys}
    assert model.encoder.inputs.vector(vector).eq(0.37).all(), "observations enter unscaled"


def test_reverie_draws_chunks_uniformly(spec: RobotSpec):
    agent: Any = build_agent("reverie", spec, make_settings("reverie", "cpu"))
    assert agent.sampler == UniformChunks() and agent.keys == ("gravity", "gyro", "joint_pos")


def test_daydreamer_for_a_cpu_differs_from_the_paper_in_size_and_patience_alone():
    paper, cpu = (make_settings("daydreamer", preset).model_dump() for preset in ("paper", "cpu"))
    size = {"batch", "length", "capacity", "units", "layers", "stoch", "classes", "depth", "starts"}
    patience = {"prefill", "pretrain", "sync_steps", "publish_s"}
    assert {key for key in paper if paper[key] != cpu[key]} == size | patience


@pytest.mark.parametrize("name", sorted(SYSTEMS.keys() - {"plan2explore", "world_models"}))
def test_every_preset_computes_in_the_precision_it_was_given(name: str, spec: RobotSpec):
    for preset in find_system(name).presets:
        changes = ["units=16", "deter=16"]
        learner: Any = build_agent(name, spec, make_settings(name, preset, changes))
        acting: Any = build_agent(name, spec, make_settings(name, preset, changes).acting())
        trained = {p.dtype for u in learner.updates for f in u.optimiser.flats for p in f.params}
        assert trained == {torch.bfloat16}
        assert {p.dtype for p in acting.parameters()} == {torch.float32}
        buffers = {b.dtype for b in learner.buffers()}
        assert torch.bfloat16 not in buffers


def test_an_agent_is_told_its_keys_by_their_names(spec: RobotSpec):
    small = ["units=8", "deter=8", "stoch=2", "classes=2", "mirror=false"]
    agent = build_agent(
        "reverie", spec, make_settings("reverie", "cpu", [*small, "keys=[vectors]"])
    )
    assert set(agent.keys) == spec.observation.keys() and len(agent.keys) > 5  # it has no camera


def test_unknown_names_are_told_what_exists():
    with pytest.raises(ConfigError, match="unknown 'dreamer' .*; there are reverie, world"):
        find_system("dreamer")
    with pytest.raises(ConfigError, match="daydreamer has no 'gpu'; it has paper, cpu"):
        make_settings("daydreamer", "gpu")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("daydreamer", "horizon=0", "horizon: got 0"),
        ("daydreamer", "gamma=1.5", "gamma: got 1.5"),
        ("daydreamer", "keys=[]", "keys: got"),
        ("daydreamer", "entropy=1", "unknown key entropy; allowed here: batch, length"),
        ("daydreamer", "min_std=1.0", "min_std: got 1.0"),
        ("reverie", "lr_model=-1", "lr_model: got -1"),
        ("reverie", "batch=0", "batch: got 0"),
        ("reverie", "deter=big", "deter: got 'big'"),
        ("reverie", "bins=126", "bins: 126 is even; allowed is odd"),
    ],
)
def test_a_bad_number_is_named(name: str, change: str, said: str):
    with pytest.raises(ConfigError, match=said):
        make_settings(name, "cpu", [change])


def test_a_change_reaches_the_agent(spec: RobotSpec):
    changes = ["units=24", "deter=40", "horizon=3", "keys=[gyro]"]
    agent: Any = build_agent("daydreamer", spec, make_settings("daydreamer", "cpu", changes))
    assert agent.model.dynamics.deter == 40 and agent.behaviour.horizon == 3
    assert agent.model.encoder.width == 24 and agent.model.encoder.inputs.width == 3


def test_our_own_system_chooses_where_choices_are_asked_for():
    spec = RobotSpec({"cue": box(-1, 1, (3,))}, discrete(4), 20.0)
    settings = make_settings("reverie", "cpu", ["keys=[vectors]", "mirror=false", "units=16"])
    policy = AgentPolicy(build_agent("reverie", spec, settings.acting()), SeededNoise(0))
    seen = {"cue": np.zeros(3, np.float32), "is_first": np.array(True)}
    drawn = {int(policy.act(policy.initial(), seen)[1].argmax()) for _ in range(60)}
    assert drawn == {0, 1, 2, 3}
    spec.action.check("action", policy.act(policy.initial(), seen)[1])
