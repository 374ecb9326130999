"""PlaNet (Hafner et al. 2018, arXiv 1811.04551): learn a latent model, plan in it at every step.

There is no actor: the robot searches the model at its control rate. `paper` has the numbers of the
paper's appendix A and, where that is silent, of the released code (planet, scripts/configs.py):

* Tasks there repeat actions 2 to 8 times; here a decision is a control tick. 5 random episodes, and
  100 updates after each episode, are told in steps, of episodes of 250 decisions.
* Vectors, of which there are none there, have an MLP like the reward's. Their errors count
  `vector_scale` times, as they have few entries where a picture has many.
* `overshooting=D` adds latent overshooting up to D steps ahead, of the paper's first version alone.
  `warm` searches on from the last plan; `refit=mppi` weighs plans by exp(return / temperature).
* Chunks may run from one episode into the next, which begins anew; there, none does.
* There the step size grows over the first 200 updates, and learning is in float32.
* `ends` foretells, aside, where an episode ends, and plans no further; tasks there never end.
* Choices are searched as categoricals, and made at random in `explore` of all steps.

`dynamics=ssm` and `rnn` are the paper's rivals: no memory but the sample, and no chance, whose
prior nothing teaches, as in the code. `cpu` is small enough to plan 20 times a second on one core,
with fewer free nats, as 3 per step could tell a state of few numbers nearly whole.
"""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from pydantic import Field

from learner.agent import Agent, Diet
from learner.behaviour import jitter, planner, plans
from learner.model import cells, coarse_images, heads, latents, objectives, plain, ssm, unit_normal
from learner.model.nets import Hidden, to_bfloat16
from learner.model.overshooting import LatentOvershooting
from learner.model.plain_model import Kinds, memoryless, plain_parts, recurrent
from learner.model.world_model import WorldModel
from learner.train.keras_adam import KerasAdam
from learner.train.optimisers import AdamSettings
from learner.train.sampling import UniformChunks
from learner.train.settings import Count, Positive, RecurrentSettings, among
from learner.train.updates import ModelLesson, Update
from robot.wire.spec import RobotSpec

# Each with the weight of its divergence.
DYNAMICS = {
    "rssm": (lambda c: recurrent(latents.Gaussians(c.stoch), cells.ResetFirstGRU), 1.0),
    "ssm": (lambda c: memoryless(latents.Gaussians(c.stoch)), 1.0),
    "rnn": (lambda c: recurrent(ssm.Means(c.stoch), cells.ResetFirstGRU), 0.0),
}
REFIT = {"cem": lambda c: planner.equally, "mppi": lambda c: planner.Softly(c.temperature)}


class Config(RecurrentSettings):
    """Numbers of the system; no keys stand for all."""

    keys: tuple[str, ...] = ()
    dynamics: Annotated[str, among(DYNAMICS)] = "rssm"
    lr: Positive
    free_nats: float = Field(ge=0)
    reward_scale: Positive
    vector_scale: Positive
    overshooting: Count
    ends: bool
    candidates: Count
    iterations: int = Field(ge=0)
    elite_share: float = Field(gt=0, le=1)
    refit: Annotated[str, among(REFIT)] = "cem"
    temperature: Positive
    warm: bool
    explore: float = Field(ge=0, le=1)


PAPER = Config(
    batch=50, length=50, capacity=1_000_000, prefill=1250, steps_per_update=2.5, sync_steps=250,
    gain=1.0, deter=200, hidden=200, units=300, layers=3, stoch=30, depth=32,
    lr=1e-3, free_nats=3.0, reward_scale=10.0, vector_scale=100.0, overshooting=1, ends=False,
    horizon=12, candidates=1000, iterations=10, elite_share=0.1, temperature=1.0, warm=False,
    explore=0.3,
)  # fmt: skip
CPU = PAPER.but(
    batch=24, length=16, capacity=200_000, prefill=500, steps_per_update=4.0, sync_steps=20,
    gain=2.0, deter=128, hidden=128, units=128, layers=2, stoch=16, depth=16, free_nats=0.5,
    reward_scale=100.0, candidates=100, iterations=3,
)  # fmt: skip
PRESETS = {"paper": PAPER, "cpu": CPU}


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    c, (make, divergence) = config, DYNAMICS[config.dynamics]
    kinds = Kinds(make(c), dense=F.relu, convs=F.relu, inputs=coarse_images.CoarseInputs)
    encoder, dynamics, decoder = plain_parts(spec, c, kinds)
    width, hidden = dynamics.feat_width, Hidden(c.units, c.layers, plain.dense_style(F.relu))
    reward = unit_normal.NormalHead(width, hidden)
    ends = heads.Aside(heads.ContinueHead(width, hidden)) if c.ends else heads.NeverEnds()
    objective = objectives.FreeNats(c.free_nats, divergence)
    further = [LatentOvershooting(c.overshooting, c.free_nats)] if c.overshooting > 1 else []
    model = WorldModel(encoder, dynamics, decoder, reward, ends, objective, further)
    if c.bfloat16:
        to_bfloat16(model)
    elites = max(1, round(c.elite_share * c.candidates))
    effort = planner.Effort(c.horizon, c.candidates, c.iterations, elites)
    search = planner.Search(plans.plans_of(spec.action), effort, REFIT[c.refit](c))
    best = planner.WarmPlanner(search) if c.warm else planner.Planner(search)
    tries = jitter.disturbed(spec.action, best, c.explore)
    adam = KerasAdam(model.parameters(), AdamSettings(c.lr, eps=1e-4, clip=1000.0))
    lesson = ModelLesson(model, {"reward": c.reward_scale, "vector": c.vector_scale})
    diet = Diet(c.keys or tuple(spec.observation), UniformChunks())
    return Agent(model, tries, (Update("model", adam, lesson.loss),), diet)
