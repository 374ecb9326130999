"""The learner's receiving end: every transition once, kept before it is acknowledged."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from functools import partial
from typing import Any

import numpy as np
import zmq

from robot.wire.codec import decode, encode, unpack
from robot.wire.index import LogIndex
from robot.wire.keys import Keys
from robot.wire.log import TRANSITIONS, LogError, LogReader, LogWriter, Record, log_files
from robot.wire.messages import Ack, Hello, Hole
from robot.wire.schemas import CodecError
from robot.wire.sockets import open_receiver
from robot.wire.spec import RobotSpec, Spec
from robot.wire.streams import Endpoints
from robot.wire.transition import FLAGS, Transition

_log = logging.getLogger(__name__)

SKIPPED = "/skipped"
Stream = tuple[str, str]


class Outcome(Enum):
    """What became of one transition."""

    INGESTED = "ingested"
    DUPLICATE = "duplicate"
    EARLY = "early"  # an earlier index is still missing
    INVALID = "invalid"  # passed over for good


@dataclass
class Counts:
    """Transitions by what became of them; `lost` are those that a log has lost."""

    ingested: int = 0
    duplicates: int = 0
    invalid: int = 0
    lost: int = 0

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)


class Ingest:
    """Takes each (robot, run, index) exactly once and in order, and hands it to the consumer."""

    def __init__(
        self,
        consume: Callable[[Transition], None],
        check: Callable[[Transition], None],
        log: LogWriter | None = None,
    ) -> None:
        """Say where transitions go.

        Args:
            consume: called once for each, in the order of its stream.
            check: raises ValueError for a transition that does not fit, such as `fits(spec)`.
            log: what was accepted is kept here first. None where the robot's own log serves.
        """
        self.counts = Counts()
        self.reasons: list[str] = []
        self._consume = consume
        self._check = check
        self._log = log
        self._next: dict[Stream, int] = {}

    def next_index(self, robot: str, run: str) -> int:
        """Index that is expected next of a stream."""
        return self._next.get((robot, run), 0)

    def accept(self, step: Transition, data: bytes | None = None) -> Outcome:
        """Take one transition.

        Args:
            step: the transition.
            data: its encoded form, where it came as one; kept as it is.

        Raises:
            LogError: when it cannot be kept; it is then not taken, and may be offered again.
        """
        expected = self.next_index(*step.stream)
        if step.index < expected:
            self.counts.duplicates += 1
            return Outcome.DUPLICATE
        if step.index > expected:
            return Outcome.EARLY
        if reason := self._misfit(step):
            self._skip(step.stream, step.index, step.index + 1, reason)
            self.counts.invalid += 1
            return Outcome.INVALID
        if self._log is not None:
            self._log.append(TRANSITIONS, data or encode(step, step.index))
        self._take(step)
        return Outcome.INGESTED

    def pass_over(self, hole: Hole) -> None:
        """Go on behind steps that the robot's log has lost.

        Raises:
            LogError: when that cannot be kept.
        """
        if hole.first <= self.next_index(hole.robot, hole.run) < hole.end:
            first = self.next_index(hole.robot, hole.run)
            self._skip((hole.robot, hole.run), first, hole.end, "lost by the robot's log")
            self.counts.lost += hole.end - first

    def refuse(self, reason: str) -> None:
        """Count bytes that are no transition at all."""
        self.counts.invalid += 1
        self._report(reason)

    def restore(self, reader: LogReader) -> None:
        """Hand everything in a log to the consumer again and go on behind it.

        To be called before anything is accepted, with the learner's own log, or with the robot's
        where the learner keeps none.
        """
        with LogIndex(log_files(reader.directory, reader.name)) as index:
            if len(index.streams) > 1:  # steps of several robots go on in the order they came in
                self._restore_in_order(reader)
            else:
                self._restore_stream(index, reader)
        # After a kill a cut end is the rule; what it took along is counted, or sent again.
        for fault in dict.fromkeys([*reader.faults, *index.faults]):
            _log.info("%s", fault)

    def _restore_stream(self, index: LogIndex, reader: LogReader) -> None:
        """Restore a single stream, several times as fast as record by record."""
        skips = deque(filter(None, map(partial(self._skip_noted, reader), reader.records(SKIPPED))))
        for step in index.transitions():
            while skips and skips[0][1] <= step.index:
                self._restore_skip(*skips.popleft())
            self._restore_step(step)
        for skip in skips:
            self._restore_skip(*skip)
        for fault in index.unsound:
            self._report(f"log: {fault}")

    def _restore_in_order(self, reader: LogReader) -> None:
        for record in reader.records(TRANSITIONS, SKIPPED):
            if record.topic == SKIPPED:
                if skip := self._skip_noted(reader, record):
                    self._restore_skip(*skip)
                continue
            try:
                self._restore_step(decode(record.data, Transition))
            except CodecError as error:
                self._report(f"log before byte {record.end}: {error}")

    def _restore_step(self, step: Transition) -> None:
        expected = self.next_index(*step.stream)
        if step.index < expected:
            return
        # A hole in this log cannot be filled in order any more.
        self.counts.lost += step.index - expected
        if reason := self._misfit(step):
            self._next[step.stream] = step.index + 1
            return self.refuse(reason)
        self._take(step)

    def _skip_noted(self, reader: LogReader, record: Record) -> tuple[Stream, int, int] | None:
        """Stream, first index and end of what a note passes over; None for a damaged note."""
        note = reader.parse(record)
        try:
            stream = str(note["robot"]), str(note["run"])
            return stream, int(note["first"]), int(note["end"])
        except (KeyError, ValueError) as error:
            self._report(f"log before byte {record.end}: {error!r}")
            return None

    def _restore_skip(self, stream: Stream, first: int, end: int) -> None:
        self._next[stream] = max(end, self._next.get(stream, 0))

    def _take(self, step: Transition) -> None:
        self._next[step.stream] = step.index + 1
        self.counts.ingested += 1
        self._consume(step)

    def _misfit(self, step: Transition) -> str:
        try:
            self._check(step)
        except ValueError as error:
            return f"{step.robot} {step.run} {step.index}: {error}"
        return ""

    def _skip(self, stream: Stream, first: int, end: int, reason: str) -> None:
        """Pass over indices for good, also after a restart."""
        said: dict[str, Any] = {"robot": stream[0], "run": stream[1], "first": first, "end": end}
        if self._log is not None:
            self._log.note(SKIPPED, {**said, "reason": reason}, 0)
        self._next[stream] = end
        self._report(reason)

    def _report(self, reason: str) -> None:
        """Say why something was not taken; the first hundred reasons are kept."""
        _log.warning("not ingested: %s", reason)
        if len(self.reasons) < 100:
            self.reasons.append(reason)


class IngestServer:
    """Feeds an ingest from the robots' uplinks and acknowledges what it holds."""

    def __init__(
        self,
        endpoints: Endpoints,
        ingest: Ingest,
        keys: Keys | None = None,
        context: zmq.Context | None = None,
    ) -> None:
        """Listen; raises EndpointInUse when another learner does already."""
        self.fault = ""
        self._ingest = ingest
        self._port = open_receiver(endpoints, "transitions", context, keys)

    def wait(self, timeout_s: float) -> bool:
        """Wait for transitions, for a learner that has nothing else to do."""
        return self._port.wait(timeout_s)

    def poll(self, limit: int = 256) -> int:
        """Take in what waits, at most `limit` messages, and answer; never waits."""
        self.fault = ""
        answers: dict[tuple[bytes, Stream], bool] = {}
        waiting = self._port.take_from(limit)
        for peer, data in waiting:
            try:
                stream, gap = self._handle(data)
            except CodecError as error:
                self._ingest.refuse(str(error))
                continue
            except LogError as error:
                # Neither kept nor acknowledged: the robots hold it and send it again.
                self.fault = str(error)
                _log.error("ingest waits: %s", error)
                break
            answers[peer, stream] = answers.get((peer, stream), False) or gap
        for (peer, stream), gap in answers.items():
            ack = Ack(*stream, next_index=self._ingest.next_index(*stream), gap=gap)
            self._port.send_to(peer, encode(ack))
        return len(waiting)

    def close(self) -> None:
        """Stop listening; safe to call twice."""
        self._port.close()

    def _handle(self, data: bytes) -> tuple[Stream, bool]:
        """Take in one message; its stream, and whether the robot must go back."""
        _, message = unpack(data)
        if isinstance(message, Transition):
            return message.stream, self._ingest.accept(message, data) is Outcome.EARLY
        if isinstance(message, Hole):
            self._ingest.pass_over(message)
        elif not isinstance(message, Hello):
            raise CodecError(f"{type(message).__name__} has no place among transitions")
        return (message.robot, message.run), True


def fits(spec: RobotSpec) -> Callable[[Transition], None]:
    """Build the check that a transition has the arrays of `spec`, and finite ones.

    Bounds are not checked: a reading beyond a sensor's usual range is experience all the same.
    """
    scalar = np.zeros((), np.float32)
    wanted = {name: _form(value) for name, value in spec.observation.items()}
    wanted |= {"action": _form(spec.action), "applied": _form(spec.action)}
    wanted |= {"reward": (scalar.shape, scalar.dtype)}
    wanted |= {flag: ((), np.dtype(np.bool_)) for flag in FLAGS}

    def check(step: Transition) -> None:
        if step.arrays.keys() != wanted.keys():
            odd = ", ".join(sorted(step.arrays.keys() ^ wanted.keys()))
            raise ValueError(f"arrays differ from the robot's spec in {odd}")
        for name, value in step.arrays.items():
            if (value.shape, value.dtype) != wanted[name]:
                shape, dtype = wanted[name]
                raise ValueError(f"{name}: {value.dtype} {value.shape}; allowed {dtype} {shape}")
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise ValueError(f"{name}: not finite")

    return check


def _form(spec: Spec) -> tuple[tuple[int, ...], np.dtype]:
    return spec.shape, spec.dtype
