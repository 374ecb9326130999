"""Keeps a behaviour that learns from logs alone near what the logs know, by two parts to be added.

Nobody tries what such a behaviour dreams of, so that it may come to trust dreams of actions that
were never taken. Whatever is added, dreams begin in logged states alone and are short. Beyond that:

* cloning: the actor's loss also counts how unlikely the logged actions are (as TD3+BC adds to the
  policy's gradient, arXiv 2106.06860; by likelihood, since our actors are stochastic);
* caution: dreams pay less where an ensemble disputes what follows (MOPO, arXiv 2005.13239, eq. 2;
  by the disagreement of one-step guesses at the
  embedding, in units of what is usual for logged steps).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from learner.agent import Agent
from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.caution import Caution
from learner.behaviour.disagreement import Disagreement
from learner.behaviour.explorer import Explorer
from learner.behaviour.interface import Behaviour
from learner.model.ensemble import Ensemble, resampled_rows
from learner.model.nets import Hidden, Style, uniform_average
from learner.train.curiosity import CuriosityLesson, EmbedTarget
from learner.train.optimisers import Adam, AdamSettings
from learner.train.updates import Lesson, Step, Update

ACTS = ("actor", "joint")  # updates that train the actor of the task
DOUBT = "doubt"


@dataclass(frozen=True)
class Conservatism:
    """How near to the logs a behaviour is kept.

    Args:
        cloning: weight of the logged actions' mean negative log-likelihood per dimension.
        caution: reward that a step of usual disagreement costs.
        members: of the ensemble that gives it.
        units: of their two layers each.
        lr: of what they learn.
    """

    cloning: float = 0.0
    caution: float = 0.0
    members: int = 5
    units: int = 64
    lr: float = 1e-3


def actor_critic_of(behaviour: Behaviour) -> ActorCritic | None:
    """The actor and the critic that do the task; None where a behaviour has none."""
    if isinstance(behaviour, Explorer):
        return actor_critic_of(behaviour.task)
    return behaviour if isinstance(behaviour, ActorCritic) else None


def kept_near(agent: Agent, how: Conservatism) -> Agent:
    """The same agent with the parts that were asked for; no others of its parts change.

    Raises:
        ValueError: when it has no actor that they could be added to.
    """
    if not (how.cloning or how.caution):
        return agent
    behaviour = actor_critic_of(agent.behaviour)
    if behaviour is None or not any(update.name in ACTS for update in agent.updates):
        raise ValueError("has no actor that learns in dreams")
    updates = agent.updates
    if how.cloning:
        updates = tuple(_cloning(update, behaviour, how.cloning) for update in updates)
    if how.caution:
        updates = (*updates, _grown_cautious(agent, behaviour, how))
    return Agent(agent.model, agent.behaviour, updates, agent.diet, agent.watchers)


class Cloned:
    """An actor's loss that also counts how unlikely it finds the actions of the batch.

    Args:
        loss: of the actor, perhaps with others'.
        behaviour: whose actor it is.
        weight: of what is added.
    """

    def __init__(
        self, loss: Callable[[Lesson], Tensor], behaviour: ActorCritic, weight: float
    ) -> None:
        self.loss, self.behaviour, self.weight = loss, behaviour, weight

    def __call__(self, lesson: Lesson) -> Tensor:
        """Scalar loss; what is added reaches the actor alone."""
        total = self.loss(lesson)
        assert lesson.watched is not None
        policy = self.behaviour.actor(lesson.watched.detach().feat)
        action = lesson.batch["action"]
        # After an episode's last step no action follows that would mean anything.
        counts = 1 - lesson.batch["is_last"].float()
        unlikely = -policy.log_prob(action) / action.shape[-1] * counts  # (B, T)
        cloning = unlikely.sum() / counts.sum().clamp(min=1)
        lesson.metrics["actor/cloning"] = cloning.detach()
        return total + self.weight * cloning


def _cloning(update: Step, behaviour: ActorCritic, weight: float) -> Step:
    if update.name not in ACTS or not isinstance(update, Update):
        return update
    return replace(update, loss=Cloned(update.loss, behaviour, weight))


def _grown_cautious(agent: Agent, behaviour: ActorCritic, how: Conservatism) -> Update:
    """Let a behaviour fear what an ensemble disputes; the update that teaches the ensemble."""
    model = agent.model
    target, hidden = EmbedTarget(model), Hidden(how.units, 2, Style(F.silu, uniform_average))
    inputs = model.dynamics.feat_width, model.dynamics.action
    ensemble = Ensemble(inputs, target.width, how.members, hidden, resampled_rows)
    caution = Caution(behaviour.reward, Disagreement(ensemble), how.caution)
    behaviour.reward = caution
    adam = Adam(ensemble.parameters(), AdamSettings(how.lr))
    return Update(DOUBT, adam, CuriosityLesson(caution, target).loss)


def without_doubt(name: str) -> bool:
    """Whether a tensor of an agent belongs to none of these parts, by its name."""
    return DOUBT not in name.split(".")
