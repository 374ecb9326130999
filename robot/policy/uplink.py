"""The uplink: brings every logged transition to the learner, however often either side dies.

The log is the spool. `send` only lays the newest steps into a small window; a thread sends from it,
and from the log whatever the window no longer holds. The learner answers with the index it expects
next, so going back after a loss is one assignment.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import zmq

from robot.wire.codec import decode, encode
from robot.wire.cursor import Cursor
from robot.wire.keys import Keys
from robot.wire.log import LogWriter
from robot.wire.messages import Ack, Hello, Hole
from robot.wire.schemas import CodecError
from robot.wire.sockets import open_sender
from robot.wire.streams import Endpoints
from robot.wire.transition import Transition

_log = logging.getLogger(__name__)

WINDOW_STEPS = 256
WINDOW_BYTES = 16 << 20
IN_FLIGHT = 128
PORTION = 32
ASK_AGAIN_S = 1.0
GO_BACK_AGAIN_S = 0.25
_WAIT_S = 0.02


class Uplink:
    """Sends one stream of transitions; nothing that the control loop calls ever waits.

    Attributes:
        acknowledged: the learner holds every index below this one; -1 until it has answered.
        caught_up: whether the learner holds all that the log holds.
        resent: how often sending went back.
        lost: steps that the log itself has lost and that the learner was told to pass over.
        fault: one line when the link cannot work, "" while it can.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        cursor: Cursor,
        keys: Keys | None = None,
        context: zmq.Context | None = None,
    ) -> None:
        """Connect and start sending what the learner lacks.

        Args:
            endpoints: where the learner listens.
            cursor: over the log of the stream to send, for the uplink's own use.
            keys: needed beyond this computer.
            context: for sockets; the process's own by default.
        """
        self.acknowledged = -1
        self.caught_up = False
        self.resent = 0
        self.lost = 0
        self.fault = ""
        self._cursor = cursor
        self._window: deque[tuple[int, bytes]] = deque()
        self._window_bytes = 0
        self._newest = -1
        self._next = 0
        self._asked_s = self._heard_s = self._went_back_s = float("-inf")
        self._went_back_to = -1
        self._guard = threading.Lock()
        self._deadline_s = float("inf")
        self._port = open_sender(endpoints, "transitions", context, keys)
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self._thread.start()

    def send(self, index: int, data: bytes) -> None:
        """Offer a step that the log already holds; returns at once.

        Args:
            index: of the transition.
            data: the bytes that were logged.
        """
        with self._guard:
            self.caught_up = False
            self._newest = index
            self._window.append((index, data))
            self._window_bytes += len(data)
            while len(self._window) > WINDOW_STEPS or self._window_bytes > WINDOW_BYTES:
                self._forget_oldest()

    def close(self, flush_s: float = 0.0) -> bool:
        """Stop, after at most `flush_s` seconds for the rest; whether the learner has everything.

        What it lacks stays in the log, and the next process sends it.
        """
        self._deadline_s = time.monotonic() + flush_s
        self._thread.join()
        return self.caught_up

    def _forget_oldest(self) -> None:
        self._window_bytes -= len(self._window.popleft()[1])

    def _run(self) -> None:
        try:
            while time.monotonic() < self._deadline_s:
                if self.caught_up and self._deadline_s < float("inf"):
                    break
                if self._port.wait(_WAIT_S):
                    self._hear()
                self._ask()
                self._fill()
        except BaseException as error:
            self.fault = f"uplink stopped: {error}; the log goes on"
            raise
        finally:
            self._port.close()

    def _hear(self) -> None:
        for data in self._port.take():
            try:
                ack = decode(data, Ack)
            except CodecError as error:
                _log.warning("learner's answer is not readable: %s", error)
                continue
            if (ack.robot, ack.run) == self._cursor.stream:
                self._take_ack(ack)

    def _take_ack(self, ack: Ack) -> None:
        now_s = self._heard_s = time.monotonic()
        if ack.gap:
            # One loss is answered once for each message behind it: go back for the first only.
            repeated = ack.next_index == self._went_back_to
            if repeated and now_s < self._went_back_s + GO_BACK_AGAIN_S:
                return
            self.resent += ack.next_index < self._next
            self._went_back_to, self._went_back_s = ack.next_index, now_s
            self.acknowledged = self._next = ack.next_index
            self.caught_up = False
        self.acknowledged = max(self.acknowledged, ack.next_index)
        self._next = max(self._next, self.acknowledged)
        with self._guard:
            while self._window and self._window[0][0] < self.acknowledged:
                self._forget_oldest()

    def _ask(self) -> None:
        """Ask the learner what it expects: at first, and when it has been silent over something."""
        now_s = time.monotonic()
        waiting = self.acknowledged < 0 or self._next > self.acknowledged
        if waiting and now_s > max(self._heard_s, self._asked_s) + ASK_AGAIN_S:
            if self._port.send(encode(Hello(*self._cursor.stream))):
                self._asked_s = now_s

    def _fill(self) -> None:
        """Send what comes next, as far as the learner keeps up."""
        too_far = self._next - self.acknowledged >= IN_FLIGHT
        if self.caught_up or self.acknowledged < 0 or too_far:
            return
        steps = self._portion()
        if steps and steps[0][0] > self._next and not self._pass_over(steps[0][0]):
            return
        for index, data in steps:
            if not self._port.send(data):
                return
            self._next = index + 1

    def _portion(self) -> list[tuple[int, bytes]]:
        """Steps from the next one on: from the window when it reaches back so far, else the log."""
        with self._guard:
            newest = self._newest
            recent = [step for step in self._window if step[0] >= self._next][:PORTION]
        if recent and recent[0][0] == self._next:
            return recent
        steps = self._cursor.read(self._next, PORTION)
        if not steps and self._cursor.at_end:
            self._see_the_end(newest)
            # The log held these steps before the window did. If it has them no more, they are lost.
            return recent
        return steps

    def _see_the_end(self, newest: int) -> None:
        """Note that the log holds nothing beyond, and whether the learner has it all."""
        with self._guard:
            done = self.acknowledged == self._next and self._newest == newest < self._next
            self.caught_up = done
        if 0 <= newest < self.acknowledged - 1:
            self.fault = (
                f"the learner holds {self.acknowledged} steps of run {self._cursor.stream[1]}, "
                f"the log only {newest + 1}; a new run needs a new name"
            )

    def _pass_over(self, end: int) -> bool:
        """Tell the learner that the log has lost the steps before `end`."""
        hole = Hole(*self._cursor.stream, self._next, end)
        if not self._port.send(encode(hole)):
            return False
        self.lost += end - self._next
        _log.error("the log has lost steps %d to %d", self._next, end - 1)
        self._next = end
        return True


class StepLog:
    """Keeps transitions in the log; the first of a recorder's two stations."""

    def __init__(
        self, writer: LogWriter, wall_ns: Callable[[], int], now_ns: Callable[[], int]
    ) -> None:
        """Say where to and with which stamps.

        Args:
            writer: of the robot's log.
            wall_ns: ns since 1970; in lock-step always 0, so that equal runs give equal bytes.
            now_ns: the robot process's monotonic (or lock-step) clock.
        """
        self.newest = (-1, b"")
        self._writer, self._wall_ns, self._now_ns = writer, wall_ns, now_ns

    def append(self, transition: Transition) -> None:
        """Keep one transition; raises LogError when that fails."""
        data = self._writer.append_transition(transition, self._wall_ns(), self._now_ns())
        self.newest = (transition.index, data)


class Forwarder:
    """Gives the uplink what the log has just taken; the second of a recorder's stations."""

    def __init__(self, log: StepLog, uplink: Uplink) -> None:
        self._log, self._uplink = log, uplink

    def send(self, transition: Transition) -> None:
        """Send the transition that was logged last; never waits."""
        index, data = self._log.newest
        if index != transition.index:
            raise ValueError(f"transition {transition.index} is not the one logged last, {index}")
        self._uplink.send(index, data)
