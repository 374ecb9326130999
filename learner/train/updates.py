"""Updates as data: which loss trains which optimiser, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from learner.behaviour.actor_critic import ActorCritic
from learner.model.rssm import State
from learner.model.world_model import Dream, WorldModel
from learner.train.optimisers import Adam


@dataclass
class Lesson:
    """What the updates of one training step hand to each other.

    Args:
        batch: (B, T, ...) tensors.
        states: (B * T, ...) detached posterior states, once the model has been updated.
        dream: imagined from some of them.
        live: (N,) 1 where the dream's start was not terminal.
        judged: detached returns and weights of the dream, once known.
        metrics: scalars worth a plot.
    """

    batch: Mapping[str, Tensor]
    states: State | None = None
    dream: Dream | None = None
    live: Tensor | None = None
    judged: tuple[Tensor, Tensor] | None = None
    metrics: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Update:
    """One backward pass and one step of one optimiser.

    Args:
        name: for metrics.
        optimiser: steps on the scalar that `loss` gives.
        loss: builds it, reading from and writing to the lesson.
        after: called when the step is done.
    """

    name: str
    optimiser: Adam
    loss: Callable[[Lesson], Tensor]
    after: Callable[[], None] = lambda: None

    def __call__(self, lesson: Lesson) -> None:
        """Run it on a lesson.

        Raises:
            FloatingPointError: when the gradient is not finite; no weight was changed by it.
        """
        try:
            norm = self.optimiser.step(self.loss(lesson))
        except FloatingPointError as error:
            raise FloatingPointError(f"update of the {self.name}: {error}") from error
        lesson.metrics[f"{self.name}/grad_norm"] = norm
        self.after()


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Let gradients pass through modules without reaching their weights."""
    weights = [p for m in modules for p in m.parameters() if p.requires_grad]
    for p in weights:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in weights:
            p.requires_grad_(True)


class ModelLesson:
    """Trains the world model on a batch.

    Args:
        model: the world model.
        scales: weight of each named loss; a name that is not listed counts once.
    """

    def __init__(self, model: WorldModel, scales: Mapping[str, float]) -> None:
        self.model, self.scales = model, scales

    def loss(self, lesson: Lesson) -> Tensor:
        """Scalar loss of the model; leaves the posterior states in the lesson."""
        losses, states = self.model.losses(lesson.batch)
        lesson.states = states.detach().flatten()
        means = {name: loss.mean() for name, loss in losses.items()}
        lesson.metrics |= {f"model/{name}": mean.detach() for name, mean in means.items()}
        return sum_of([self.scales.get(name, 1.0) * mean for name, mean in means.items()])


class DreamLesson:
    """Trains actor and critic in dreams that start from the batch's states.

    Args:
        model: dreams.
        behaviour: acts in them and judges them.
        pick: chooses which of N states to start from; gives row numbers.
    """

    def __init__(
        self, model: WorldModel, behaviour: ActorCritic, pick: Callable[[Tensor], Tensor]
    ) -> None:
        self.model, self.behaviour, self.pick = model, behaviour, pick

    def critic_loss(self, lesson: Lesson) -> Tensor:
        """Scalar loss of the critic's head."""
        dream = self._dream(lesson)
        returns, weight = lesson.judged or self._judge(lesson)
        lesson.metrics["critic/return"] = returns.mean()
        return self.behaviour.critic_loss(dream, returns, weight).mean()

    def actor_loss(self, lesson: Lesson) -> Tensor:
        """Scalar loss of the actor, through frozen dynamics, reward and values."""
        dream = self._dream(lesson)
        assert lesson.live is not None
        with frozen(self.model, self.behaviour.critic):  # type: ignore[arg-type]
            returns, value, weight = self.behaviour.returns(self.model, dream, lesson.live)
        lesson.judged = returns.detach(), weight
        return self.behaviour.actor_loss(dream, returns, value, weight).mean()

    @torch.no_grad()
    def _judge(self, lesson: Lesson) -> tuple[Tensor, Tensor]:
        dream = self._dream(lesson)
        assert lesson.live is not None
        returns, _, weight = self.behaviour.returns(self.model, dream, lesson.live)
        return returns, weight

    def _dream(self, lesson: Lesson) -> Dream:
        if lesson.dream is None:
            assert lesson.states is not None
            live = 1 - lesson.batch["is_terminal"].float().flatten()
            rows = self.pick(live)
            lesson.live = live[rows]
            with frozen(self.model):
                lesson.dream = self.behaviour.dream(self.model, lesson.states[rows])
        return lesson.dream


def sum_of(terms: Sequence[Tensor]) -> Tensor:
    """Sum of scalars."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
