"""World Models (Ha and Schmidhuber 2018, arXiv 1803.10122): V sees, M remembers, C decides.

V, an autoencoder, makes numbers z of what is seen; M, an LSTM with mixture outputs, foretells the
next z; C, linear in z and h, evolves by CMA-ES on returns of dreams in M or of episodes on the
robot (`--set learner.fitness=dream` or `real`). The paper trains V, M and C one after the other,
and sketches an iterative procedure (section 5): collect with C, train M with reward and end, train
C in M, repeat. Here that goes on without a break: each batch makes a step of V, one of M, and a
generation of C once its candidates are judged. `paper` has the numbers of the car race (appendix
A, and the released code, carracing/; temperature and evolution in dreams are Doom's). Differences:

* Random play lasts `prefill` steps, not 10 000 episodes. Pictures are not turned to negatives.
* M also foretells reward and end, and starts at zero in every chunk; dreams begin inside episodes.
* Vectors have an MLP in V; their errors count `vector_scale` times, as they have few entries.
* The released code rewards large weights of C by mistake of a sign; here they cost.
* Candidates are not rounded to 4 decimals. With `real`, the distribution's mean is shown without
  1 024 more episodes to judge it, and V and M learn on while candidates are judged.

`cpu` is smaller, with noise on its actions and a least step size of the search.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field

from learner.agent import Agent, Diet
from learner.behaviour import controller as c
from learner.behaviour.evolution import Strategy
from learner.behaviour.fitness import DreamFitness, EpisodeFitness
from learner.model.encoders import pick
from learner.model.heads import ContinueHead, SymlogHead
from learner.model.mdn_rnn import FromMemory, MdnRnn, Mixtures, next_latent
from learner.model.nets import Hidden, to_bfloat16
from learner.model.plain import dense_style
from learner.model.vae import Tolerance, VaeDecoder, VaeEncoder, scaled
from learner.model.world_model import WorldModel
from learner.train.evolve import Evolve, Pace
from learner.train.optimisers import Adam, AdamSettings
from learner.train.sampling import UniformChunks
from learner.train.settings import Count, Positive, Settings
from learner.train.updates import Update
from learner.train.vision_memory import UNCLIPPED, ValueClippedAdam, VisionMemory
from robot.wire.spec import RobotSpec

READS = {"z": c.read_z, "h": c.read_h, "zh": c.read_zh, "zc": c.read_zc, "zch": c.read_zch}
FITNESS = {
    "dream": lambda m, c, k: DreamFitness(m, c, k.rollouts, k.horizon),
    "real": lambda m, c, k: EpisodeFitness(k.population, k.rollouts),
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
    reads: Literal["z", "h", "zh", "zc", "zch"] = "zh"
    controller_units: tuple[int, ...] = ()  # (40,) with reads=z is the paper's deeper rival
    fitness: Literal["dream", "real"] = "real"
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
    style = dense_style(F.relu)
    specs = pick(spec.observation, config.keys)
    look = scaled(specs), config.stoch
    encoder = VaeEncoder(*look, Hidden(config.units, 2, style))
    decoder = VaeDecoder(*look, Hidden(config.units, 2, style))
    if config.bfloat16:
        to_bfloat16(encoder, decoder)
    mixtures = Mixtures(config.stoch, 5, config.temperature)
    dynamics = MdnRnn(spec.action.shape[0], mixtures, config.deter)
    width, foretell = config.deter, Hidden(config.deter, config.head_layers, style)
    reward = FromMemory(SymlogHead(width, foretell), width)
    cont = FromMemory(ContinueHead(width, foretell), width, rare=10.0)
    model = WorldModel(encoder, dynamics, decoder, reward, cont, Tolerance(0.5), (next_latent,))
    lesson = VisionMemory(model, {"vector": config.vector_scale})
    sees = Adam(lesson.sees, AdamSettings(config.lr_vision, clip=UNCLIPPED))
    recalls = ValueClippedAdam(lesson.recalls, AdamSettings(config.lr_memory, clip=1.0))
    squash = c.choose if spec.action.is_discrete else torch.tanh
    controller = c.Controller(READS[config.reads], dynamics, squash, config.controller_units)
    evolve = Evolve(
        behaviour := c.Evolved(controller, config.explore),
        Strategy(controller.size, config.population, 0.1, config.least_sigma),
        FITNESS[config.fitness](model, controller, config),
        Pace(config.evolve_after, config.show_every, decay=0.01),
    )
    updates = (Update("vision", sees, lesson.vision), Update("memory", recalls, lesson.memory))
    return Agent(
        model, behaviour, (*updates, evolve), Diet(tuple(specs), UniformChunks()), (evolve,)
    )
