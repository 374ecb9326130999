"""Which weights drove the robot from when on: lines in the log, and the weights beside it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from robot.policy.events import note_event
from robot.policy.recording import RecordingLink
from robot.wire.log import LogWriter
from robot.wire.log.names import WEIGHTS, LogError
from robot.wire.weights import Weights
from robot.wire.weights_store import WeightsStore, digest_of

_log = logging.getLogger(__name__)

FOLDER = "weights"  # beside the files of the log
REMEMBERED = 16  # versions that came and may still be taken over


class WeightsLog:
    """Keeps weights that come, and notes those that are taken over.

    Args:
        log: to note them in.
        room_mb: that they may take; 0 keeps none, None all.

    Attributes:
        store: of the weights.
    """

    def __init__(self, log: LogWriter, room_mb: float | None) -> None:
        self.store = WeightsStore(log.path.parent / FOLDER)
        self._digests: dict[int, str] = {}
        self._log, self._room_mb = log, room_mb
        self._guard = threading.Lock()

    def accepted(self, weights: Weights, data: bytes) -> None:
        """Keep weights that may be taken over; for threads that nobody waits for.

        Args:
            weights: that were verified.
            data: `Weights.to_bytes` of them.
        """
        self.know(weights, data)
        self.keep(data)

    def know(self, weights: Weights, data: bytes) -> None:
        """Work out by which hash weights will be noted."""
        with self._guard:
            self._digests[weights.version] = digest_of(data)
            while len(self._digests) > REMEMBERED:
                del self._digests[next(iter(self._digests))]

    def keep(self, data: bytes) -> None:
        """Keep weights in the store, and thin it out; a full disk is logged, and no more."""
        if self._room_mb == 0:
            return
        try:
            self.store.put(data)
            if self._room_mb is not None:
                self.store.prune(self._room_mb * 1e6)
        except OSError as error:
            _log.error("weights are not kept: %s", error)

    def refused(self, kind: str, reason: str) -> None:
        """Note that weights were refused."""
        note_event(self._log, time.time_ns(), "weights_refused", kind=kind, reason=reason)

    def taken(self, weights: Weights, tick: int, stamp_ns: int) -> None:
        """Note that these drive the robot from now on; never raises for a disk.

        Args:
            weights: that were taken over, and known before.
            tick: in which, as `/ticks` counts; -1 where there are none.
            stamp_ns: when, on the log's clock.
        """
        told = {
            "version": weights.version,
            "sha256": self._digests.get(weights.version, ""),
            "bytes": sum(array.nbytes for array in weights.arrays.values()),
            "updates": weights.updates,
            "stamp_ns": weights.stamp_ns,
            "tick": tick,
        }
        try:
            self._log.note(WEIGHTS, told, stamp_ns)
        except LogError as error:
            _log.error("weights %d are not noted: %s", weights.version, error)


class PilotNotes:
    """Notes what a pilot does with weights, and in which tick.

    Args:
        weights: to note it in.
        link: that counts ticks.
        now_ns: clock of the log.
    """

    def __init__(self, weights: WeightsLog, link: RecordingLink, now_ns: Callable[[], int]) -> None:
        self._weights, self._link, self._now_ns = weights, link, now_ns

    def taken(self, weights: Weights) -> None:
        """Note that these drive the robot from now on."""
        self._weights.taken(weights, self._link.number, self._now_ns())

    def unfit(self, weights: Weights, reason: str) -> None:
        """Note that these make no policy."""
        self._weights.refused("no policy", f"version {weights.version}: {reason}")
