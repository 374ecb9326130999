"""DayDreamer (Wu et al. 2022, arXiv 2206.14176), as in its released code, `dreamerv2plus` on A1.

`paper` takes every number from that code's configs.yaml (section a1). Where ours differs from it:

* The baseline of the advantage is detached (see `ActorCritic`); there, gradients flow into it
  through the imagined states. The slow critic starts as a copy (see `SlowTargetCritic`).
* The learner there runs as fast as its GPU allows, and the actor looks for newer weights every
  20 s. Ours makes at most one update per `steps_per_update` steps, 4 as in the synchronous loop
  there (`train_every`), and in lock-step looks every 400 steps, so that results can be repeated.
* bfloat16 with float32 optimisers, losses, divergences and recurrent state; there, float16.
* Weights start from another generator, and latents are drawn by inversion: the same distributions.
* A record holds the action chosen at it, not the one before it, and an episode that has not ended
  yet is not learnt from (as there); see `EpisodeChunks`.

Choices keep 10% of the uniform, as those of its robots do. `cpu` is the same algorithm, small: with
dreams from a random part of the batch's states, and less random play before the first update.
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from pydantic import Field

from learner.agent import Agent, Diet
from learner.behaviour import actor, critic, gradient, normalise, policies
from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.returns import ArrivalReturns
from learner.behaviour.rewards import DreamReward
from learner.model import heads, latents, normed_model, objectives, rssm
from learner.model.nets import Hidden, Style, to_bfloat16, uniform_average
from learner.model.world_model import WorldModel
from learner.train.augment import PickStarts
from learner.train.optimisers import Adam, AdamSettings
from learner.train.sampling import EpisodeChunks
from learner.train.settings import Count, DreamSettings, Keys, Positive, Share
from learner.train.updates import DreamLesson, ModelLesson, Update, behaviour_updates
from robot.wire.spec import RobotSpec


class Config(DreamSettings):
    """Numbers of the system."""

    keys: Keys = ("imu", "joint_pos")
    classes: int = Field(ge=2)
    lr: Positive
    kl_target: Positive  # nats
    entropy_target: Share  # of the possible
    min_std: float = Field(gt=0, lt=1)
    target_every: Count  # critic updates between two copies to the slow critic


PAPER = Config(
    batch=32, length=32, capacity=1_000_000, prefill=5000, pretrain=1,
    sync_steps=400, publish_s=20.0,
    gain=0.0, deter=256, hidden=256, units=512, layers=4, stoch=32, classes=32, depth=64,
    lr=1e-4, kl_target=3.5, entropy_target=0.5, min_std=0.1,
    gamma=0.995, lam=0.95, horizon=15, target_every=100, starts=0,
)  # fmt: skip
CPU = PAPER.but(
    batch=24, length=16, capacity=200_000, prefill=1000, pretrain=100, sync_steps=20, publish_s=2.0,
    units=256, layers=2, stoch=16, classes=16, depth=24, starts=96,
)  # fmt: skip
PRESETS = {"paper": PAPER, "cpu": CPU}
STYLE = Style(F.elu, uniform_average, eps=1e-3)  # of all layers
ADAM = partial(AdamSettings, eps=1e-6, clip=100.0, decay=1e-2)  # `model_opt`, `actor_opt`, ...


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    model = build_model(spec, config)
    behaviour, dreams = build_behaviour(spec, config, model)
    adam = Adam(model.parameters(), ADAM(config.lr))
    learn = Update("model", adam, ModelLesson(model, {}).loss)
    diet = Diet(config.keys, EpisodeChunks(prioritise_ends=True))
    return Agent(model, behaviour, (learn, *dreams), diet)


def build_model(spec: RobotSpec, c: Config) -> WorldModel:
    """World model: categorical RSSM, symlog reward, continue head, adaptive balanced divergence."""
    z, start = latents.Categoricals(c.stoch, c.classes, unimix=0.01), rssm.LearnedStart(c.deter)
    hidden = Hidden(c.units, c.layers, STYLE)
    kinds = normed_model.Kinds(z, start, hidden, c.hidden, prior_layers=3, scale=0.1)
    encoder, dynamics, decoder = normed_model.normed_parts(spec, c, kinds)
    width = dynamics.feat_width
    foretold = heads.SymlogHead(width, hidden), heads.ContinueHead(width, hidden)
    objective = objectives.AdaptiveBalance(balance=0.8, target=c.kl_target, low=1e-3, high=1.0)
    model = WorldModel(encoder, dynamics, decoder, *foretold, objective)
    if c.bfloat16:
        to_bfloat16(model)
    return model


def build_behaviour(
    spec: RobotSpec, c: Config, model: WorldModel, pay: DreamReward | None = None, prefix: str = ""
) -> tuple[ActorCritic, tuple[Update, ...]]:
    """Actor, critic and what trains them: the critic first, under names with a prefix."""
    width, hidden = model.dynamics.feat_width, Hidden(c.units, c.layers, STYLE)
    acts = policies.make_actor(spec.action, width, hidden, actor.Spread(c.min_std, unimix=0.1))
    values = critic.SlowTargetCritic(heads.SymlogHead(width, hidden), c.target_every)
    if c.bfloat16:
        to_bfloat16(acts, values)
    judging = ArrivalReturns(c.gamma, c.lam), normalise.MeanStdScale(decay=0.99)
    explore = normalise.AdaptiveEntropy(acts.entropies, c.entropy_target)
    learning = explore, gradient.usual_gradient(spec.action), pay
    behaviour = ActorCritic(acts, values, c.horizon, *judging, *learning)
    dreams = DreamLesson(model, behaviour, PickStarts(c.starts), f"{prefix}critic")
    adam = partial(Adam, settings=ADAM(c.lr))
    return behaviour, behaviour_updates(dreams, adam, adam, prefix)[::-1]
