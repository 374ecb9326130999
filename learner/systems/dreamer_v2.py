"""DreamerV2 (Hafner et al. 2020, arXiv 2010.02193): categorical latents, balanced divergences.

`paper` has the numbers of the released code (dreamerv2, configs.yaml) for control, where a decision
repeats an action twice; `atari` those for games, with the paper's gamma. Ours differs in this:

* Vectors are scaled to a typical deviation of `gain`; there, they are read as they are.
* The slow critic starts as a copy; there, it is random until the first update has been made.
* Mixed gradients score actions detached; there, the likelihood reaches back into the dream.
* Chunks come from one episode; there, short ones are glued. Robots take weights every 20 steps.
* Games' wrappers (grey, sticky, four frames a decision) are the environment's business.
* bfloat16 with float32 optimisers, losses and divergences; there, float16 with a scaled loss.

`ablation` puts one of the paper's (figure 5, table 2) in place of a part; `mixed` is table 2's own
agent. `cpu` is the same algorithm, small, with dreams from a part of the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch.nn.functional as F
from pydantic import Field

from learner.agent import Agent, Diet
from learner.behaviour import (
    actor,
    actor_critic,
    critic,
    gradient,
    normalise,
    own_returns,
    policies,
)
from learner.model import fixed_kl, heads, plain, unit_normal
from learner.model.nets import Hidden, to_bfloat16
from learner.model.plain_model import Kinds, plain_parts
from learner.model.world_model import WorldModel
from learner.train.augment import PickStarts, TanhReward
from learner.train.keras_adam import KerasAdam
from learner.train.optimisers import AdamSettings
from learner.train.sampling import EpisodeChunks
from learner.train.settings import Count, Positive, Settings, Share
from learner.train.updates import DreamLesson, ModelLesson, Update
from robot.wire.spec import RobotSpec

# What ablations replace. A gradient is chosen by whether the robot makes choices.
Parts = dict[str, Callable[..., Any]]
FULL: Parts = {
    "latents": lambda c: plain.PureCategoricals(c.stoch, c.classes),
    "objective": lambda c: fixed_kl.BalancedKL(0.8, c.kl_scale, c.free_nats),
    "cell": plain.BiasedNormGRU,
    "decoder": lambda part: part,
    "reward": lambda part: part,
    "gradient": lambda chooses: gradient.Reinforce() if chooses else gradient.Through(),
}
ABLATIONS: dict[str, Parts] = {
    "none": {},
    "gaussian": {"latents": lambda c: plain.SigmoidGaussians(c.stoch)},
    "no_balance": {"objective": lambda c: fixed_kl.WholeKL(c.kl_scale, c.free_nats)},
    "no_image_gradient": {"decoder": heads.Aside},
    "no_reward_gradient": {"reward": heads.Aside},
    "reinforce_only": {"gradient": lambda chooses: gradient.Reinforce()},
    "dynamics_only": {"gradient": lambda chooses: gradient.Through()},
    "mixed": {"gradient": lambda chooses: gradient.Mixed(reinforce=0.9)},
    "no_layer_norm": {"cell": plain.BareGRU},
}


class Config(Settings):
    """Numbers of the system; `keys` without a name takes all that the robot senses."""

    batch: Count = 16
    length: int = Field(default=50, ge=2)
    capacity: int = Field(default=2_000_000, ge=100)
    prefill: int = Field(default=1000, ge=0)
    pretrain: int = Field(default=100, ge=0)
    steps_per_update: Positive = 5.0
    keys: tuple[str, ...] = ()
    gain: float = Field(default=1.0, ge=0)
    deter: Count = 200
    hidden: Count = 200
    stoch: Count = 32
    classes: int = Field(default=32, ge=2)
    units: Count = 400
    layers: Count = 4
    depth: Count = 48
    lr_model: Positive = 3e-4
    lr_actor: Positive = 8e-5
    lr_critic: Positive = 8e-5
    kl_scale: float = Field(default=1.0, ge=0)
    free_nats: float = Field(default=1.0, ge=0)
    entropy: float = Field(default=1e-4, ge=0)
    ends: bool = False
    tanh_reward: bool = False
    gamma: Share = 0.99
    lam: Share = 0.95
    horizon: int = Field(default=15, ge=2)
    starts: int = Field(default=0, ge=0)
    ablation: Literal[
        "none", "gaussian", "no_balance", "no_image_gradient", "no_reward_gradient",
        "reinforce_only", "dynamics_only", "mixed", "no_layer_norm",
    ] = "none"  # fmt: skip


ATARI = Config(
    prefill=50_000, pretrain=1, steps_per_update=16.0, deter=600, hidden=600,
    lr_model=2e-4, lr_actor=4e-5, lr_critic=1e-4, kl_scale=0.1, free_nats=0.0, entropy=1e-3,
    ends=True, tanh_reward=True, gamma=0.995,
)  # fmt: skip
CPU = Config(
    length=16, capacity=200_000, prefill=500, steps_per_update=4.0, gain=2.0, deter=128, hidden=128,
    stoch=16, classes=16, units=128, layers=2, depth=16, starts=96, lr_actor=3e-4, lr_critic=3e-4,
    free_nats=0.5,
)  # fmt: skip
PRESETS = {"paper": Config(), "atari": ATARI, "cpu": CPU}


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    c, parts = config, FULL | ABLATIONS[config.ablation]
    kinds = Kinds(parts["latents"](c), parts["cell"], dense=F.elu, convs=F.elu)
    encoder, dynamics, decoder = plain_parts(spec, c, kinds)
    width, hidden = dynamics.feat_width, Hidden(c.units, c.layers, plain.dense_style(F.elu))
    ends = unit_normal.DiscountHead(width, hidden, c.gamma) if c.ends else heads.NeverEnds()
    trained = parts["decoder"](decoder), parts["reward"](unit_normal.NormalHead(width, hidden))
    model = WorldModel(encoder, dynamics, *trained, ends, parts["objective"](c))
    spread = actor.Spread(0.1, 2.1, mean_scale=1.0)
    made = policies.make_actor(spec.action, width, hidden, spread, policies.TruncatedNormalActor)
    values = critic.SlowTargetCritic(unit_normal.NormalHead(width, hidden), every=100)
    if c.bfloat16:
        to_bfloat16(model, made, values)
    returns, bonus = own_returns.OwnReturns(c.gamma, c.lam), normalise.FixedEntropy(c.entropy)
    judging = returns, normalise.Unscaled(), bonus, parts["gradient"](spec.action.is_discrete)
    dreamer = actor_critic.ActorCritic(made, values, c.horizon, *judging)
    lesson = ModelLesson(model, {"continue": 5.0})
    dreams = DreamLesson(model, dreamer, PickStarts(c.starts))
    rates = {model: c.lr_model, made: c.lr_actor, values.head: c.lr_critic}
    adams = [
        KerasAdam(part.parameters(), AdamSettings(lr, eps=1e-5), shrink=1e-6)
        for part, lr in rates.items()
    ]
    updates = (
        Update("model", adams[0], lesson.loss),
        Update("actor", adams[1], dreams.actor_loss),
        Update("critic", adams[2], dreams.critic_loss, values.follow),
    )
    keys = (*encoder.inputs.images, *encoder.inputs.vectors)
    changes = (TanhReward(),) if c.tanh_reward else ()
    return Agent(model, dreamer, updates, Diet(keys, EpisodeChunks(), changes))
