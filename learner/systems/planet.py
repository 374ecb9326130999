"""PlaNet (Hafner et al. 2018, arXiv 1811.04551): learn a latent model, plan in it at every step.

There is no actor: the robot searches the model at its control rate. `paper` has the numbers of the
paper's appendix A and, where that is silent, of the released code (planet, scripts/configs.py):

* Tasks there repeat actions 2 to 8 times; here a decision is a control tick. 5 random episodes, and
  100 updates after each episode, are told in steps, of episodes of 250 decisions.
* Vectors, of which there are none there, have an MLP like the reward's in encoder and decoder.
  Their errors count `vector_scale` times, as they have few entries where a picture has many.
* `overshooting=D` adds latent overshooting up to D steps ahead, of the paper's first version alone.
  `warm` searches on from the last plan; `refit=mppi` weighs plans by exp(return / temperature).
* Chunks may run from one episode into the next, which begins anew; there, none does.
* There the step size grows over the first 200 updates, and learning is in float32.
* `ends` foretells, aside, where an episode ends, and plans no further; tasks there never end.
* Choices are searched as categoricals, and made at random in `explore` of all steps.

`dynamics=ssm` and `rnn` are the paper's rivals: no memory but the sample, and no chance. As in the
code (`mean_only`, `divergence_scale: 0`), nothing teaches the latter's prior.

`cpu` is the same algorithm, small enough to plan 20 times a second on one core. It has fewer free
nats, as 3 per step could tell a state of few numbers nearly whole, and rewards count for more.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field

from learner.agent import Agent, Diet
from learner.behaviour import jitter, planner, plans
from learner.model import cells, coarse_images, heads, latents, plain, rssm, ssm, unit_normal
from learner.model.encoders import Encoder, pick
from learner.model.nets import Hidden, to_bfloat16
from learner.model.objectives import FreeNats
from learner.model.overshooting import LatentOvershooting
from learner.model.world_model import WorldModel
from learner.train.keras_adam import KerasAdam
from learner.train.optimisers import AdamSettings
from learner.train.sampling import UniformChunks
from learner.train.settings import Count, Positive, Settings
from learner.train.updates import ModelLesson, Update
from robot.wire.spec import RobotSpec

DENSE, CONVS = plain.dense_style(F.relu), plain.conv_style(F.relu)


def _rssm(kind: latents.Gaussians, action: int, embed: int, c: Config) -> rssm.RSSM:
    parts = kind, DENSE, rssm.ZeroStart()
    return rssm.RSSM(action, embed, c.deter, c.hidden, *parts, cell=cells.ResetFirstGRU)


# Each with the weight of its divergence.
DYNAMICS = {
    "rssm": (lambda a, e, c: _rssm(latents.Gaussians(c.stoch), a, e, c), 1.0),
    "ssm": (lambda a, e, c: ssm.SSM(a, e, c.hidden, latents.Gaussians(c.stoch), DENSE), 1.0),
    "rnn": (lambda a, e, c: _rssm(ssm.Means(c.stoch), a, e, c), 0.0),
}
REFIT = {"cem": lambda c: planner.equally, "mppi": lambda c: planner.Softly(c.temperature)}


class Config(Settings):
    """Numbers of the system; no keys stand for all."""

    batch: Count = 50
    length: int = Field(default=50, ge=2)
    capacity: int = Field(default=1_000_000, ge=100)
    prefill: int = Field(default=1250, ge=0)
    steps_per_update: Positive = 2.5
    sync_steps: Count = 250
    keys: tuple[str, ...] = ()
    gain: float = Field(default=1.0, ge=0)
    dynamics: Literal["rssm", "ssm", "rnn"] = "rssm"
    deter: Count = 200
    hidden: Count = 200
    units: Count = 300
    layers: Count = 3
    stoch: Count = 30
    depth: Count = 32
    lr: Positive = 1e-3
    free_nats: float = Field(default=3.0, ge=0)
    reward_scale: Positive = 10.0
    vector_scale: Positive = 100.0
    overshooting: Count = 1
    ends: bool = False
    horizon: Count = 12
    candidates: Count = 1000
    iterations: int = Field(default=10, ge=0)
    elite_share: float = Field(default=0.1, gt=0, le=1)
    refit: Literal["cem", "mppi"] = "cem"
    temperature: Positive = 1.0
    warm: bool = False
    explore: float = Field(default=0.3, ge=0, le=1)


PRESETS = {
    "paper": Config(),
    "cpu": Config(
        batch=24, length=16, capacity=200_000, prefill=500, steps_per_update=4.0, sync_steps=20,
        gain=2.0, deter=128, hidden=128, units=128, layers=2, stoch=16, depth=16, free_nats=0.5,
        reward_scale=100.0, candidates=100, iterations=3,
    ),
}  # fmt: skip


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    keys = config.keys or tuple(spec.observation)
    model = build_model(spec, keys, config)
    if config.bfloat16:
        to_bfloat16(model)
    discrete, action = spec.action.is_discrete, spec.action.shape[0]
    elites = max(1, round(config.elite_share * config.candidates))
    effort = planner.Effort(config.horizon, config.candidates, config.iterations, elites)
    kind = plans.OneHotPlans(action) if discrete else plans.BoxPlans(action)
    search = planner.Search(kind, effort, REFIT[config.refit](config))
    best = planner.WarmPlanner(search) if config.warm else planner.Planner(search)
    tries = (jitter.Slips if discrete else jitter.Jitter)(best, config.explore)
    adam = KerasAdam(model.parameters(), AdamSettings(config.lr, eps=1e-4, clip=1000.0))
    scales = {"reward": config.reward_scale, "vector": config.vector_scale}
    updates = (Update("model", adam, ModelLesson(model, scales).loss),)
    return Agent(model, tries, updates, Diet(keys, UniformChunks()))


def build_model(spec: RobotSpec, keys: tuple[str, ...], config: Config) -> WorldModel:
    """World model: normal latents, layers without norm, unit normals, free nats in each step."""
    hidden = Hidden(config.units, config.layers, DENSE)
    inputs = coarse_images.CoarseInputs(pick(spec.observation, keys), config.gain)
    convs = lambda c, d, _: coarse_images.CentredEncoder(c, d, CONVS)  # noqa: E731
    encoder = Encoder(inputs, hidden, config.depth, convs)
    make, divergence = DYNAMICS[config.dynamics]
    dynamics = make(spec.action.shape[0], encoder.width, config)
    width, far = dynamics.feat_width, config.overshooting
    return WorldModel(
        encoder,
        dynamics,
        unit_normal.NormalDecoder(inputs, width, hidden, config.depth, CONVS),
        unit_normal.NormalHead(width, hidden),
        heads.Aside(heads.ContinueHead(width, hidden)) if config.ends else heads.NeverEnds(),
        FreeNats(config.free_nats, divergence),
        [LatentOvershooting(far, config.free_nats)] if far > 1 else [],
    )
