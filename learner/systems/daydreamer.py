"""DayDreamer (Wu et al. 2022, arXiv 2206.14176), as in its released code, `dreamerv2plus` on A1.

The preset `paper` takes every number from that code's `configs.yaml` (section a1). Where ours
differs from it:

* The critic's value is detached where it is the baseline of the advantage; there, gradients flow
  into it through the imagined states, which rewards the actor for visiting states of low value.
* The slow critic starts as a copy; there, it is random until the first update has been made.
* The learner there runs as fast as its GPU allows, beside the robot. Ours makes at most one update
  per `steps_per_update` steps, the 4 of the synchronous loop there (`train_every`), so that a
  result depends neither on the computer nor on the moment.
* The actor there looks for newer weights every 20 s; in lock-step ours does every 400 steps.
* float16 with loss scaling there; bfloat16 here, which needs none, with float32 optimisers, losses,
  divergences and recurrent state. `bfloat16=false` computes in float32.
* Weights start from another generator, and latents are drawn by inversion: the same distributions.
* A record holds the action chosen at it, not the one before it, and an episode that has not ended
  yet is not learnt from (as there); see `EpisodeChunks`.

The preset `cpu` is the same algorithm in the size of Reverie's own: smaller networks and batches,
dreams from a random part of the batch's states, less random play before the first update.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch.nn.functional as F
from pydantic import Field
from torch import nn

from learner.agent import Agent, Diet
from learner.behaviour.actor import NormalActor, Spread
from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.critic import SlowTargetCritic
from learner.behaviour.normalise import AdaptiveEntropy, MeanStdScale
from learner.behaviour.returns import ArrivalReturns
from learner.behaviour.rewards import DreamReward
from learner.model.encoders import Decoder, Encoder, Inputs, pick
from learner.model.heads import ContinueHead, SymlogHead
from learner.model.latents import Categoricals
from learner.model.nets import Hidden, Style, to_bfloat16, uniform_average
from learner.model.objectives import AdaptiveBalance
from learner.model.rssm import RSSM, LearnedStart
from learner.model.world_model import WorldModel
from learner.train.augment import PickStarts
from learner.train.optimisers import Adam, AdamSettings
from learner.train.sampling import EpisodeChunks
from learner.train.settings import Count, Keys, Positive, Settings, Share
from learner.train.updates import DreamLesson, ModelLesson, Update
from robot.wire.spec import RobotSpec


class Config(Settings):
    """Numbers of the system; the defaults are those of the released code for the A1.

    Args:
        keys: observation keys, joined.
        gain: what a typical deviation of a key is scaled to; 0 leaves the numbers as they are.
        deter: width of the recurrent memory.
        hidden: width of the recurrent model's other layers.
        units: width of the layers of encoder, decoder, heads, actor and critic.
        layers: number of those.
        stoch: categorical variables.
        classes: values of each.
        depth: channels of the encoder's first convolution.
        lr: step size of all three optimisers.
        kl_target: nats that the scale of the divergence is steered to.
        entropy_target: share of the possible entropy that its coefficients are steered to.
        min_std: smallest deviation of the actor.
        gamma: discount per step.
        lam: of the lambda return.
        horizon: imagined steps.
        target_every: critic updates between two copies to the slow critic.
        starts: states of a batch that dreams start from; 0 takes all.
    """

    batch: Count = 32
    length: int = Field(default=32, ge=2)
    capacity: int = Field(default=1_000_000, ge=100)
    prefill: int = Field(default=5000, ge=0)
    pretrain: int = Field(default=1, ge=0)
    sync_steps: Count = 400
    publish_s: Positive = 20.0
    keys: Keys = ("imu", "joint_pos")
    gain: float = Field(default=0.0, ge=0)
    deter: Count = 256
    hidden: Count = 256
    units: Count = 512
    layers: Count = 4
    stoch: Count = 32
    classes: int = Field(default=32, ge=2)
    depth: Count = 64
    lr: Positive = 1e-4
    kl_target: Positive = 3.5
    entropy_target: Share = 0.5
    min_std: float = Field(default=0.1, gt=0, lt=1)
    gamma: Share = 0.995
    lam: Share = 0.95
    horizon: Count = 15
    target_every: Count = 100
    starts: int = Field(default=0, ge=0)


PRESETS = {
    "paper": Config(),
    "cpu": Config(
        batch=24,
        length=16,
        capacity=200_000,
        prefill=1000,
        pretrain=100,
        sync_steps=20,
        publish_s=2.0,
        units=256,
        layers=2,
        stoch=16,
        classes=16,
        depth=24,
        starts=96,
    ),
}


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    hidden = Hidden(config.units, config.layers, Style(F.elu, uniform_average, eps=1e-3))
    model = build_model(spec, config, hidden)
    behaviour, dreams = build_behaviour(spec, config, model, hidden)
    updates = (Update("model", make_adam(model.parameters(), config), ModelLesson(model, {}).loss),)
    diet = Diet(config.keys, EpisodeChunks(prioritise_ends=True))
    return Agent(model, behaviour, (*updates, *dreams), diet)


def make_adam(params: Iterable[nn.Parameter], config: Config) -> Adam:
    """The optimiser of all parts (configs.yaml, `model_opt`, `actor_opt`, `critic_opt`)."""
    return Adam(params, AdamSettings(config.lr, eps=1e-6, clip=100.0, decay=1e-2))


def build_behaviour(
    spec: RobotSpec,
    config: Config,
    model: WorldModel,
    hidden: Hidden,
    reward: DreamReward | None = None,
    prefix: str = "",
) -> tuple[ActorCritic, tuple[Update, ...]]:
    """Actor, critic and what trains them, under names with a prefix where there are several."""
    width, action = model.dynamics.feat_width, spec.action.shape[0]
    actor = NormalActor(width, action, hidden, Spread(config.min_std))
    critic = SlowTargetCritic(SymlogHead(width, hidden), config.target_every)
    if config.bfloat16:
        to_bfloat16(actor, critic)
    behaviour = ActorCritic(
        actor,
        critic,
        config.horizon,
        ArrivalReturns(config.gamma, config.lam),
        MeanStdScale(decay=0.99),
        AdaptiveEntropy(action, config.entropy_target),
        reward=reward,
    )
    dreams = DreamLesson(model, behaviour, PickStarts(config.starts), f"{prefix}critic")
    adams = make_adam(critic.head.parameters(), config), make_adam(actor.parameters(), config)
    return behaviour, (
        Update(f"{prefix}critic", adams[0], dreams.critic_loss, critic.follow),
        Update(f"{prefix}actor", adams[1], dreams.actor_loss),
    )


def build_model(spec: RobotSpec, config: Config, hidden: Hidden) -> WorldModel:
    """World model: categorical RSSM, symlog reward, continue head, adaptive balanced divergence."""
    inputs = Inputs(pick(spec.observation, config.keys), config.gain)
    encoder = Encoder(inputs, hidden, config.depth)
    dynamics = RSSM(
        spec.action.shape[0],
        encoder.width,
        config.deter,
        config.hidden,
        Categoricals(config.stoch, config.classes, unimix=0.01),
        hidden.style,
        LearnedStart(config.deter),
        prior_layers=3,
        post_layers=1,
    )
    width = dynamics.feat_width
    model = WorldModel(
        encoder,
        dynamics,
        Decoder(inputs, width, hidden, config.depth, scale=0.1),
        SymlogHead(width, hidden),
        ContinueHead(width, hidden),
        AdaptiveBalance(balance=0.8, target=config.kl_target, low=1e-3, high=1.0),
    )
    if config.bfloat16:
        to_bfloat16(model)
    return model
