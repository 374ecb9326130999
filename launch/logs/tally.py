"""What one topic holds: how much, how often, and how evenly in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SPLIT_NS = 1_000_000_000  # a longer silence is a pause, such as between two episodes


@dataclass
class Tally:
    """Counts of one topic, added up portion by portion.

    Args:
        encoding: of its messages.
        schema: name of what they are.
        count: of messages.
        bytes: that they take in the file, records around them included.
        first_ns: earliest stamp: of capture where the message has one, else of logging.
        last_ns: latest stamp.
        backwards: how often a stamp lay before the one before it.
        repeated: how often it was the same as the one before it.
        spanned_ns: time between messages that follow each other within a second.
        steps: how many such times there are.
        longest_ns: the longest of them.
    """

    encoding: str = ""
    schema: str = ""
    count: int = 0
    bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0
    backwards: int = 0
    repeated: int = 0
    spanned_ns: int = 0
    steps: int = 0
    longest_ns: int = 0
    _before: int | None = None

    @property
    def rate_hz(self) -> float:
        """Messages per second while they come; 0 where there is no such time."""
        return self.steps / (self.spanned_ns / 1e9) if self.spanned_ns else 0.0

    def add(self, stamps_ns: np.ndarray, size: int) -> None:
        """Take in messages in the order of writing.

        Args:
            stamps_ns: (M,) int64.
            size: bytes that all of them take.
        """
        if not len(stamps_ns):
            return
        before = stamps_ns[:1] if self._before is None else np.array([self._before], np.int64)
        gaps = np.diff(np.concatenate([before, stamps_ns]))[int(self._before is None) :]
        near = gaps[(gaps > 0) & (gaps <= SPLIT_NS)]
        first, last = int(stamps_ns.min()), int(stamps_ns.max())
        self.first_ns = min(self.first_ns, first) if self.count else first
        self.last_ns = max(self.last_ns, last) if self.count else last
        self.count += len(stamps_ns)
        self.bytes += size
        self.backwards += int((gaps < 0).sum())
        self.repeated += int((gaps == 0).sum())
        self.spanned_ns += int(near.sum())
        self.steps += len(near)
        self.longest_ns = max(self.longest_ns, int(near.max(initial=0)))
        self._before = int(stamps_ns[-1])

    def join(self, later: Tally) -> Tally:
        """Join that of a later file; no time is counted between them."""
        parts = [tally for tally in (self, later) if tally.count]
        return Tally(
            later.encoding or self.encoding,
            later.schema or self.schema,
            self.count + later.count,
            self.bytes + later.bytes,
            min((tally.first_ns for tally in parts), default=0),
            max((tally.last_ns for tally in parts), default=0),
            self.backwards + later.backwards,
            self.repeated + later.repeated,
            self.spanned_ns + later.spanned_ns,
            self.steps + later.steps,
            max(self.longest_ns, later.longest_ns),
        )
