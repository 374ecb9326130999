"""How World Models' V and M are taught: one look, two losses, two optimisers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from torch import Tensor, nn

from learner.model.mdn_rnn import Memory
from learner.model.world_model import Posterior, WorldModel
from learner.train.optimisers import Adam, AdamSettings, Flat
from learner.train.updates import Lesson, MakeOptimiser, Update, sum_of

UNCLIPPED = 1e20


class VisionMemory:
    """Trains V and M on one look at a batch, each by its own losses: neither teaches the other.

    The losses are those of `model.losses`, in two graphs that share nothing.

    Attributes:
        sees: weights of V.
        recalls: weights of M, with all that it foretells.

    Args:
        model: V is its encoder and decoder, M all the rest.
        scales: weight of each named loss; a name that is not listed counts once.
    """

    def __init__(self, model: WorldModel, scales: Mapping[str, float]) -> None:
        self.model, self.scales = model, scales
        eyes = ("encoder.", "decoder.")
        self.sees = [p for name, p in model.named_parameters() if name.startswith(eyes)]
        self.recalls = [p for name, p in model.named_parameters() if not name.startswith(eyes)]
        self._watched: Posterior | None = None

    def updates(self, vision: MakeOptimiser, memory: MakeOptimiser) -> tuple[Update, Update]:
        """What trains V, and then M, each by its own optimiser."""
        sees, recalls = vision(self.sees), memory(self.recalls)
        return Update("vision", sees, self.vision), Update("memory", recalls, self.memory)

    def vision(self, lesson: Lesson) -> Tensor:
        """Scalar loss of V; leaves the states in the lesson, and the look for `memory`."""
        model, batch = self.model, lesson.batch
        self._watched = watched = model.observe(batch)
        lesson.watched = watched.states
        losses = model.objective(model.dynamics.latents, watched.post, watched.post)
        losses |= model.decoder.losses(watched.states.stoch, batch)  # type: ignore[operator]
        return self._sum(lesson, losses)

    def memory(self, lesson: Lesson) -> Tensor:
        """Scalar loss of M, of the same look."""
        model, batch, watched = self.model, lesson.batch, self._watched
        assert watched is not None and isinstance(watched.states, Memory)
        self._watched, losses = None, {}
        for extra in model.extras:
            losses |= extra(model, watched, batch)
        hidden, lives = watched.states.hidden, 1 - batch["is_terminal"].float()
        losses["reward"] = model.reward.loss(hidden, batch["reward"])  # type: ignore[operator]
        losses["continue"] = model.cont.loss(hidden, lives)  # type: ignore[operator]
        return self._sum(lesson, losses)

    def _sum(self, lesson: Lesson, losses: Mapping[str, Tensor]) -> Tensor:
        means = {name: loss.mean() for name, loss in losses.items()}
        lesson.metrics |= {f"model/{name}": mean.detach() for name, mean in means.items()}
        return sum_of([self.scales.get(name, 1.0) * mean for name, mean in means.items()])


class ValueClippedAdam(Adam):
    """Adam on gradients of which each entry is clipped, and not their norm.

    Args:
        params: what is trained.
        settings: its numbers; `clip` bounds the entries.
    """

    def __init__(self, params: Iterable[nn.Parameter], settings: AdamSettings) -> None:
        super().__init__(params, replace(settings, clip=UNCLIPPED))
        self.bound = settings.clip

    def _descend(self, flat: Flat, grad: Tensor) -> None:
        super()._descend(flat, grad.clamp_(-self.bound, self.bound))
