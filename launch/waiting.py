"""A line in the terminal while there is nothing else to see yet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

LOOKS_HZ = 4  # of a spinner; drawing it takes nothing from what is waited for
CLEAR = "\r\x1b[K"


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Say at once that a command has begun, while its modules are imported, which takes seconds.

    Nothing is said where stderr is no terminal, and nothing is left of it. It is plain text, for
    what would draw it nicely takes a tenth of a second to import.

    Args:
        what: is going to be done, such as "learning".
    """
    if not sys.stderr.isatty():
        yield
        return
    print(f"loading what {what} needs ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print(end=CLEAR, file=sys.stderr, flush=True)
