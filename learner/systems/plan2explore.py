"""Plan2Explore (Sekar et al. 2020, arXiv 2005.05960): explore without a task, then do any.

An explorer seeks what an ensemble disputes. Reward and end are learnt aside, and touch neither what
is collected nor the model; the task's behaviour is made in dreams and shows its best at any time
(zero-shot). After `explore_steps` it also collects, and reward reaches the model (few-shot).

Numbers of `paper` are of the released code (configs.py, one_step_model.py): members of two layers,
each with its own bootstrap; 1000 episodes of 500 steps of exploration. What differs from it:

* World model and actor-critics are DayDreamer's (see its page); the paper's are Dreamer's.
* Members see the state after the observation, and the action that causes what they foretell; pairs
  across episodes are left out. They have an optimiser of their own, and so have the heads of reward
  and end: not even the norm of a gradient carries a reward to the model.
* Data of both phases are drawn alike; there, 70% are of the second one.
* Actors learn before their critics, which take over the returns: asking all members is dear.

Rivals: `explorer=prediction_error` cannot tell the new from the noisy, `explorer=random` does not
look; retrospective disagreement is `look=1 look_gamma=0`. `cpu` is the same in small.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch.nn.functional as F
from pydantic import Field

from learner.agent import Agent, Diet
from learner.behaviour import disagreement as d
from learner.behaviour.explorer import Explorer, Phase, RandomPlay, WithheldWhileExploring
from learner.behaviour.interface import Behaviour
from learner.model.ensemble import Ensemble, resampled_rows
from learner.model.nets import Hidden, Style, uniform_average
from learner.model.world_model import WorldModel
from learner.systems import daydreamer
from learner.train import curiosity as c
from learner.train.optimisers import Adam, AdamSettings
from learner.train.sampling import UniformChunks
from learner.train.settings import Count, Positive, Share, among
from learner.train.updates import Update
from robot.wire.spec import RobotSpec

TARGETS = {"embed": c.EmbedTarget, "stoch": c.StochTarget}
SPREADS = {"variance": d.variance, "deviation": d.deviation}
# From what makes an ensemble of some outputs and members, and how many are foretold.
CURIOSITIES = {
    "disagreement": lambda of, n, k: d.Disagreement(of(n, k.members), SPREADS[k.spread], k.bonus),
    "prediction_error": lambda of, n, k: d.PredictionError(of(n, 1), of(1, 1), k.bonus),
}
EXPLORERS = dict.fromkeys(CURIOSITIES, lambda *parts: curious(*parts)) | {
    "random": lambda spec, *_: (RandomPlay(spec.action), ()),
}


class Config(daydreamer.Config):
    """Numbers of the system, beside those of model and actor-critics, which are DayDreamer's."""

    explore_steps: int = Field(ge=0)  # those of random play counted in
    explorer: Annotated[str, among(EXPLORERS)]
    look: Count  # the explorer's horizon, with its discount
    look_gamma: Share
    target: Annotated[str, among(TARGETS)]
    spread: Annotated[str, among(SPREADS)]
    bonus: Positive
    members: Count
    member_units: Count
    lr_members: Positive


PAPER = Config(**daydreamer.PAPER.model_dump() | {
    "batch": 50, "length": 50, "prefill": 2500, "steps_per_update": 5.0, "gamma": 0.99,
    "explore_steps": 500_000, "explorer": "disagreement", "look": 15, "look_gamma": 0.99,
    "target": "embed", "spread": "variance", "bonus": 1e4,
    "members": 5, "member_units": 1024, "lr_members": 6e-4,
})  # fmt: skip
CPU = PAPER.but(**daydreamer.CPU.model_dump() | {
    "gain": 2.0, "deter": 128, "hidden": 128, "units": 128, "lr": 3e-4, "gamma": 0.99, "starts": 64,
    "explore_steps": 20_000, "member_units": 64, "lr_members": 1e-3,
})  # fmt: skip
PRESETS = {"paper": PAPER, "cpu": CPU}
STYLE = Style(F.relu, uniform_average)  # of the members' layers
Explored = tuple[Behaviour, tuple[Update, ...]]


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    model, phase = daydreamer.build_model(spec, config), Phase(config.explore_steps)
    model.reward = WithheldWhileExploring(model.reward, phase)
    model.cont = WithheldWhileExploring(model.cont, phase)
    task, practise = daydreamer.build_behaviour(spec, config, model)
    explorer, explore = EXPLORERS[config.explorer](spec, config, model)
    adam = partial(Adam, settings=daydreamer.ADAM(config.lr))
    learn = c.HeadsApartLesson(model, {}).updates(adam)
    updates = (*learn, *practise[::-1], *explore, c.PhaseStep(phase))
    behaviour, diet = Explorer(explorer, task, phase), Diet(config.keys, UniformChunks())
    return Agent(model, behaviour, updates, diet)


def curious(spec: RobotSpec, config: Config, model: WorldModel) -> Explored:
    """Explore for what curiosity pays, in float32 always: members that agree differ by little."""
    inputs = model.dynamics.feat_width, spec.action.shape[0]
    layers, target = Hidden(config.member_units, 2, STYLE), TARGETS[config.target](model)
    foretell = partial(Ensemble, inputs, hidden=layers, bootstrap=resampled_rows)
    curiosity = CURIOSITIES[config.explorer](foretell, target.width, config)
    far = config.but(horizon=config.look, gamma=config.look_gamma)
    behaviour, learn = daydreamer.build_behaviour(spec, far, model, curiosity, "explorer_")
    adam = Adam(curiosity.parameters(), AdamSettings(config.lr_members, eps=1e-4))
    learning = Update("curiosity", adam, c.CuriosityLesson(curiosity, target).loss)
    return behaviour, (learning, *learn[::-1])
