"""Reverie's own system: what learns fastest per robot minute on a modest computer.

A DreamerV3-like model and critic with DayDreamer's gradients through the dynamics; small, with
little entropy, trained in bfloat16, and taught every experience together with its mirror image.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from learner.agent import Agent
from learner.behaviour.actor import NormalActor
from learner.behaviour.actor_critic import ActorCritic, Outlook
from learner.behaviour.critic import SteadiedCritic
from learner.behaviour.normalise import FixedEntropy, PercentileScale
from learner.model.encoders import Decoder, Encoder, Inputs, pick
from learner.model.heads import NeverEnds, TwoHotHead
from learner.model.latents import Categoricals
from learner.model.nets import Style, truncated_normal
from learner.model.objectives import FreeBits
from learner.model.rssm import RSSM, ZeroStart
from learner.model.world_model import WorldModel
from learner.systems.settings import Settings
from learner.train.augment import Mirror, PickStarts, ShiftReward
from learner.train.optimisers import Adam, AdamSettings
from learner.train.updates import DreamLesson, ModelLesson, Update
from robot.wire.spec import RobotSpec


class Config(Settings):
    """Numbers of the system; all were found by runs on the A1's MuJoCo twin."""

    keys: tuple[str, ...] = ("gravity", "gyro", "joint_pos")
    gain: float = 2.0
    reward_offset: float = 5.0
    deter: int = 256
    units: int = 256
    layers: int = 2
    stoch: int = 16
    classes: int = 16
    depth: int = 24
    bins: int = 127
    limit: float = 10.0
    lr_model: float = 3e-4
    lr_actor: float = 1e-4
    lr_critic: float = 1e-4
    entropy: float = 3e-4
    min_std: float = 0.1
    gamma: float = 0.995
    lam: float = 0.95
    horizon: int = 15
    starts: int = 96
    mirror: bool = True


PRESETS = {
    "cpu": Config(),
    "gpu": Config(units=512, deter=512, stoch=32, classes=32, batch=32, length=32, starts=0),
}


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    style = Style(F.silu, truncated_normal)
    model = build_model(spec, config, style)
    width, action = model.dynamics.feat_width, spec.action.shape[0]
    actor = NormalActor(
        width, action, config.units, config.layers, style, config.min_std, 1.0, 2.0, 0.01
    )
    critic = SteadiedCritic(two_hot(width, config, style))
    if config.bfloat16:
        for part in (model, actor, critic.head, critic.slow):
            part.to(torch.bfloat16)
    behaviour = ActorCritic(
        actor,
        critic,
        PercentileScale(),
        FixedEntropy(config.entropy),
        Outlook(config.horizon, config.gamma, config.lam),
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
    prepare = (ShiftReward(config.reward_offset), Mirror(spec.mirror if config.mirror else {}))
    return Agent(model, behaviour, updates, prepare, config.keys)


def build_model(spec: RobotSpec, config: Config, style: Style) -> WorldModel:
    """World model: categorical RSSM, two-hot reward, free bits, no continue head."""
    inputs = Inputs(pick(spec.observation, config.keys), config.gain)
    encoder = Encoder(inputs, config.units, config.layers, config.depth, style)
    dynamics = RSSM(
        spec.action.shape[0],
        encoder.width,
        config.deter,
        config.units,
        Categoricals(config.stoch, config.classes),
        style,
        ZeroStart(),
    )
    width = dynamics.feat_width
    return WorldModel(
        encoder,
        dynamics,
        Decoder(inputs, width, config.units, config.layers, config.depth, style),
        two_hot(width, config, style),
        NeverEnds(),
        FreeBits(dynamics=0.5, representation=0.1, free=1.0),
    )


def two_hot(width: int, config: Config, style: Style) -> TwoHotHead:
    """Head of reward and critic."""
    return TwoHotHead(width, config.units, config.layers, style, config.bins, config.limit)
