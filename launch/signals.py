"""Stopping on signals, in order and not in the middle of something."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


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
