"""What a curious robot learns besides: its curiosity, its heads apart, and when it is enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from learner.behaviour.disagreement import Curiosity
from learner.behaviour.explorer import Phase
from learner.model.ensemble import one_step
from learner.model.rssm import State
from learner.model.world_model import Batch, WorldModel
from learner.train.updates import Lesson, MakeOptimiser, ModelLesson, Update, frozen


class Target(Protocol):
    """What an ensemble foretells of each step.

    Attributes:
        width: P.
    """

    width: int

    def __call__(self, batch: Batch, states: State) -> Tensor:
        """(B, T, P) of a batch and its posterior states."""
        ...


class StochTarget:
    """The sampled stochastic state (DreamerV2's code, DayDreamer's)."""

    def __init__(self, model: WorldModel) -> None:
        self.width = model.dynamics.latents.width

    def __call__(self, batch: Batch, states: State) -> Tensor:
        """(B, T, P)."""
        return states.stoch


class EmbedTarget:
    """The embedding of what is observed (Plan2Explore, section 3)."""

    def __init__(self, model: WorldModel) -> None:
        self.encoder, self.width = model.encoder, model.encoder.width

    @torch.no_grad()
    def __call__(self, batch: Batch, states: State) -> Tensor:
        """(B, T, P)."""
        return self.encoder(batch).float()


class CuriosityLesson:
    """Teaches curiosity what follows each step of a batch.

    Args:
        curiosity: is taught.
        target: what it foretells.
    """

    def __init__(self, curiosity: Curiosity, target: Target) -> None:
        self.curiosity, self.target = curiosity, target

    def loss(self, lesson: Lesson) -> Tensor:
        """Scalar loss; gradients reach curiosity alone."""
        assert lesson.watched is not None
        states, batch = lesson.watched.detach(), lesson.batch
        target = self.target(batch, states)
        loss = self.curiosity.loss(
            one_step(states.feat, batch["action"], target, batch["is_first"])
        )
        lesson.metrics["curiosity/loss"] = loss.detach().mean()
        return loss.mean()


class HeadsApartLesson(ModelLesson):
    """Trains a world model without the heads of reward and end, and those on their own.

    The model's optimiser scales its gradient by the norm of the whole; a head among its weights
    would let a reward touch the model even where no gradient of it does.
    """

    def updates(self, make: MakeOptimiser) -> tuple[Update, Update]:
        """What trains the model, and then its heads, each with an optimiser of its own."""
        model, heads = make(self.body()), make(self.heads())
        return Update("model", model, self.loss), Update("heads", heads, self.heads_loss)

    def body(self) -> list[nn.Parameter]:
        """Weights of the model without its heads."""
        named = self.model.named_parameters()
        return [weight for name, weight in named if not name.startswith(("reward.", "cont."))]

    def heads(self) -> list[nn.Parameter]:
        """Weights of the heads of reward and end."""
        return [*self.model.reward.parameters(), *self.model.cont.parameters()]

    def loss(self, lesson: Lesson) -> Tensor:
        """Scalar loss of the model; gradients pass through the heads and leave them as they are."""
        with frozen(self.model.reward, self.model.cont):
            return super().loss(lesson)

    def heads_loss(self, lesson: Lesson) -> Tensor:
        """Scalar loss of both heads on what the model made of the batch."""
        assert lesson.watched is not None
        feat, batch = lesson.watched.detach().feat, lesson.batch
        reward = self.model.reward.loss(feat, batch["reward"])  # type: ignore[operator]
        cont = self.model.cont.loss(feat, 1 - batch["is_terminal"].float())  # type: ignore[operator]
        return (reward + cont).mean()


class PhaseStep:
    """Counts with every batch, so that exploration ends when its steps are over.

    Args:
        phase: is told.
    """

    name = "phase"

    def __init__(self, phase: Phase) -> None:
        self.phase = phase

    def __call__(self, lesson: Lesson) -> None:
        """Take note of the lesson's steps."""
        self.phase.count(lesson.steps)
        lesson.metrics["phase/exploring"] = self.phase.exploring.float()

    def tensors(self) -> dict[str, Tensor]:
        """Nothing: the phase itself is saved with the behaviour."""
        return {}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Nothing to take over."""
