"""Reverie's own system: what learns fastest per robot minute on a modest computer.

A DreamerV3-like model and critic with DayDreamer's gradients through the dynamics; small, with
little entropy, trained in bfloat16, and taught every experience together with its mirror image.
"""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field, field_validator

from learner.agent import Agent, Diet
from learner.behaviour.actor import Spread
from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.critic import SteadiedCritic
from learner.behaviour.normalise import FixedEntropy, PercentileScale
from learner.behaviour.policies import make_actor
from learner.behaviour.returns import ArrivalReturns
from learner.model.encoders import Decoder, Encoder, Inputs, pick
from learner.model.heads import NeverEnds, TwoHotHead
from learner.model.latents import Categoricals
from learner.model.nets import Hidden, Style, to_bfloat16, truncated_normal
from learner.model.objectives import FreeBits
from learner.model.rssm import RSSM, ZeroStart
from learner.model.world_model import WorldModel
from learner.train.augment import Mirror, PickStarts, ShiftReward
from learner.train.optimisers import Adam, AdamSettings
from learner.train.sampling import UniformChunks
from learner.train.settings import Count, Keys, Positive, Settings, Share
from learner.train.updates import DreamLesson, ModelLesson, Update
from robot.wire.spec import RobotSpec


class Config(Settings):
    """Numbers of the system; all were found by runs on the A1's MuJoCo twin."""

    steps_per_update: Positive = 5.0
    early_steps: int = Field(default=24_000, ge=0)
    early_factor: float = Field(default=2.5, ge=1)
    keys: Keys = ("gravity", "gyro", "joint_pos")
    gain: float = Field(default=2.0, ge=0)
    reward_offset: float = 5.0
    deter: Count = 256
    units: Count = 256
    layers: Count = 2
    stoch: Count = 16
    classes: int = Field(default=16, ge=2)
    depth: Count = 24
    bins: int = Field(default=127, ge=3)
    limit: Positive = 10.0
    lr_model: Positive = 3e-4
    lr_actor: Positive = 1e-4
    lr_critic: Positive = 1e-4
    entropy: float = Field(default=3e-4, ge=0)
    min_std: float = Field(default=0.05, gt=0, lt=1)
    gamma: Share = 0.995
    lam: Share = 0.95
    horizon: Count = 15
    starts: int = Field(default=48, ge=0)
    noise_correlation: float = Field(default=0.8, ge=0, lt=1)
    mirror: bool = True

    @field_validator("bins")
    @classmethod
    def _odd(cls, bins: int) -> int:
        if bins % 2 == 0:
            raise ValueError(f"{bins} is even; allowed is odd, so that one bin stands for zero")
        return bins


PRESETS = {
    "cpu": Config(),
    "large": Config(units=512, deter=512, stoch=32, classes=32, batch=32, length=32, starts=0),
}


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    hidden = Hidden(config.units, config.layers, Style(F.silu, truncated_normal))
    model = build_model(spec, config, hidden)
    width = model.dynamics.feat_width
    spread = Spread(config.min_std, 1.0, std_offset=2.0, mean_scale=0.01, std_scale=0.01)
    actor = make_actor(spec.action, width, hidden, spread)
    critic = SteadiedCritic(TwoHotHead(width, hidden, config.bins, config.limit))
    if config.bfloat16:
        to_bfloat16(model, actor, critic.head, critic.slow)
    behaviour = ActorCritic(
        actor,
        critic,
        config.horizon,
        ArrivalReturns(config.gamma, config.lam),
        PercentileScale(),
        FixedEntropy(config.entropy),
    )
    lesson = ModelLesson(model, {})
    dreams = DreamLesson(model, behaviour, PickStarts(config.starts))
    updates = (
        Update("model", Adam(model.parameters(), AdamSettings(config.lr_model)), lesson.loss),
        Update("actor", Adam(actor.parameters(), AdamSettings(config.lr_actor)), dreams.actor_loss),
        Update(
            "critic",
            Adam(critic.head.parameters(), AdamSettings(config.lr_critic)),
            dreams.critic_loss,
            critic.follow,
        ),
    )
    mirror = Mirror(spec.mirror if config.mirror else {}, config.keys)
    diet = Diet(config.keys, UniformChunks(), (ShiftReward(config.reward_offset), mirror))
    return Agent(model, behaviour, updates, diet)


def build_model(spec: RobotSpec, config: Config, hidden: Hidden) -> WorldModel:
    """World model: categorical RSSM, two-hot reward, free bits, no continue head."""
    inputs = Inputs(pick(spec.observation, config.keys), config.gain)
    encoder = Encoder(inputs, hidden, config.depth)
    dynamics = RSSM(
        spec.action.shape[0],
        encoder.width,
        config.deter,
        config.units,
        Categoricals(config.stoch, config.classes),
        hidden.style,
        ZeroStart(),
    )
    width = dynamics.feat_width
    return WorldModel(
        encoder,
        dynamics,
        Decoder(inputs, width, hidden, config.depth),
        TwoHotHead(width, hidden, config.bins, config.limit),
        NeverEnds(),
        FreeBits(dynamics=0.5, representation=0.1, free=1.0),
    )
