"""Reverie's own system: what learns fastest per robot minute on a modest computer.

A DreamerV3-like model and critic with DayDreamer's gradients through the dynamics; small, with
little entropy, trained in bfloat16, and taught every experience together with its mirror image.
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from pydantic import Field

from learner.agent import Agent, Diet
from learner.behaviour.actor import Spread
from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.critic import SteadiedCritic
from learner.behaviour.normalise import FixedEntropy, PercentileScale
from learner.behaviour.policies import make_actor
from learner.behaviour.returns import ArrivalReturns
from learner.model.heads import NeverEnds, TwoHotHead
from learner.model.latents import Categoricals
from learner.model.nets import Hidden, Style, to_bfloat16, truncated_normal
from learner.model.normed_model import Kinds, normed_parts
from learner.model.objectives import FreeBits
from learner.model.rssm import ZeroStart
from learner.model.world_model import WorldModel
from learner.train.augment import Mirror, PickStarts, ShiftReward
from learner.train.optimisers import Adam, AdamSettings
from learner.train.sampling import UniformChunks
from learner.train.settings import Bins, Count, Keys, Positive, Settings, Share
from learner.train.updates import DreamLesson, ModelLesson, Update, behaviour_updates
from robot.wire.spec import RobotSpec


class Config(Settings):
    """Numbers of the system; all were found by runs on the A1's MuJoCo twin."""

    steps_per_update: Positive = 5.0
    early_steps: int = Field(default=21_600, ge=0)
    early_factor: float = Field(default=3.0, ge=1)
    keys: Keys = ("gravity", "gyro", "joint_pos")
    gain: float = Field(default=2.0, ge=0)
    reward_offset: float = 5.0
    deter: Count = 256
    units: Count = 256
    layers: Count = 2
    stoch: Count = 16
    classes: int = Field(default=16, ge=2)
    depth: Count = 24
    bins: Bins = 127
    limit: Positive = 10.0
    lr_model: Positive = 3e-4
    lr_actor: Positive = 1e-4
    lr_critic: Positive = 1e-4
    entropy: float = Field(default=3e-4, ge=0)
    min_std: float = Field(default=0.1, gt=0, lt=1)
    gamma: Share = 0.995
    lam: Share = 0.95
    horizon: Count = 15
    starts: int = Field(default=48, ge=0)
    noise_correlation: float = Field(default=0.8, ge=0, lt=1)
    calm_updates: int = Field(default=15_000, ge=0)
    calm_scale: float = Field(default=0.5, ge=0, le=1)
    mirror: bool = True


PRESETS = {
    "cpu": Config(),
    "large": Config(units=512, deter=512, stoch=32, classes=32, batch=32, length=32, starts=0),
}


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    c, hidden = config, Hidden(config.units, config.layers, Style(F.silu, truncated_normal))
    kinds = Kinds(Categoricals(c.stoch, c.classes), ZeroStart(), hidden, c.units)
    encoder, dynamics, decoder = normed_parts(spec, c, kinds)
    width = dynamics.feat_width
    reward, objective = TwoHotHead(width, hidden, c.bins, c.limit), FreeBits(0.5, 0.1, free=1.0)
    model = WorldModel(encoder, dynamics, decoder, reward, NeverEnds(), objective)
    spread = Spread(c.min_std, 1.0, std_offset=2.0, mean_scale=0.01, std_scale=0.01)
    actor = make_actor(spec.action, width, hidden, spread)
    critic = SteadiedCritic(TwoHotHead(width, hidden, c.bins, c.limit))
    if c.bfloat16:
        to_bfloat16(model, actor, critic.head, critic.slow)
    returns, explore = ArrivalReturns(c.gamma, c.lam), FixedEntropy(c.entropy)
    behaviour = ActorCritic(actor, critic, c.horizon, returns, PercentileScale(), explore)
    rates = c.lr_model, c.lr_actor, c.lr_critic
    learns, acts, judges = (partial(Adam, settings=AdamSettings(lr)) for lr in rates)
    dreams = DreamLesson(model, behaviour, PickStarts(c.starts))
    learn = Update("model", learns(model.parameters()), ModelLesson(model, {}).loss)
    updates = (learn, *behaviour_updates(dreams, acts, judges))
    mirror = Mirror(spec.mirror if c.mirror else {}, c.keys)
    diet = Diet(c.keys, UniformChunks(), (ShiftReward(c.reward_offset), mirror))
    return Agent(model, behaviour, updates, diet)
