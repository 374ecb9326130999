"""Stopping on signals, in order and not in the middle of something."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDING = (signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """A signal that asks to end; whatever cleans up after Ctrl-C does so after it too."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


@contextmanager
def ended_as_by_ctrl_c() -> Iterator[None]:
    """Let `kill` and the terminal's end unwind what runs, so that nothing half made is left.

    Only in the main thread, where Python's signals are; elsewhere nothing changes.

    Raises:
        Ended: from whatever runs when the signal comes.
    """

    def end(number: int, frame: object) -> None:
        raise Ended(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = [s for s in ENDING if signal.getsignal(s) is signal.SIG_DFL]
    for number in signals:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in signals:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def until_signal() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether Ctrl-C, `kill` or the terminal's end came.

    The second signal interrupts. Whoever was told to outlive its terminal (`nohup`) does.
    """
    seen: list[int] = []

    def note(number: int, frame: object) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    old = {s: signal.signal(s, note) for s in signals}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
