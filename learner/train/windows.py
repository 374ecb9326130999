"""Which gap-free windows of experience the ring holds, and in which slots their steps lie.

Steps of several streams (robot, run) lie interleaved in one ring, in the order in which they came:

    slot     0   1   2   3   4   5
    stream   A   A   B   A   B   A      before[5] = 3, before[3] = 1, before[4] = 2
    index    0   1   0   2   1   3

A window is named by the slot of its last step. It exists when nothing is missing between its
first and last step, and its first step has not been overwritten yet; since the ring forgets the
oldest step first, no later step of it can be missing then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot.wire.transition import Transition


@dataclass
class _Stream:
    """Where one stream stands: its newest stored step, and what may follow it."""

    key: tuple[str, str]
    number: int
    index: int
    slot: int = 0
    episode: int = 0
    since: int = 0
    records: int = 0
    stored: int = 0
    broken: bool = True

    def joins(self, step: Transition, is_first: bool) -> bool:
        """Whether a window may run from the newest step into this one."""
        follows = not self.broken and step.index == self.index + 1
        return follows and (is_first or (self.records > 0 and step.episode == self.episode))


class Windows:
    """Bookkeeping of a ring of steps: places them, forgets the oldest, finds windows.

    Args:
        capacity: slots in the ring.

    Raises:
        ValueError: when the capacity is below 1.
    """

    def __init__(self, capacity: int):
        if capacity < 1:
            raise ValueError(f"capacity {capacity}: at least 1 step is needed")
        self.capacity = capacity
        self.size = 0
        self.cursor = 0
        self._index = np.zeros(capacity, np.int64)
        self._since = np.zeros(capacity, np.int64)  # index at which its gap-free run starts
        self._stream = np.zeros(capacity, np.int32)
        self._before = np.zeros(capacity, np.int32)  # slot of the step before it in its stream
        self._closing = np.zeros(capacity, np.int32)  # steps of the episode that ends here, or 0
        self._oldest = np.zeros(capacity, np.int64)  # per live stream, index of its oldest step
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._numbered: dict[int, _Stream] = {}
        self._free: list[int] = []
        self._ends: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        """Most bytes that the bookkeeping takes, the list of episodes at its longest included."""
        arrays = (self._index, self._since, self._stream, self._before, self._closing, self._oldest)
        return sum(a.nbytes for a in arrays) + 8 * self.capacity

    @property
    def streams(self) -> int:
        """Number of streams of which steps are held."""
        return len(self._streams)

    def place(self, step: Transition) -> int | None:
        """Give a step its slot, forgetting the oldest step when the ring is full.

        Returns:
            The slot, or None for an invalid step, which leaves a gap and takes no slot.

        Raises:
            ValueError: when the step is not newer than the newest of its stream.
        """
        stream = self._streams.get(step.stream)
        if stream and step.index <= stream.index:
            raise ValueError(
                f"index {step.index} of robot {step.robot}, run {step.run}: "
                f"must be above {stream.index}, the newest that was added"
            )
        if not step.valid:
            if stream:
                self._break(stream, step.index)
            return None
        self._forget()
        stream = self._streams.get(step.stream) or self._open(step)
        self._link(stream, step)
        self.cursor = (self.cursor + 1) % self.capacity
        self.size = min(self.size + 1, self.capacity)
        return stream.slot

    def holds(self, ends: np.ndarray, length: int) -> np.ndarray:
        """Whether the windows of `length` steps that end in these slots exist, (N,) bool."""
        first = self._index[ends] - (length - 1)
        return (first >= self._since[ends]) & (first >= self._oldest[self._stream[ends]])

    def every(self, length: int) -> np.ndarray:
        """End slots of all windows of `length` steps; looks at every step, so not for each draw."""
        return np.flatnonzero(self.holds(np.arange(self.size), length))

    def slots(self, ends: np.ndarray, length: int) -> np.ndarray:
        """Slots (B, T) of the `length` steps that lead up to each end (B,), oldest first."""
        slots = np.empty((length, len(ends)), np.intp)
        slots[-1] = ends
        for t in range(length - 1, 0, -1):
            slots[t - 1] = self._before[slots[t]]
        return slots.T

    def episodes(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Closed episodes that are held whole and have at least `length` steps.

        An episode is closed by is_last, by the next one's start, or by a gap, which cuts it.

        Returns:
            End slots (N,) and numbers of steps (N,).
        """
        if self._ends is None:
            self._ends = np.flatnonzero(self._closing[: self.size])
        ends = self._ends
        records = self._closing[ends]
        whole = self._index[ends] - records + 1 >= self._oldest[self._stream[ends]]
        chosen = whole & (records >= length)
        return ends[chosen], records[chosen]

    def _forget(self) -> None:
        if self.size < self.capacity:
            return
        slot = self.cursor
        stream = self._numbered[int(self._stream[slot])]
        stream.stored -= 1
        self._oldest[stream.number] = self._index[slot] + 1
        if self._closing[slot]:
            self._closing[slot] = 0
            self._ends = None
        if not stream.stored:
            del self._streams[stream.key], self._numbered[stream.number]
            self._free.append(stream.number)

    def _open(self, step: Transition) -> _Stream:
        number = self._free.pop() if self._free else len(self._numbered)
        stream = _Stream(step.stream, number, step.index)
        self._streams[step.stream] = self._numbered[number] = stream
        self._oldest[number] = step.index
        return stream

    def _link(self, stream: _Stream, step: Transition) -> None:
        is_first, is_last = (bool(step.arrays[k]) for k in ("is_first", "is_last"))
        joins = stream.joins(step, is_first)
        if is_first or not joins:
            self._close(stream)
        if not joins:
            stream.since = step.index
        slot = self.cursor
        self._index[slot], self._since[slot] = step.index, stream.since
        self._stream[slot], self._before[slot] = stream.number, stream.slot
        stream.index, stream.slot, stream.episode = step.index, slot, step.episode
        stream.broken = False
        stream.records += 1
        stream.stored += 1
        if is_last:
            self._close(stream)

    def _close(self, stream: _Stream) -> None:
        if stream.records:
            self._closing[stream.slot] = stream.records
            self._ends = None
        stream.records = 0

    def _break(self, stream: _Stream, index: int) -> None:
        self._close(stream)
        stream.broken, stream.index = True, index
