"""A link that notes what the robot process hears, says and reads, for replay.

A *tick* lasts from one `next_tick` to the next. All that the robot process is told between them
comes through the link, or the pilot, and is noted in the order in which it was asked for:

    next_tick()    the samples, which count up from 0 over the life of the process
    now_ns()       each reading of the clock
    frames()       pictures that are new, by camera; it is asked once in a tick
    send(), say()  commands and words
    age_ns()       each age that the pilot told

At its end the tick goes to `robot.policy.tick_log`, which writes it under `/ticks` as

    {"tick": 7, "samples": [70, 80], "clock_ns": [...], "frames": {"front": stamp_ns},
     "commands": 1, "words": 0, "age_ns": [...]}

beside the samples (`/sensors`, whose `sequence` is the number of the sample), commands, words and
pictures (`/frames/NAME`, by capture stamp). Who plays back what was heard in the same order, with
the weights that `/weights` names from where `/transitions` has their version, gets every command
and action bit for bit. What was noted before the first tick makes a tick with the number -1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from robot.policy.interface import Policy
from robot.policy.rollout import Pilot
from robot.wire.link import BodyLink, Sample
from robot.wire.messages import Command, OperatorAck, OperatorWord

Pictures = dict[str, tuple[int, np.ndarray]]


@dataclass
class TickNotes:
    """What was noted of one tick.

    Args:
        number: of the tick, from 0.
        first: number of the first sample.
        sent_ns: when the tick began, on the log's clock.
        monotonic_ns: when it began, on the link's clock.
        samples: heard with it, oldest first.
        frames: new pictures, by camera, with their capture stamps.
        commands: that were sent.
        words: that were said, and answers that were heard.
        clock_ns: every reading of the link's clock.
        age_ns: every age of the weights that the pilot told.
    """

    number: int
    first: int
    sent_ns: int = 0
    monotonic_ns: int = 0
    samples: list[Sample] = field(default_factory=list)
    frames: Pictures = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)
    words: list[OperatorWord | OperatorAck] = field(default_factory=list)
    clock_ns: list[int] = field(default_factory=list)
    age_ns: list[int] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing was noted."""
        return not (self.samples or self.commands or self.words or self.clock_ns or self.age_ns)


class TickKeeper(Protocol):
    """Who takes ticks that are over."""

    def keep(self, tick: TickNotes) -> None:
        """Write a tick; never raises for a disk."""
        ...


class RecordingLink:
    """A `BodyLink` that notes what passes through another one. Noting costs microseconds.

    Ticks are written before the next one is waited for, when nobody waits for an action.

    Args:
        link: to the body.
        keeper: takes each tick that is over.
        wall_ns: clock of the log; the link's own when None, as in lock-step.
        answers: gives the body's answers that came since it was last asked.
    """

    def __init__(
        self,
        link: BodyLink,
        keeper: TickKeeper,
        wall_ns: Callable[[], int] | None = None,
        answers: Callable[[], list[OperatorAck]] = list,
    ) -> None:
        self._link, self._keeper, self._answers = link, keeper, answers
        self._wall_ns = wall_ns or link.now_ns
        self._tick = TickNotes(-1, 0, self._wall_ns(), link.now_ns())
        self._shown: dict[str, int] = {}

    @property
    def number(self) -> int:
        """Number of the present tick; -1 before the first."""
        return self._tick.number

    def open(self) -> None:
        """Connect; see `BodyLink`."""
        self._link.open()

    def next_tick(self) -> list[Sample]:
        """Write the last tick, then wait for the next one; its samples, oldest first."""
        self._finish()
        samples = self._link.next_tick()
        last = self._tick
        self._tick = TickNotes(
            last.number + 1,
            last.first + len(last.samples),
            self._wall_ns(),
            self._link.now_ns(),
            samples,
        )
        return samples

    def frames(self) -> Pictures:
        """Latest picture of each camera with its capture stamp in ns."""
        frames = self._link.frames()
        for name, (stamp_ns, picture) in frames.items():
            if self._shown.get(name) != stamp_ns:
                self._shown[name] = stamp_ns
                self._tick.frames[name] = stamp_ns, picture
        return frames

    def send(self, command: Command) -> None:
        """Give the body joint targets; never waits."""
        self._link.send(command)
        self._tick.commands.append(command)

    def say(self, word: OperatorWord) -> None:
        """Pass on an operator's word; never waits."""
        self._link.say(word)
        self._tick.words.append(word)

    def aged(self, age_ns: int) -> None:
        """Note an age of the weights, which does not pass through the link."""
        self._tick.age_ns.append(age_ns)

    def now_ns(self) -> int:
        """Time on the clock that stamps are taken from."""
        now_ns = self._link.now_ns()
        self._tick.clock_ns.append(now_ns)
        return now_ns

    def close(self) -> None:
        """Disconnect and write the last tick; safe to call twice."""
        self._link.close()
        self._finish()
        self._tick = TickNotes(-1, 0)

    def _finish(self) -> None:
        self._tick.words += self._answers()
        if self._tick.number >= 0 or not self._tick.empty:
            self._keeper.keep(self._tick)


class RecordingPilot:
    """A pilot whose told ages are noted.

    Args:
        pilot: who holds the policy.
        link: whose ticks they belong to.
    """

    def __init__(self, pilot: Pilot, link: RecordingLink) -> None:
        self._pilot, self._link = pilot, link

    def take(self) -> Policy[Any]:
        """Return the policy to use."""
        return self._pilot.take()

    def age_ns(self) -> int:
        """How long the present weights have been in use."""
        age_ns = self._pilot.age_ns()
        self._link.aged(age_ns)
        return age_ns
