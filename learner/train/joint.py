"""All losses in one: the world model, its behaviour in dreams, and the critic on replay."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from learner.behaviour.replay_value import ReplayValue, Stretch
from learner.train.updates import DreamLesson, Lesson, ModelLesson


def _not_one(count: int) -> int:
    if count == 1:
        raise ValueError("1 leaves no step between two dreams; allowed is 0 (all), or 2 or more")
    return count


Ends = Annotated[int, Field(ge=0), AfterValidator(_not_one)]


class PickEnds:
    """Chooses the last states of every chunk to dream from, in their order.

    Args:
        length: T, steps of a chunk.
        count: K of each; 0 takes all.
    """

    def __init__(self, length: int, count: int) -> None:
        self.length, self.count = length, count

    def __call__(self, live: Tensor) -> Tensor:
        """(B * T,) -> (B * K,) row numbers."""
        rows = torch.arange(live.shape[0]).unflatten(0, (-1, self.length))
        return rows[:, -self.count :].flatten()


class JointLesson:
    """Trains everything by one loss, in which each part learns from its own terms.

    Dreams start from detached states and are read detached, so that actor and critic do not reach
    the model by them; the critic's loss on replay does.

    Args:
        model: the world model's terms.
        dreams: the actor's and the critic's terms; starts are the last states of each chunk.
        replay: values recorded steps.
        scale: how much its loss counts.
    """

    def __init__(
        self, model: ModelLesson, dreams: DreamLesson, replay: ReplayValue, scale: float
    ) -> None:
        self.model, self.dreams, self.replay, self.scale = model, dreams, replay, scale

    def loss(self, lesson: Lesson) -> Tensor:
        """Scalar loss of everything."""
        model = self.model.loss(lesson)
        actor = self.dreams.actor_loss(lesson)
        critic = self.dreams.critic_loss(lesson)
        return model + actor + critic + self.scale * self._replay_loss(lesson)

    def _replay_loss(self, lesson: Lesson) -> Tensor:
        judged = lesson.dreams[self.dreams].judged
        assert judged is not None and lesson.watched is not None
        boot = judged.returns[:, 0].unflatten(0, (lesson.batch["reward"].shape[0], -1))  # (B, K)
        ends = slice(-boot.shape[1], None)
        batch = {key: lesson.batch[key][:, ends] for key in ("reward", "is_last", "is_terminal")}
        steps = Stretch(batch["reward"], batch["is_last"], batch["is_terminal"], boot)
        loss = self.replay.loss(lesson.watched.at(ends).feat, steps).mean()
        lesson.metrics[f"{self.dreams.name}/replay"] = loss.detach()
        return loss
