"""The robot process's view of its body: the same whether sockets or a lock-step twin lie behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robot.wire.messages import Command, OperatorWord, Reading, Status


@dataclass(frozen=True, slots=True)
class Sample:
    """One message of the sensor stream: a reading and what the body says of itself."""

    reading: Reading
    status: Status


class BodyLink(Protocol):
    """Sensors in, commands out, once per control tick."""

    def open(self) -> None:
        """Connect; returns when the first sample has come.

        Raises:
            TimeoutError: when no body answers, naming the endpoint.
        """
        ...

    def next_tick(self) -> list[Sample]:
        """Wait for the next control tick; all samples since the last one, oldest first.

        The list is empty when the body was silent for a whole control period.
        """
        ...

    def frames(self) -> dict[str, tuple[int, np.ndarray]]:
        """Latest picture of each camera with its capture stamp in ns."""
        ...

    def send(self, command: Command) -> None:
        """Give the body joint targets; never waits."""
        ...

    def say(self, word: OperatorWord) -> None:
        """Pass on an operator's word; never waits."""
        ...

    def now_ns(self) -> int:
        """Time on the clock that stamps are taken from."""
        ...

    def close(self) -> None:
        """Disconnect; safe to call twice."""
        ...
