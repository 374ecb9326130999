"""The first DreamerV3 (Hafner et al., January 2023, arXiv 2301.04104v1), with its own parts.

Against `dreamer_v3`: layer norms and a dense GRU, a learned first state, three Adams, gradients
through the dynamics for continuous actions, bins that are even in symlog, a weaker dynamics loss,
a continue head that says yes or no, uniform replay, and no loss on recorded values.

`paper` has the numbers of the first released code (configs.yaml) with the size of its control
tasks, `small`; the other sizes are its own. Steps here are decisions. Ours differs in this:

* The baseline of the advantage is detached; there, gradients flow into it.
* The slow critic starts as a copy. Choices, as there, keep 1% of the uniform.
* An update is made every 2 steps, the ratio of 512 for control; there, it is set for each suite.

`cpu` is the same algorithm, small, with dreams from a part of the batch and larger steps.
"""

from __future__ import annotations

from functools import partial

from pydantic import Field

from learner.agent import Agent, Diet
from learner.behaviour.actor import Spread
from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.critic import SteadiedCritic
from learner.behaviour.gradient import usual_gradient
from learner.behaviour.normalise import FixedEntropy, PercentileScale
from learner.behaviour.policies import make_actor
from learner.behaviour.returns import ArrivalReturns
from learner.model.heads import TwoHotHead
from learner.model.latents import Categoricals
from learner.model.layered_model import STYLE, LayeredSizes, layered_parts
from learner.model.nets import Hidden, to_bfloat16
from learner.model.objectives import FreeBits
from learner.model.scales import FirmContinueHead
from learner.model.world_model import WorldModel
from learner.train.augment import PickStarts
from learner.train.optimisers import Adam, AdamSettings
from learner.train.sampling import UniformChunks
from learner.train.settings import Bins, Count, Positive, Settings, Share
from learner.train.updates import DreamLesson, ModelLesson, Update, behaviour_updates
from robot.wire.spec import RobotSpec


class Config(Settings):
    """Numbers of the system; `keys` without a name takes all, `starts` 0 all states."""

    batch: Count = 16
    length: int = Field(default=64, ge=2)
    capacity: int = Field(default=1_000_000, ge=100)
    prefill: int = Field(default=1024, ge=0)
    pretrain: int = Field(default=1, ge=0)
    steps_per_update: Positive = 2.0
    keys: tuple[str, ...] = ()
    deter: Count = 512
    units: Count = 512
    layers: Count = 2
    depth: Count = 32
    stoch: Count = 32
    classes: int = Field(default=32, ge=2)
    bins: Bins = 255
    lr_model: Positive = 1e-4
    lr_behaviour: Positive = 3e-5
    entropy: float = Field(default=3e-4, ge=0)
    gamma: Share = 1 - 1 / 333
    lam: Share = 0.95
    horizon: Count = 15
    starts: int = Field(default=0, ge=0)


PRESETS = {
    "paper": Config(),
    "medium": Config(deter=1024, units=640, layers=3, depth=48),
    "large": Config(deter=2048, units=768, layers=4, depth=64),
    "xlarge": Config(deter=4096, units=1024, layers=5, depth=96),
    "cpu": Config(
        batch=16, length=16, capacity=200_000, prefill=500, pretrain=50, steps_per_update=4.0,
        deter=192, units=128, depth=8, stoch=16, classes=16, starts=64,
        lr_model=4e-4, lr_behaviour=1e-4,
    ),
}  # fmt: skip


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    keys, c = config.keys or tuple(spec.observation), config
    sizes, latents = LayeredSizes(c.deter, c.units, c.layers, c.depth), (c.stoch, c.classes)
    encoder, dynamics, decoder = layered_parts(spec, keys, sizes, Categoricals(*latents))
    width, hidden = dynamics.feat_width, Hidden(c.units, c.layers, STYLE)
    reward, cont = TwoHotHead(width, hidden, c.bins), FirmContinueHead(width, hidden)
    model = WorldModel(encoder, dynamics, decoder, reward, cont, FreeBits(0.5, 0.1, free=1.0))
    spread = Spread(0.1, 1.0, 2.0, mean_scale=1.0, std_scale=1.0, unimix=0.01)
    actor = make_actor(spec.action, width, hidden, spread)
    critic = SteadiedCritic(TwoHotHead(width, hidden, c.bins), rate=0.02)
    if c.bfloat16:
        to_bfloat16(model, actor, critic.head, critic.slow)
    returns, explore = ArrivalReturns(c.gamma, c.lam), FixedEntropy(c.entropy)
    gradient, scale = usual_gradient(spec.action), PercentileScale(0.01)
    behaviour = ActorCritic(actor, critic, c.horizon, returns, scale, explore, gradient)  # type: ignore[arg-type]
    dreams = DreamLesson(model, behaviour, PickStarts(c.starts))
    learns = Adam(model.parameters(), AdamSettings(c.lr_model, eps=1e-8, clip=1000.0))
    behaves = partial(Adam, settings=AdamSettings(c.lr_behaviour, eps=1e-5, clip=100.0))
    learn = Update("model", learns, ModelLesson(model, {}).loss)
    updates = (learn, *behaviour_updates(dreams, behaves, behaves))
    return Agent(model, behaviour, updates, Diet(keys, UniformChunks()))
