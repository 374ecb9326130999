"""DreamerV3 (Hafner et al., Nature 2025, arXiv 2301.04104v2): one set of numbers for every task.

`paper` has the numbers of the released code (configs.yaml), `size..` its sizes. Ours differs:

* A chunk starts from zeros; there, from the latent that was stored with its first step.
* New steps are replayed once on average by a share of each batch that ends in the newest chunk;
  there, a queue replays each new chunk once.
* Weights along a dream start with the true flag of its start; there, with the foretold one.
* The first 1024 actions are uniform; there, of the untrained actor.
* Choices keep 1% of the uniform, as in the paper; the code's `categorical` head has none.
* An update is made every 2 steps, the ratio of 512 for control; there, it is set for each suite.

`cpu` is small, dreams from each chunk's last states, with larger steps. See `dreamer_v3_2023` too.
"""

from __future__ import annotations

from pydantic import Field

from learner.agent import Agent, Diet
from learner.behaviour.actor import Spread
from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.critic import SteadiedCritic
from learner.behaviour.gradient import Reinforce
from learner.behaviour.normalise import FixedEntropy, PercentileScale
from learner.behaviour.policies import make_actor
from learner.behaviour.replay_value import ReplayValue
from learner.behaviour.returns import ArrivalReturns
from learner.model.block_model import STYLE, BlockSizes, block_parts
from learner.model.latents import Categoricals
from learner.model.nets import Hidden, to_bfloat16
from learner.model.objectives import FreeBits
from learner.model.scales import SymexpHead
from learner.model.unit_normal import DiscountHead
from learner.model.world_model import WorldModel
from learner.train.joint import Ends, JointLesson, PickEnds
from learner.train.laprop import LaProp, LaPropSettings
from learner.train.sampling import RecentMixture
from learner.train.settings import Bins, Count, Positive, Settings, Share
from learner.train.updates import DreamLesson, ModelLesson, Update
from robot.wire.spec import RobotSpec


class Config(Settings):
    """Numbers of the system; `keys` without a name takes all, `starts` 0 all states."""

    batch: Count = 16
    length: int = Field(default=64, ge=2)
    capacity: int = Field(default=5_000_000, ge=100)
    prefill: int = Field(default=1024, ge=0)
    pretrain: int = Field(default=0, ge=0)
    steps_per_update: Positive = 2.0
    keys: tuple[str, ...] = ()
    deter: Count = 8192
    blocks: Count = 8
    hidden: Count = 1024
    stoch: Count = 32
    classes: int = Field(default=64, ge=2)
    units: Count = 1024
    layers: Count = 3  # of encoder, decoder, actor and critic; reward and discount have one
    depth: Count = 64
    bins: Bins = 255
    lr: Positive = 4e-5
    warmup: int = Field(default=1000, ge=0)
    entropy: float = Field(default=3e-4, ge=0)
    gamma: Share = 1 - 1 / 333
    lam: Share = 0.95
    horizon: Count = 15
    starts: Ends = 0


CPU = Config(
    batch=16, length=16, capacity=200_000, prefill=500, pretrain=50, steps_per_update=4.0, starts=4,
    deter=256, hidden=128, stoch=16, classes=16, units=128, layers=2, depth=8, lr=4e-4, warmup=50,
)  # fmt: skip
# Weights in millions: deter, hidden, classes, units, depth.
SIZES = {
    1: (512, 64, 4, 64, 4), 12: (2048, 256, 16, 256, 16), 25: (3072, 384, 24, 384, 24),
    50: (4096, 512, 32, 512, 32), 100: (6144, 768, 48, 768, 48), 200: (8192, 1024, 64, 1024, 64),
}  # fmt: skip
PRESETS = {"paper": Config(), "cpu": CPU} | {
    f"size{millions}m": Config(deter=d, hidden=h, classes=k, units=u, depth=p)
    for millions, (d, h, k, u, p) in SIZES.items()
}


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    keys, c = config.keys or tuple(spec.observation), config
    sizes = BlockSizes(c.deter, c.blocks, c.hidden, c.units, c.layers, c.depth)
    encoder, dynamics, decoder = block_parts(spec, keys, sizes, Categoricals(c.stoch, c.classes))
    width = dynamics.feat_width
    one, hidden = (Hidden(c.units, layers, STYLE) for layers in (1, c.layers))
    reward, cont = SymexpHead(width, one, c.bins), DiscountHead(width, one, c.gamma)
    model = WorldModel(encoder, dynamics, decoder, reward, cont, FreeBits(1.0, 0.1, free=1.0))
    spread = Spread(0.1, 1.0, 2.0, mean_scale=1e-4, std_scale=1e-4, unimix=0.01)  # 0.01 squared
    actor = make_actor(spec.action, width, hidden, spread)
    critic = SteadiedCritic(SymexpHead(width, hidden, c.bins), rate=0.02)
    if c.bfloat16:
        to_bfloat16(model, actor, critic.head, critic.slow)
    returns, explore = ArrivalReturns(c.gamma, c.lam), FixedEntropy(c.entropy)
    scale, gradient = PercentileScale(rate=0.01), Reinforce()
    behaviour = ActorCritic(actor, critic, c.horizon, returns, scale, explore, gradient)  # type: ignore[arg-type]
    dreams = DreamLesson(model, behaviour, PickEnds(c.length, c.starts), "joint")
    lesson = JointLesson(ModelLesson(model, {}), dreams, ReplayValue(critic, c.gamma, c.lam), 0.3)
    weights = [*model.parameters(), *actor.parameters(), *critic.head.parameters()]
    laprop = LaProp(weights, LaPropSettings(c.lr, c.warmup))
    sampler = RecentMixture(min(1.0, c.steps_per_update / (c.batch * c.length)), c.length)
    updates = [Update("joint", laprop, lesson.loss, critic.follow)]
    return Agent(model, behaviour, updates, Diet(keys, sampler))
