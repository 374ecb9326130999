"""A link and a pilot that play a log back: what the process hears, and the clock that it reads.

They are the other side of `robot.policy.recording`. What today's process says is held against what
was said then; the first thing that differs is raised.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from robot.policy.interface import Policy
from robot.policy.recording import Pictures
from robot.wire.link import Sample
from robot.wire.messages import Command, OperatorWord
from robot.wire.transition import Transition

UNSEEN = np.zeros((0, 0, 3), np.uint8)  # of a camera that is logged, and that no policy observes


@dataclass(frozen=True)
class RecordedTick:
    """One tick as a log has it; see `robot.policy.recording.TickNotes`.

    Args:
        number: of the tick, -1 for what came before the first.
        samples: heard with it.
        commands: that were sent.
        clock_ns: readings of the clock.
        age_ns: ages of the weights that were told.
    """

    number: int
    samples: list[Sample] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    clock_ns: list[int] = field(default_factory=list)
    age_ns: list[int] = field(default_factory=list)


class EndOfLog(Exception):
    """The log has no further tick, or lacks the next one."""


class Differs(Exception):
    """Today's process does something else than it did.

    Args:
        what: that differs.
        recorded: what it was.
        replayed: what it is today.
        cause: where to look.
    """

    def __init__(self, what: str, recorded: object, replayed: object, cause: str) -> None:
        super().__init__(f"{what}: {recorded} was recorded, {replayed} today; look at {cause}")
        self.what, self.recorded, self.replayed, self.cause = what, recorded, replayed, cause


class Expected:
    """The recorded steps, the next of which can be looked at."""

    def __init__(self, steps: Iterable[Transition]) -> None:
        self._steps: Iterator[Transition] = iter(steps)
        self._next: Transition | None = None

    def peek(self) -> Transition:
        """The next step.

        Raises:
            EndOfLog: when there is none.
        """
        if self._next is None:
            self._next = next(self._steps, None)
        if self._next is None:
            raise EndOfLog("the log has no further step")
        return self._next

    def take(self) -> Transition:
        """The next step, and on to the one behind it."""
        step, self._next = self.peek(), None
        return step


class ReplayLink:
    """A `BodyLink` that tells what was heard, and checks what is sent.

    Pictures are those that the steps show, for the frames of a log may be lossy.

    Args:
        ticks: of one life of a robot process, in order.
        expected: its steps.
        cameras: observation key of each camera that the process hears.
    """

    def __init__(
        self, ticks: Iterable[RecordedTick], expected: Expected, cameras: Mapping[str, str]
    ) -> None:
        self._ticks, self._expected, self._cameras = iter(ticks), expected, cameras
        self._clock: deque[int] = deque()
        self._ages: deque[int] = deque()
        self._commands: deque[Command] = deque()
        self._fault: Differs | None = None
        self._number, self._ahead = -1, next(self._ticks, None)
        if self._ahead is not None and self._ahead.number == -1:
            self._enter(self._ahead)

    def open(self) -> None:
        """Nothing is connected."""

    def next_tick(self) -> list[Sample]:
        """Samples of the next tick.

        Raises:
            EndOfLog: when there is none.
            Differs: when a command is another one today, or is missing.
        """
        self.check()
        if self._commands:
            raise Differs("a command", self._commands[0].position, "none", "the policy's loop")
        if self._ahead is None:
            raise EndOfLog("the log has no further tick")
        if self._ahead.number != self._number + 1:
            raise EndOfLog(f"the log lacks tick {self._number + 1}")
        return self._enter(self._ahead)

    def frames(self) -> Pictures:
        """Pictures that the step of this tick shows; empty ones where it tells but their time."""
        step = self._expected.peek()
        return {
            name: (step.stamps_ns[key], step.arrays.get(key, UNSEEN).copy())
            for name, key in self._cameras.items()
            if key in step.stamps_ns
        }

    def send(self, command: Command) -> None:
        """Check a command; one that differs is raised with the next tick.

        Whoever checks the step meanwhile may know better why: the action that it comes from.
        """
        then = self._commands.popleft() if self._commands else None
        if then is None:
            self._fault = Differs("a command", "none", command.position, "the policy's loop")
        elif not same(then.position, command.position):
            told = then.position, command.position
            self._fault = Differs("a command", *told, "what makes commands of actions")

    def check(self) -> None:
        """Raise what a command made differ, if one did.

        Raises:
            Differs: see `send`.
        """
        if self._fault is not None:
            raise self._fault

    def say(self, word: OperatorWord) -> None:
        """Nobody listens; what the body made of it is in its samples."""

    def now_ns(self) -> int:
        """What the clock told then.

        Raises:
            Differs: when it is read more often than then.
        """
        if not self._clock:
            raise Differs("the clock", "its last reading", "another one", "the policy's loop")
        return self._clock.popleft()

    def age_ns(self) -> int:
        """Age of the weights as it was told then.

        Raises:
            Differs: when it is asked more often than then.
        """
        if not self._ages:
            raise Differs("the weights' age", "none", "asked for", "the policy's loop")
        return self._ages.popleft()

    def close(self) -> None:
        """Nothing is disconnected."""

    def _enter(self, tick: RecordedTick) -> list[Sample]:
        self._number = tick.number
        self._clock, self._ages = deque(tick.clock_ns), deque(tick.age_ns)
        self._commands = deque(tick.commands)
        self._ahead = next(self._ticks, None)
        return tick.samples


class ReplayPilot:
    """Holds the policy that chose each recorded step.

    Where its weights are not kept, recorded actions are repeated until an episode begins whose
    weights are: without them a policy's memory would be another's.

    Args:
        link: tells the weights' age.
        expected: whose next step names its weights.
        first: policy of version 0.
        policy_of: gives that of a later version, and whether its weights are kept. If they are not,
            it still draws as that policy did, so that what is random goes on at the right place.

    Attributes:
        repeats: whether the present policy repeats what was recorded.
    """

    def __init__(
        self,
        link: ReplayLink,
        expected: Expected,
        first: Policy[Any],
        policy_of: Callable[[int], tuple[Policy[Any], bool]],
    ) -> None:
        self.repeats = False
        self._link, self._expected, self._policy_of = link, expected, policy_of
        self._policy, self._version, self._kept = first, first.version, True

    def take(self) -> Policy[Any]:
        """Return the policy of the next step."""
        step = self._expected.peek()
        if step.weights_version != self._version:
            self._version = step.weights_version
            self._policy, self._kept = self._policy_of(self._version)
        self.repeats = not self._kept or (self.repeats and not step.arrays["is_first"])
        return Repeating(self._policy, self._expected) if self.repeats else self._policy

    def age_ns(self) -> int:
        """How long the weights had been in use."""
        return self._link.age_ns()


class Repeating:
    """Repeats recorded actions, while another policy goes on drawing.

    Args:
        policy: whose randomness goes on.
        expected: whose next step has the action.
    """

    def __init__(self, policy: Policy[Any], expected: Expected) -> None:
        self._policy, self._expected = policy, expected

    @property
    def version(self) -> int:
        """Of the recorded step."""
        return self._expected.peek().weights_version

    def initial(self) -> Any:
        """The other policy's."""
        return self._policy.initial()

    def act(self, carry: Any, observation: Mapping[str, np.ndarray]) -> tuple[Any, np.ndarray]:
        """The recorded action (A,)."""
        carry, _ = self._policy.act(carry, observation)
        return carry, self._expected.peek().arrays["action"]


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays agree in type, shape and every bit."""
    return (
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )


CAUSES = {
    "action": "the policy: its weights, its noise, its code, or the versions of its libraries",
    "applied": "what maps actions to commands",
    "reward": "the task",
}
SENSED = "what turns readings into observations, or the task's estimates"


def check_step(recorded: Transition, replayed: Transition) -> None:
    """Hold one step against the recorded one.

    Raises:
        Differs: naming the first field that is not the same, in the order in which they are made.
    """
    keys = sorted(recorded.arrays, key=lambda key: (key in CAUSES, key == "applied", key))
    if recorded.arrays.keys() != replayed.arrays.keys():
        raise Differs("the keys", sorted(recorded.arrays), sorted(replayed.arrays), SENSED)
    for key in keys:
        then, now = recorded.arrays[key], replayed.arrays[key]
        if not same(then, now):
            raise Differs(key, then, now, CAUSES.get(key, SENSED))
    for name in ("episode", "step", "index", "valid", "weights_version", "stamps_ns", "ledger_ns"):
        then, now = getattr(recorded, name), getattr(replayed, name)
        if then != now:
            raise Differs(name, then, now, "the policy's loop")
