"""Dreamer (Hafner et al. 2019, arXiv 1912.01603): an actor learns by gradients through dreams.

`paper` has the numbers of the released code (dreamer.py) for control from pixels. A decision there
repeats an action twice; steps here are decisions. Ours differs in this:

* Dreams go through the model that was just updated; there, all three losses are taken first.
* Vectors, of which there are none there, have an MLP of `layers` in encoder and decoder, and are
  scaled to a typical deviation of `gain`.
* The policy shows the tanh of its mean; there, the likeliest of 100 samples.
* `ends` foretells a discount, as the code does for games, and no dream starts where one ends.
* Choices are learnt through the dream too (straight-through), and made evenly among all in a
  share `explore` of the steps; the code lets that share fall from 0.4 to 0.1.
* bfloat16 with float32 optimisers, losses and divergences; there, float16 with a scaled loss.

`cpu` is the same algorithm, small, with fewer updates at once and dreams from a part of the batch.
"""

from __future__ import annotations

import math
from functools import partial

import torch.nn.functional as F
from pydantic import Field

from learner.agent import Agent, Diet
from learner.behaviour import actor, actor_critic, critic, jitter, normalise, own_returns, policies
from learner.model import fixed_kl, heads, plain, unit_normal
from learner.model.latents import Gaussians
from learner.model.nets import Hidden, to_bfloat16
from learner.model.plain_model import Kinds, plain_parts, recurrent
from learner.model.world_model import WorldModel
from learner.train.augment import PickLive
from learner.train.keras_adam import KerasAdam
from learner.train.optimisers import AdamSettings
from learner.train.sampling import EpisodeChunks
from learner.train.settings import DreamSettings, Positive
from learner.train.updates import DreamLesson, ModelLesson, Update, behaviour_updates
from robot.wire.spec import RobotSpec


class Config(DreamSettings):
    """Numbers of the system; `keys` without a name takes all that the robot senses."""

    keys: tuple[str, ...] = ()
    lr_model: Positive
    lr_behaviour: Positive
    free_nats: float = Field(ge=0)
    ends: bool
    horizon: int = Field(ge=2)
    explore: float = Field(ge=0)


PAPER = Config(
    batch=50, length=50, capacity=1_000_000, prefill=2500, pretrain=100, steps_per_update=5.0,
    sync_steps=500,
    gain=1.0, deter=200, hidden=200, units=400, layers=3, stoch=30, depth=32,
    lr_model=6e-4, lr_behaviour=8e-5, free_nats=3.0, ends=False,
    gamma=0.99, lam=0.95, horizon=15, explore=0.3, starts=0,
)  # fmt: skip
CPU = PAPER.but(
    batch=16, length=16, capacity=200_000, prefill=500, steps_per_update=4.0, sync_steps=20,
    gain=2.0, deter=128, hidden=128, units=128, layers=2, stoch=16, depth=16, starts=96,
    lr_behaviour=3e-4, free_nats=0.5,
)  # fmt: skip
PRESETS = {"paper": PAPER, "cpu": CPU}


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    c, layers = config, {n: Hidden(config.units, n, plain.dense_style(F.elu)) for n in (2, 3, 4)}
    kinds = Kinds(recurrent(Gaussians(c.stoch), plain.KerasGRU), dense=F.elu, convs=F.relu)
    encoder, dynamics, decoder = plain_parts(spec, c, kinds)
    width = dynamics.feat_width
    reward = unit_normal.NormalHead(width, layers[2])
    ends = unit_normal.DiscountHead(width, layers[3], c.gamma) if c.ends else heads.NeverEnds()
    objective = fixed_kl.WholeKL(1.0, c.free_nats)
    model = WorldModel(encoder, dynamics, decoder, reward, ends, objective)
    spread = actor.Spread(1e-4, std_offset=math.log(math.expm1(5)), mean_scale=1.0)
    made = policies.make_actor(spec.action, width, layers[4], spread, policies.TanhNormalActor)
    values = critic.OwnTargetCritic(unit_normal.NormalHead(width, layers[3]))
    if c.bfloat16:
        to_bfloat16(model, made, values)
    returns, bonus = own_returns.StartlessReturns(c.gamma, c.lam), normalise.FixedEntropy(0.0)
    judging = returns, normalise.Unscaled(), bonus
    dreamer = actor_critic.ActorCritic(made, values, c.horizon, *judging)
    dreams = DreamLesson(model, dreamer, PickLive(c.starts))
    rates = c.lr_model, c.lr_behaviour
    fast, slow = (partial(KerasAdam, settings=AdamSettings(lr, eps=1e-7)) for lr in rates)
    learn = Update("model", fast(model.parameters()), ModelLesson(model, {"continue": 10.0}).loss)
    updates = (learn, *behaviour_updates(dreams, slow, slow))
    keys = (*encoder.inputs.images, *encoder.inputs.vectors)
    diet = Diet(keys, EpisodeChunks(prioritise_ends=False))
    return Agent(model, jitter.disturbed(spec.action, dreamer, c.explore), updates, diet)
