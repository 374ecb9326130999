"""Plan2Explore (Sekar et al. 2020, arXiv 2005.05960): explore without a task, then do any.

An explorer seeks what an ensemble disputes. Reward and end are learnt aside, and touch neither what
is collected nor the model; the task's behaviour is made in dreams and shows its best at any time
(zero-shot). After `explore_steps` it also collects, and reward reaches the model (few-shot).

Numbers of `paper` are of the released code (configs.py, one_step_model.py): 5 members of 2 x 1024
ReLU, each foretelling the next embedding from its own bootstrap; 10 000 times their variance; gamma
0.99; 50 x 50 steps per update, 5 of them new; 1000 episodes of 500 steps of exploration. Different:

* World model and actor-critics are DayDreamer's (see its page); the paper's are Dreamer's.
* Members see the state after the observation, and the action that causes what they foretell; pairs
  across episodes are left out. They have an optimiser of their own, and so have the heads of reward
  and end: not even the norm of a gradient carries a reward to the model.
* Data of both phases are drawn alike (there, 70% are of the second one). Actors learn before their
  critics, which then take over the returns: half of the work is to ask all members.

`cpu` is the same in small. Rivals: `explorer=prediction_error` cannot tell the new from the noisy,
`explorer=random` does not look; retrospective disagreement is `look=1 look_gamma=0`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

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
from learner.train.settings import Count, Positive, Share
from learner.train.updates import Update
from robot.wire.spec import RobotSpec


class Config(daydreamer.Config):
    """Numbers of the system, beside those of model and actor-critics, which are DayDreamer's."""

    batch: Count = 50
    length: int = Field(default=50, ge=2)
    prefill: int = Field(default=2500, ge=0)
    steps_per_update: Positive = 5.0
    gamma: Share = 0.99
    explore_steps: int = Field(default=500_000, ge=0)  # those of random play counted in
    explorer: Literal["disagreement", "prediction_error", "random"] = "disagreement"
    look: Count = 15  # the explorer's horizon, with its discount
    look_gamma: Share = 0.99
    target: Literal["embed", "stoch"] = "embed"
    spread: Literal["variance", "deviation"] = "variance"
    bonus: Positive = 1e4
    members: Count = 5
    member_units: Count = 1024
    lr_members: Positive = 6e-4


SMALL = {
    **daydreamer.PRESETS["cpu"].model_dump(), "gamma": 0.99, "explore_steps": 20_000, "lr": 3e-4,
    "lr_members": 1e-3, "member_units": 64, "units": 128, "hidden": 128, "deter": 128, "gain": 2.0,
    "starts": 64,
}  # fmt: skip
PRESETS = {"paper": Config(), "cpu": Config(**SMALL)}
Explored = tuple[Behaviour, tuple[Update, ...]]
Foretell = Callable[[int, int], Ensemble]  # from what is foretold, and by how many


def build(spec: RobotSpec, config: Config) -> Agent:
    """Put the parts together for one robot."""
    hidden = Hidden(config.units, config.layers, Style(F.elu, uniform_average, eps=1e-3))
    model, phase = daydreamer.build_model(spec, config, hidden), Phase(config.explore_steps)
    model.reward = WithheldWhileExploring(model.reward, phase)
    model.cont = WithheldWhileExploring(model.cont, phase)
    task, practise = daydreamer.build_behaviour(spec, config, model, hidden)
    explorer, explore = EXPLORERS[config.explorer](spec, config, model, hidden)
    lesson = c.HeadsApartLesson(model, {})
    updates = (
        Update("model", daydreamer.make_adam(lesson.body(), config), lesson.loss),
        Update("heads", daydreamer.make_adam(lesson.heads(), config), lesson.heads_loss),
        *practise[::-1], *explore, c.PhaseStep(phase),
    )  # fmt: skip
    diet = Diet(config.keys, UniformChunks())
    return Agent(model, Explorer(explorer, task, phase), updates, diet)


def curious(spec: RobotSpec, config: Config, model: WorldModel, hidden: Hidden) -> Explored:
    """Explore for what curiosity pays, in float32 always: members that agree differ by little."""
    inputs, target = (
        (model.dynamics.feat_width, spec.action.shape[0]),
        TARGETS[config.target](model),
    )
    layers = Hidden(config.member_units, 2, Style(F.relu, uniform_average))
    foretell = partial(Ensemble, inputs, hidden=layers, bootstrap=resampled_rows)
    curiosity = CURIOSITIES[config.explorer](config, foretell, target.width)
    far = config.model_copy(update={"horizon": config.look, "gamma": config.look_gamma})
    behaviour, learn = daydreamer.build_behaviour(spec, far, model, hidden, curiosity, "explorer_")
    adam = Adam(curiosity.parameters(), AdamSettings(config.lr_members, eps=1e-4))
    learning = Update("curiosity", adam, c.CuriosityLesson(curiosity, target).loss)
    return behaviour, (learning, *learn[::-1])


def disagreement(config: Config, foretell: Foretell, width: int) -> d.Disagreement:
    """What the members dispute."""
    ensemble = foretell(width, config.members)
    return d.Disagreement(ensemble, SPREADS[config.spread], config.bonus)


def prediction_error(config: Config, foretell: Foretell, width: int) -> d.PredictionError:
    """What is foretold badly."""
    return d.PredictionError(foretell(width, 1), foretell(1, 1), config.bonus)


TARGETS = {"embed": c.EmbedTarget, "stoch": c.StochTarget}
SPREADS = {"variance": d.variance, "deviation": d.deviation}
CURIOSITIES = {f.__name__: f for f in (disagreement, prediction_error)}
EXPLORERS = dict.fromkeys(CURIOSITIES, curious) | {
    "random": lambda spec, *_: (RandomPlay(spec.action), ()),
}
