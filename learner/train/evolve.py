"""The step that lets a controller evolve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from learner.behaviour.controller import Evolved
from learner.behaviour.evolution import Strategy
from learner.behaviour.fitness import Fitness
from learner.model.mdn_rnn import Memory
from learner.train.optimisers import check_fit
from learner.train.updates import Lesson
from robot.wire.transition import Transition


@dataclass(frozen=True)
class Pace:
    """When a controller evolves, and what its size costs.

    Args:
        after: batches before the first generation, in which the model becomes worth dreaming in.
        show_every: generations between two looks at which controller is best; 25 in the paper.
        decay: cost of the mean square of the parameters, in units of return. The released code
            subtracts it from the cost where it should add it, and so rewards large weights.
    """

    after: int = 0
    show_every: int = 25
    decay: float = 0.01


class Evolve:
    """Lets a controller evolve: one generation per batch, once its candidates are judged.

    Args:
        behaviour: acts with candidates.
        strategy: makes them.
        fitness: judges them.
        pace: when.
    """

    name = "controller"

    def __init__(
        self, behaviour: Evolved, strategy: Strategy, fitness: Fitness, pace: Pace
    ) -> None:
        self.behaviour, self.strategy, self.fitness, self.pace = behaviour, strategy, fitness, pace
        self.batches = torch.zeros((), dtype=torch.long)

    def __call__(self, lesson: Lesson) -> None:
        """Judge the candidates, and make new ones where that is done."""
        self.batches += 1
        if int(self.batches) <= self.pace.after:
            return
        candidates = self.strategy.ask()
        starts = live_starts(lesson)
        scores = self.fitness.scores(candidates.float(), starts)
        if scores is None:
            return
        self.strategy.tell(self.pace.decay * candidates.square().mean(1) - scores)
        lesson.metrics |= {
            "controller/return": scores.mean(),
            "controller/best_return": scores.max(),
            "controller/sigma": self.strategy.arrays["sigma"].clone(),
            "controller/generation": self.strategy.arrays["generation"].clone(),
        }
        if self.strategy.generation % self.pace.show_every == 0:
            shown, mean = self.behaviour.candidates.shown, self.strategy.arrays["mean"].float()
            shown.copy_(self.fitness.best(shown, mean, starts))
        self.behaviour.candidates.tried.copy_(self.strategy.ask()[0])

    def issued(self, version: int) -> None:
        """Choose the candidate that is about to be sent with weights of this version."""
        candidates = self.strategy.ask()
        row = self.fitness.offer(version) % len(candidates)
        self.behaviour.candidates.tried.copy_(candidates[row])

    def lived(self, step: Transition) -> None:
        """Take note of a step that a robot made."""
        self.fitness.lived(step)

    def tensors(self) -> dict[str, Tensor]:
        """The strategy's arrays, the fitness's, and how many batches there were."""
        return {"batches": self.batches, **self.strategy.arrays, **self.fitness.tensors()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` gave, in place.

        Raises:
            ValueError: when a name or a shape does not fit, naming it; nothing was changed.
        """
        check_fit("controller", self.tensors(), tensors)
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])
        self.strategy.load(tensors)


def live_starts(lesson: Lesson) -> Memory:
    """Detached states (N, ...) of the batch whose episode goes on."""
    assert lesson.watched is not None
    states = lesson.watched.detach().flatten()
    live = ~lesson.batch["is_terminal"].flatten()
    return Memory(*states[live]) if bool(live.any()) else Memory(*states)
