"""The experience of a run that learns from logs: what is taught, what is held out, what is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil

from launch.compose import plan_spec
from launch.offline_plan import OfflinePlan
from learner.train.held_out import held_out
from learner.train.replay import Replay
from learner.train.sampling import UniformChunks
from learner.train.trainer import Trainer
from robot.config import ConfigError
from robot.wire.index import LogIndex
from robot.wire.transition import FLAGS, Transition

HELD_SHARE = 4  # what is held out takes up to a quarter of what the replay may hold
SHOW_EVERY = 500


@dataclass(frozen=True)
class Doing:
    """What is shown of such a run.

    Args:
        what: in a word or two.
        done: how much of `total`: steps while the logs are read, then updates or seconds.
        total: 0 while it is not known.
        figures: in one line.
    """

    what: str
    done: float
    total: float
    figures: str = ""


Show = Callable[[Doing], None]


class OfflineData:
    """Teaches a trainer most episodes of some logs, and keeps the others to judge by.

    Where the trainer's replay cannot hold all, the episodes come in random order, again and again,
    a few steps with each update: all of them are learnt from, and memory stays bounded. The replay
    is then told of a stream of its own, since it takes no step of a stream twice.

    Args:
        plan: whose logs, and what of them is held out.
        trainer: is taught.

    Attributes:
        held_out: newest steps of the episodes that are not taught.
        streamed: steps that were given after the replay was full.

    Raises:
        ConfigError: when there are fewer than two episodes, or memory cannot hold the replay.
    """

    def __init__(self, plan: OfflinePlan, trainer: Trainer) -> None:
        self.plan, self.trainer = plan, trainer
        self.index = LogIndex([path for log in plan.logs for path in log.files])
        keys, capacity = trainer.agent.keys, plan.plan.settings.capacity
        self._arrays = (*keys, "action", "reward", *FLAGS)
        self._begins = _beginnings(self.index.rows)
        self._is_held = self._choose()
        room, spec = max(100, capacity // HELD_SHARE), plan_spec(plan.plan)
        self.held_out = Replay(spec, room, UniformChunks(), plan.plan.seed, keys)
        valid = self.index.rows["valid"]
        held = np.repeat(self._is_held, np.diff(self._begins))
        self.taught, self._held = int((valid & ~held).sum()), int((valid & held).sum())
        self.streams = self.taught > trainer.replay.capacity
        self.streamed = 0
        self._endless = self._shuffled()
        self._check_memory()

    @property
    def counts(self) -> dict[str, Any]:
        """What became of the logs' transitions, JSON-ready."""
        rows = self.index.rows
        return {
            "logged": len(rows),
            "taught": self.taught,
            "held_out": self._held,
            "invalid": int((~rows["valid"]).sum()),
            "duplicates": self.index.doubled,
            "faults": self.index.faults[:5],
            "episodes": len(self._is_held),
            "episodes_held_out": int(self._is_held.sum()),
            "replay": len(self.trainer.replay),
            "held_out_kept": len(self.held_out),
            "streamed": self.streamed,
        }

    def read(self, stop: Callable[[], bool], show: Show) -> bool:
        """Fill the replay and what is held out; whether that came to its end.

        Raises:
            ConfigError: when a step is not what its log promises, or there is too little to learn.
        """
        try:
            for number, step in enumerate(self._filling()):
                if number % SHOW_EVERY == 0:
                    show(Doing("reading logs", number, self.taught))
                    if stop():
                        return False
                self.trainer.add(step)
            for episode in np.flatnonzero(self._is_held):
                for step in self._of(int(episode)):
                    self.held_out.add(step)
        except ValueError as error:
            raise ConfigError(f"--offline {self.plan.logs[0].path}: {error}") from error
        self._check_enough()
        return True

    def stream(self, steps: int) -> None:
        """Give the replay further steps, where it cannot hold all at once."""
        if self.streams:
            for _ in range(steps):
                self.trainer.replay.add(next(self._endless))
            self.streamed += steps

    def _choose(self) -> np.ndarray:
        lessons = self.plan.lessons
        try:
            return held_out(len(self._begins) - 1, lessons.share, lessons.split_seed)
        except ValueError as error:
            raise ConfigError(f"--offline {self.plan.logs[0].path}: {error}") from error

    def _filling(self) -> Iterator[Transition]:
        """All steps that are taught in their order, or as many random episodes as there is room."""
        if self.streams:
            for _ in range(self.trainer.replay.capacity):
                yield next(self._endless)
            return
        for episode in np.flatnonzero(~self._is_held):
            yield from self._of(int(episode))

    def _shuffled(self) -> Iterator[Transition]:
        """Steps of all taught episodes in random order for ever, as one stream with gaps."""
        rng, index = np.random.default_rng(self.plan.lessons.split_seed), 0
        while True:
            for number in rng.permutation(np.flatnonzero(~self._is_held)):
                first = int(self.index.rows["index"][self._begins[number]])
                for step in self._of(int(number)):
                    place = index + step.index - first
                    yield _moved(step, place)
                index = place + 2  # a gap: what follows is another time

    def _of(self, episode: int) -> Iterator[Transition]:
        """Transitions of one episode, in their order."""
        first, end = int(self._begins[episode]), int(self._begins[episode + 1])
        return self.index.transitions(first, end, self._arrays)

    def _check_enough(self) -> None:
        length, named = self.plan.plan.settings.length, self.plan.logs[0].path
        for what, replay in (("learn from", self.trainer.replay), ("hold out", self.held_out)):
            if not len(replay) or not replay.ready(length):
                raise ConfigError(
                    f"--offline {named}: {len(self.index)} steps in {len(self._is_held)} episodes "
                    f"hold no chunk of {length} steps to {what}; name longer logs, or set "
                    "--validation or learner.length"
                )

    def _check_memory(self) -> None:
        """Refuse what memory cannot hold: no more than the logs, nor than the replay's capacity."""
        bound = self.trainer.replay.bytes_bound + self.held_out.bytes_bound
        size = sum(path.stat().st_size for path in self.index.paths)
        need, free = min(bound, size), psutil.virtual_memory().available
        if need > 0.8 * free:
            raise ConfigError(
                f"learner.capacity {self.trainer.replay.capacity}: may take {need / 1e6:.0f} MB, "
                f"and {free / 1e6:.0f} MB are free; set a smaller one: the rest is streamed"
            )


def _beginnings(rows: np.ndarray) -> np.ndarray:
    """Places (E + 1,) at which episodes begin, and the end of the last."""
    keys = rows[["stream", "episode"]]
    others = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    return np.concatenate([[0], others, [len(rows)]]).astype(int) if len(rows) else np.zeros(1, int)


def _moved(step: Transition, index: int) -> Transition:
    where = ("logs", "shuffled", index, step.episode, step.step)
    return Transition(*where, step.weights_version, step.valid, step.arrays)
