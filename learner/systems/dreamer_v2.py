"""DreamerV2 (Hafner et al. 2020, arXiv 2010.02193): categorical latents, balanced divergences.

`paper` has the numbers of the released code (dreamerv2, configs.yaml) for control, where a decision
repeats an action twice; `atari` those for games, with the paper's gamma. Ours differs in this:

* Vectors are scaled to a typical deviation of `gain`; there, they are read as they are.
* The slow critic starts as a copy; there, it is random until the first update has been made.
* Mixed gradients score actions detached; there, the likelihood reaches back into the dream.
* Chunks come from one episode; there, short ones are glued. Robots take weights every 20 steps.
* Games' wrappers (grey, sticky, four frames a decision) are the environment's business.
* bfloat16 with float32 optimisers, losses and divergences; there, float16 with a scaled loss.

`ablation` replaces a part (see `dreamer_v2_ablations`). `cpu` dreams from a part of the batch.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch.nn.functional as F
from pydantic import Field

from learner.agent import Agent, Diet
from learner.behaviour import actor, actor_critic, critic, gradient, normalise, policies
from learner.behaviour.own_returns import OwnReturns
from learner.model import fixed_kl, heads, plain, unit_normal
from learner.model.nets import Hidden, to_bfloat16
from learner.model.plain_model import Kinds, plain_parts, recurrent
from learner.model.world_model import WorldModel
from learner.systems.dreamer_v2_ablations import ABLATIONS, Parts
from learner.train.augment import PickStarts, TanhReward
from learner.train.keras_adam import KerasAdam
from learner.train.optimisers import AdamSettings
from learner.train.sampling import EpisodeChunks
from learner.train.settings import DreamSettings, Positive, among
from learner.train.updates import DreamLesson, ModelLesson, Update, behaviour_updates
from robot.wire.spec import RobotSpec

FULL: Parts = {
    "latents": lambda c: plain.PureCategoricals(c.stoch, c.classes),
    "objective": lambda c: fixed_kl.BalancedKL(0.8, c.kl_scale, c.free_nats),
    "cell": plain.BiasedNormGRU,
    "decoder": lambda part: part,
    "reward": lambda part: part,
    "gradient": gradient.usual_gradient,
}


class Config(DreamSettings):
    """Numbers of the system; `keys` without a name takes all that the robot senses."""

    keys: tuple[str, ...] = ()
    classes: int = Field(ge=2)
    lr_model: Positive
    lr_actor: Positive
    lr_critic: Positive
    kl_scale: float = Field(ge=0)
    free_nats: float = Field(ge=0)
    entropy: float = Field(ge=0)
    ends: bool
    tanh_reward: bool
    horizon: int = Field(ge=2)
    ablation: Annotated[str, among(ABLATIONS)] = "none"


PAPER = Config(
    batch=16, length=50, capacity=2_000_000, prefill=1000, pretrain=100, steps_per_update=5.0,
    gain=1.0, deter=200, hidden=200, units=400, layers=4, stoch=32, classes=32, depth=48,
    lr_model=3e-4, lr_actor=8e-5, lr_critic=8e-5, kl_scale=1.0, free_nats=1.0, ends=False,
    gamma=0.99, lam=0.95, horizon=15, entropy=1e-4, tanh_reward=False, starts=0,
)  # fmt: skip
ATARI = PAPER.but(
    prefill=50_000, pretrain=1, steps_per_update=16.0, deter=600, hidden=600,
    lr_model=2e-4, lr_actor=4e-5, lr_critic=1e-4, kl_scale=0.1, free_nats=0.0, ends=True,
    gamma=0.995, entropy=1e-3, tanh_reward=True,
)  # fmt: skip
CPU = PAPER.but(
    length=16, capacity=200_000, prefill=500, steps_per_update=4.0,
    gain=2.0, deter=128, hidden=128, units=128, layers=2, stoch=16, classes=16, depth=16, starts=96,
    lr_actor=3e-4, lr_critic=3e-4, free_nats=0.5,
)  # fmt: skip
PRESETS = {"paper": PAPER, "atari": ATARI, "cpu": CPU}


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    c, parts = config, FULL | ABLATIONS[config.ablation]
    kinds = Kinds(recurrent(parts["latents"](c), parts["cell"]), dense=F.elu, convs=F.elu)
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
    returns, bonus = OwnReturns(c.gamma, c.lam), normalise.FixedEntropy(c.entropy)
    judging = returns, normalise.Unscaled(), bonus, parts["gradient"](spec.action)
    dreamer = actor_critic.ActorCritic(made, values, c.horizon, *judging)
    dreams = DreamLesson(model, dreamer, PickStarts(c.starts))
    settings = (AdamSettings(lr, eps=1e-5) for lr in (c.lr_model, c.lr_actor, c.lr_critic))
    learns, acts, judges = (partial(KerasAdam, settings=one, shrink=1e-6) for one in settings)
    learn = Update("model", learns(model.parameters()), ModelLesson(model, {"continue": 5.0}).loss)
    updates = (learn, *behaviour_updates(dreams, acts, judges))
    keys = (*encoder.inputs.images, *encoder.inputs.vectors)
    changes = (TanhReward(),) if c.tanh_reward else ()
    return Agent(model, dreamer, updates, Diet(keys, EpisodeChunks(), changes))
