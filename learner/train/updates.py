"""Updates as data: which loss trains which optimiser, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from learner.behaviour.actor_critic import ActorCritic
from learner.behaviour.returns import Judged
from learner.model.rssm import State
from learner.model.world_model import Dream, WorldModel
from robot.wire.transition import Transition


@dataclass
class Lesson:
    """What the updates of one training step hand to each other.

    Args:
        batch: (B, T, ...) tensors.
        steps: robot steps that were learnt from so far; schedules count by them.
        watched: (B, T, ...) posterior states with their history, once the model has seen the batch.
        dreams: what each behaviour dreamt from them.
        metrics: scalars worth a plot.
    """

    batch: Mapping[str, Tensor]
    steps: int = 0
    watched: State | None = None
    dreams: dict[DreamLesson, Dreamt] = field(default_factory=dict)
    metrics: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Dreamt:
    """One behaviour's dream in a lesson.

    Args:
        dream: N trajectories.
        live: (N,) 1 where the start was not terminal.
        judged: what it was worth, detached, once known.
    """

    dream: Dream
    live: Tensor
    judged: Judged | None = None


class Optimiser(Protocol):
    """Changes weights so that a loss falls."""

    def step(self, loss: Tensor) -> Tensor:
        """Descend on a scalar loss; the gradient's norm before clipping.

        Raises:
            FloatingPointError: when that is not finite; the weights stay as they were.
        """
        ...

    def tensors(self) -> dict[str, Tensor]:
        """All that it goes on from, by name: live, to be copied or saved."""
        ...

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` gave, in place."""
        ...


class Step(Protocol):
    """One thing that is done with every batch: an update by a gradient, or an evolution.

    Attributes:
        name: unique within an agent; for metrics and checkpoints.
    """

    @property
    def name(self) -> str:
        """Unique within an agent; for metrics and checkpoints."""
        ...

    def __call__(self, lesson: Lesson) -> None:
        """Run it on a lesson."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """All that it goes on from beside the agent's weights, by name: live."""
        ...

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` gave, in place."""
        ...


class Watcher(Protocol):
    """Learns from what becomes of weights on robots, beside what the replay tells of it."""

    def issued(self, version: int) -> None:
        """Weights of this version are about to be made."""
        ...

    def lived(self, step: Transition) -> None:
        """A robot made this step; each comes once, in the order of its stream."""
        ...


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
    optimiser: Optimiser
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

    def tensors(self) -> dict[str, Tensor]:
        """The optimiser's."""
        return self.optimiser.tensors()

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` gave, in place.

        Raises:
            ValueError: when a name or a shape does not fit, naming it; nothing was changed.
        """
        self.optimiser.load(tensors)


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
        losses, lesson.watched = self.model.losses(lesson.batch)
        means = {name: loss.mean() for name, loss in losses.items()}
        lesson.metrics |= {f"model/{name}": mean.detach() for name, mean in means.items()}
        return sum_of([self.scales.get(name, 1.0) * mean for name, mean in means.items()])


class DreamLesson:
    """Trains actor and critic in dreams that start from the batch's states.

    Args:
        model: dreams.
        behaviour: acts in them and judges them.
        pick: chooses which of N states to start from; gives row numbers.
        name: of the behaviour in metrics, where there are several.
    """

    def __init__(
        self,
        model: WorldModel,
        behaviour: ActorCritic,
        pick: Callable[[Tensor], Tensor],
        name: str = "critic",
    ) -> None:
        self.model, self.behaviour, self.pick, self.name = model, behaviour, pick, name

    def critic_loss(self, lesson: Lesson) -> Tensor:
        """Scalar loss of the critic's head."""
        dreamt = self._dream(lesson)
        if dreamt.judged is None:
            with torch.no_grad():
                dreamt.judged = self._judge(dreamt)
        lesson.metrics[f"{self.name}/return"] = dreamt.judged.returns.mean()
        return self.behaviour.critic_loss(dreamt.dream, dreamt.judged).mean()

    def actor_loss(self, lesson: Lesson) -> Tensor:
        """Scalar loss of the actor, through frozen dynamics, reward and values."""
        dreamt = self._dream(lesson)
        with frozen(self.model, self.behaviour.critic):  # type: ignore[arg-type]
            judged = self._judge(dreamt)
        dreamt.judged = judged.detach()
        return self.behaviour.actor_loss(dreamt.dream, judged).mean()

    def _judge(self, dreamt: Dreamt) -> Judged:
        return self.behaviour.judge(self.model, dreamt.dream, dreamt.live)

    def _dream(self, lesson: Lesson) -> Dreamt:
        if self not in lesson.dreams:
            assert lesson.watched is not None
            live = 1 - lesson.batch["is_terminal"].float().flatten()
            rows = self.pick(live)
            with frozen(self.model):
                dream = self.behaviour.dream(self.model, lesson.watched.detach().flatten()[rows])
            lesson.dreams[self] = Dreamt(dream, live[rows])
        return lesson.dreams[self]


# From the weights that it steps on.
MakeOptimiser = Callable[[Iterable[nn.Parameter]], Optimiser]


def behaviour_updates(
    dreams: DreamLesson, actor: MakeOptimiser, critic: MakeOptimiser, prefix: str = ""
) -> tuple[Update, Update]:
    """What trains an actor-critic: the actor's update, then the critic's, whose slow copy follows.

    Args:
        dreams: gives the losses.
        actor: makes the actor's optimiser.
        critic: makes the critic's; weights that need no gradient are not among its own.
        prefix: of the updates' names, where there are several behaviours.
    """
    acts, judges = dreams.behaviour.actor, dreams.behaviour.critic
    acting, judging = actor(acts.parameters()), critic(judges.parameters())  # type: ignore[attr-defined]
    return (
        Update(f"{prefix}actor", acting, dreams.actor_loss),
        Update(f"{prefix}critic", judging, dreams.critic_loss, judges.follow),
    )


def sum_of(terms: Sequence[Tensor]) -> Tensor:
    """Sum of scalars."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
