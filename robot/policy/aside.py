"""Work that a control loop must not wait for, and who does it."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)

Work = Callable[[], object]
Later = Callable[[Work], bool]


def at_once(work: Work) -> bool:
    """Do it now: for lock-step, where nothing is late and the order of records must not change."""
    work()
    return True


class Aside:
    """Does work in a thread of its own, in order; refuses what it has no room for.

    An `OSError` of one work, such as of a full disk, is logged and ends that work alone.

    Args:
        name: of the thread.
        room: works that may wait.
    """

    def __init__(self, name: str, room: int = 16) -> None:
        self._waiting: queue.Queue[Work | None] = queue.Queue(room)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __call__(self, work: Work) -> bool:
        """Take a work, whether there is room for it; never waits."""
        try:
            self._waiting.put_nowait(work)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """Finish what was taken; safe to call twice."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            try:
                work()
            except OSError as error:
                _log.error("%s", error)
