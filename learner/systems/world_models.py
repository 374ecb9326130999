"""World Models (Ha and Schmidhuber 2018, arXiv 1803.10122): V sees, M remembers, C decides.

V, an autoencoder, makes numbers z of what is seen; M, an LSTM with mixture outputs, foretells the
next z; C, linear in z and h, evolves by CMA-ES on returns of dreams in M or of episodes on the
robot (`fitness=dream` or `real`). The paper trains V, M and C one after the other, or M and C in
turns, with data that C collects (section 5). Here turns are short: each batch makes a step of V,
one of M, and a generation of C once its candidates are judged. `paper` has the numbers of the car
race (appendix A, and the released code, carracing/; temperature and dreams are Doom's). Different:

* Random play lasts `prefill` steps, not 10 000 episodes. Pictures are not turned to negatives (see
  `vae`), and large weights of C cost: the released code rewards them by mistake of a sign.
* M also foretells reward and end, and starts at zero in every chunk; dreams begin inside episodes.
* Vectors have an MLP in V; their errors count `vector_scale` times, as they have few entries.
* Candidates are not rounded to 4 decimals. With `real`, the distribution's mean is shown without
  1 024 more episodes to judge it, and V and M learn on while candidates are judged.

`cpu` is smaller, with noise on its actions and a least step size of the search.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch.nn.functional as F
from pydantic import Field

from learner.agent import Agent, Diet
from learner.behaviour import controller as cs
from learner.behaviour.evolution import Strategy
from learner.behaviour.fitness import DreamFitness, EpisodeFitness
from learner.model import encoders, heads, mdn_rnn, plain, vae
from learner.model.nets import Hidden, to_bfloat16
from learner.model.world_model import WorldModel
from learner.train.evolve import Evolve, Pace
from learner.train.optimisers import Adam, AdamSettings
from learner.train.sampling import UniformChunks
from learner.train.settings import Count, Positive, Settings, among
from learner.train.vision_memory import UNCLIPPED, ValueClippedAdam, VisionMemory
from robot.wire.spec import RobotSpec

READS = {"z": cs.read_z, "h": cs.read_h, "zh": cs.read_zh, "zc": cs.read_zc, "zch": cs.read_zch}
FITNESS = {
    "dream": lambda model, family, c: DreamFitness(model, family, c.rollouts, c.horizon),
    "real": lambda model, family, c: EpisodeFitness(c.population, c.rollouts),
}


class Config(Settings):
    """Numbers of the system; `rollouts` are dreams, or episodes, of each candidate."""

    batch: Count = 100
    length: int = Field(default=999, ge=2)
    prefill: int = Field(default=10_000, ge=0)
    bfloat16: bool = False  # of V; M and C compute in float32 always
    stoch: Count = 32  # numbers in z
    deter: Count = 256  # and in h
    units: Count = 256  # of V's MLP for vectors, two layers
    vector_scale: Positive = 100.0
    head_layers: int = Field(default=0, ge=0)  # of reward and end; 0 is linear in h
    lr_vision: Positive = 1e-4
    lr_memory: Positive = 1e-3
    reads: Annotated[str, among(READS)] = "zh"
    controller_units: tuple[int, ...] = ()  # (40,) with reads=z is the paper's deeper rival
    fitness: Annotated[str, among(FITNESS)] = "real"
    population: int = Field(default=64, ge=4)
    rollouts: Count = 16
    horizon: Count = 1000
    temperature: Positive = 1.15
    evolve_after: int = Field(default=4000, ge=0)  # batches; M had as many before C began
    show_every: Count = 25
    least_sigma: float = Field(default=0.0, ge=0)
    explore: float = Field(default=0.0, ge=0)


PRESETS = {
    "paper": Config(),
    "cpu": Config(
        batch=16, length=32, prefill=1000, pretrain=300, stoch=12, deter=64, units=64,
        head_layers=1, lr_vision=1e-3, fitness="dream", population=16, rollouts=8, horizon=40,
        temperature=1.0, evolve_after=300, show_every=5, least_sigma=0.02, explore=0.1,
    ),
}  # fmt: skip


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    c, style = config, plain.dense_style(F.relu)
    specs = encoders.pick(spec.observation, c.keys)
    look = vae.scaled(specs), c.stoch, Hidden(c.units, 2, style)
    encoder, decoder = vae.VaeEncoder(*look), vae.VaeDecoder(*look)
    if c.bfloat16:
        to_bfloat16(encoder, decoder)
    mixtures = mdn_rnn.Mixtures(c.stoch, 5, c.temperature)
    dynamics = mdn_rnn.MdnRnn(spec.action.shape[0], mixtures, c.deter)
    foretell = Hidden(c.deter, c.head_layers, style)
    reward = mdn_rnn.FromMemory(heads.SymlogHead(c.deter, foretell), c.deter)
    cont = mdn_rnn.FromMemory(heads.ContinueHead(c.deter, foretell), c.deter, rare=10.0)
    objective, extras = vae.Tolerance(0.5), (mdn_rnn.next_latent,)
    model = WorldModel(encoder, dynamics, decoder, reward, cont, objective, extras)
    sees = partial(Adam, settings=AdamSettings(c.lr_vision, clip=UNCLIPPED))
    recalls = partial(ValueClippedAdam, settings=AdamSettings(c.lr_memory, clip=1.0))
    updates = VisionMemory(model, {"vector": c.vector_scale}).updates(sees, recalls)
    family = cs.Controller(READS[c.reads], dynamics, cs.squash_of(spec.action), c.controller_units)
    behaviour = cs.Evolved(family, c.explore)
    strategy = Strategy(family.size, c.population, 0.1, c.least_sigma)
    fitness = FITNESS[c.fitness](model, family, c)
    evolve = Evolve(behaviour, strategy, fitness, Pace(c.evolve_after, c.show_every, decay=0.01))
    diet, steps = Diet(tuple(specs), UniformChunks()), (*updates, evolve)
    return Agent(model, behaviour, steps, diet, watchers=[evolve])
