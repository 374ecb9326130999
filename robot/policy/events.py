"""What happened, as lines of the topic `/events`: changes of the body's state, and of streams."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

from robot.wire.link import Sample
from robot.wire.log import LogWriter
from robot.wire.log.names import EVENTS, LogError
from robot.wire.streams import Health

_log = logging.getLogger(__name__)

Event = tuple[str, dict[str, object]]


def note_event(log: LogWriter, stamp_ns: int, event: str, **values: object) -> None:
    """Append an event; where the disk is full it is lost, and nobody is disturbed.

    Args:
        log: where to.
        stamp_ns: when, on the log's clock.
        event: its kind.
        values: plain data that belongs to it.
    """
    try:
        log.note(EVENTS, {"event": event, **values}, stamp_ns)
    except LogError as error:
        _log.error("event %s is lost: %s", event, error)


class Changes:
    """Tells what is new in the body's state, and in the health of streams."""

    def __init__(self) -> None:
        self._state = ("", "")
        self._health: dict[str, tuple[bool, bool, bool]] = {}

    def states(self, samples: Sequence[Sample], first: int) -> Iterator[Event]:
        """Each change of state or reason among samples.

        Args:
            samples: oldest first.
            first: number of the first one.
        """
        for number, sample in enumerate(samples, first):
            state = (sample.status.state, sample.status.reason)
            if state != self._state:
                before, self._state = self._state[0], state
                told = {"state": state[0], "reason": state[1], "before": before}
                yield "state", {**told, "sample": number}

    def streams(self, health: Mapping[str, Health]) -> Iterator[Event]:
        """Each stream that became, or ceased to be, alive, in time, or valid."""
        for name, now in health.items():
            marks = (now.alive, now.freq_ok, now.valid)
            if marks != self._health.get(name):
                self._health[name] = marks
                told = {"alive": now.alive, "freq_ok": now.freq_ok, "valid": now.valid}
                yield "stream", {"stream": name, **told, "hz": round(now.hz, 3)}
