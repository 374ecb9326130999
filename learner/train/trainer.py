"""The trainer: takes in experience, makes as many updates as it allows, and never loses its place.

The same object serves the learner process, which is fed over a socket, and lock-step runs, which
feed it directly; it knows neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from learner.agent import Agent
from learner.train.checkpoint import Checkpoints
from learner.train.replay import Replay
from learner.train.sampling import ReplayRatio
from learner.train.settings import Settings
from robot.wire.transition import Transition
from robot.wire.weights import Weights

Scalars = Mapping[str, torch.Tensor]


class Trainer:
    """One agent, its replay, and the rule by which experience allows updates.

    Nothing is learnt from the first `prefill` valid steps, which a random policy makes; when they
    are there, `pretrain` updates are due at once.

    Args:
        agent: learns.
        replay: keeps experience.
        settings: of training.
        spec: fingerprint of the robot that the weights are for.
    """

    def __init__(self, agent: Agent, replay: Replay, settings: Settings, spec: str) -> None:
        self.agent, self.replay, self.settings, self.spec = agent, replay, settings, spec
        replayed = settings.batch * settings.length
        self.ratio = ReplayRatio(
            replayed / settings.steps_per_update,
            replayed,
            settings.early_steps,
            settings.early_factor,
        )
        self.updates = 0
        self.published = 0
        self.taken = 0
        self._known = 0
        self._seen = 0
        self._pretrained = 0

    def add(self, step: Transition) -> None:
        """Take in one transition, in the order of its stream.

        After `resume` the logged transitions are added again; those that the checkpoint had
        counted only fill the replay.
        """
        self.replay.add(step)
        self.taken += 1
        if self.taken <= self._known:
            return
        self.agent.live(step)
        if step.valid:
            self._seen += 1
            if self._seen > self.settings.prefill:
                self.ratio.add()

    @property
    def due(self) -> int:
        """Updates that may be made now."""
        if self._seen < self.settings.prefill or not self.replay.ready(self.settings.length):
            return 0
        return self.ratio.due + self.settings.pretrain - self._pretrained

    def update(self) -> Scalars:
        """Make one update; scalars worth a plot.

        Raises:
            FloatingPointError: when a loss is no longer finite; nothing was saved of it.
        """
        batch = self.replay.sample(self.settings.batch, self.settings.length)
        metrics = self.agent.learn(batch, self._seen)
        if self._pretrained < self.settings.pretrain:
            self._pretrained += 1
        else:
            self.ratio.spend()
        self.updates += 1
        return metrics

    def weights(self, stamp_ns: int) -> Weights:
        """Policy weights for robots, with the next version number."""
        self.published += 1
        arrays = self.agent.issue(self.published)
        return Weights(arrays, self.published, self.spec, self.updates, stamp_ns)

    def begin(self, tensors: Mapping[str, torch.Tensor], updates: int, experienced: bool) -> None:
        """Begin with what another run has learnt, and without any experience of this one.

        Args:
            tensors: of its agent.
            updates: that it made.
            experienced: whether learning goes on at once, for there is experience to learn from;
                if not, it waits for `prefill` steps.

        Raises:
            ValueError: when a name or a shape does not fit, naming it; nothing was changed.
        """
        self.agent.load_tensors(tensors)
        self.updates, self._pretrained = updates, self.settings.pretrain
        self._seen = self.settings.prefill if experienced else 0

    def save(self, checkpoints: Checkpoints, extra: Mapping[str, Any]) -> None:
        """Write a checkpoint from which learning goes on bit for bit.

        Args:
            checkpoints: where to.
            extra: what the caller must know on resuming, JSON-ready.
        """
        tensors = {**self.agent.tensors(), "torch_rng": torch.get_rng_state()}
        checkpoints.save(self.updates, tensors, {**self._state(), "extra": dict(extra)})

    def resume(self, checkpoints: Checkpoints) -> dict[str, Any] | None:
        """Go on from the newest checkpoint; the `extra` it was saved with, None without one.

        Call it first, then add all logged transitions in their order.
        """
        found = checkpoints.load()
        if found is None:
            return None
        self.updates, tensors, state = found
        torch.set_rng_state(tensors.pop("torch_rng"))
        self.agent.load_tensors(tensors)
        self.ratio.restore(state["ratio"])
        self.replay.restore(state["replay"])
        self._pretrained, self._seen = state["pretrained"], state["seen"]
        self._known, self.published = state["taken"], state["published"]
        return state["extra"]

    def _state(self) -> dict[str, Any]:
        return {
            "ratio": self.ratio.state(),
            "replay": self.replay.state(),
            "pretrained": self._pretrained,
            "seen": self._seen,
            "taken": self.taken,
            "published": self.published,
        }
