r"""Resampling: what a robot's loop would have known at each control tick.

rows     r0     r1     r2     r3     r4         previous at t1: r1
ticks    t0        t1        t2        t3       linear at t1: between r1 and r2
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# A row counts as there at a tick when it comes this share of a control period later: times of
# rows and ticks are computed in other ways and then differ in their last digits.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Ticks:
    """Ticks of one stretch of rows.

    Args:
        times_s: (T,) of the ticks.
        before: (T,) the latest row at each.
        after: (T,) the row behind it, or the same at the stretch's end.
        share: (T,) of `after` in a linear interpolation, in [0, 1).
        first: row at which the stretch begins.
    """

    times_s: np.ndarray
    before: np.ndarray
    after: np.ndarray
    share: np.ndarray
    first: int

    def __len__(self) -> int:
        return len(self.times_s)

    def piece(self, part: slice, first: int) -> Ticks:
        """Some of the ticks, of which the first is told of rows from `first` on."""
        mine = (self.times_s, self.before, self.after, self.share)
        times_s, before, after, share = (array[part] for array in mine)
        return Ticks(times_s, before, after, share, first)

    def previous(self, values: np.ndarray) -> np.ndarray:
        """Latest values: (N, K) -> (T, K)."""
        return values[self.before]

    def linear(self, values: np.ndarray) -> np.ndarray:
        """Values between two rows: (N, K) -> (T, K)."""
        share = self.share[:, None]
        between = (1 - share) * values[self.before] + share * values[self.after]
        return np.where(share > 0, between, values[self.before])  # 0 times NaN would be NaN

    def summed(self, values: np.ndarray) -> np.ndarray:
        """Sums over the rows since the last tick, NaN where one of them is: (N,) -> (T,)."""
        mine = values[self.first : self.before[-1] + 1]
        ends = self.before - self.first
        total, lacking = (
            np.diff(np.cumsum(part)[ends], prepend=0.0)
            for part in (np.nan_to_num(mine), np.isnan(mine))
        )
        return np.where(lacking > 0, np.nan, total)


def make_ticks(stamps_s: np.ndarray, stretch: tuple[int, int], hz: float, start_s: float) -> Ticks:
    """Ticks from `start_s` after the first row of a stretch to its last row.

    Args:
        stamps_s: (N,) of all rows.
        stretch: (first, end) row.
        hz: ticks per second.
        start_s: of the first one.
    """
    first, end = stretch
    mine = stamps_s[first:end]
    slack = ROUNDING / hz
    count = int(np.floor((mine[-1] - mine[0] - start_s) * hz + ROUNDING)) + 1
    times = mine[0] + start_s + np.arange(max(0, count)) / hz
    before = np.searchsorted(mine, times + slack, "right") - 1
    after = np.minimum(before + 1, len(mine) - 1)
    width = np.where(after > before, mine[after] - mine[before], 1.0)
    share = np.clip((times - mine[before]) / width, 0.0, 1.0)
    share = np.where((share < ROUNDING) | (after == before), 0.0, share)
    return Ticks(times, before + first, after + first, share, first)


def one_sign(values: np.ndarray) -> np.ndarray:
    """The same rotations (N, 4) with signs that do not jump: q and -q turn alike.

    The first one's leading number is made positive; rows that lack a number are passed over.
    """
    sound = np.isfinite(values).all(1)
    kept = values[sound]
    turns = np.where((kept[1:] * kept[:-1]).sum(1) < 0, -1.0, 1.0)
    first = np.where(kept[:1, 0] < 0, -1.0, 1.0)
    signs = np.cumprod(np.concatenate((first, turns)))[: len(kept)]
    found = values.copy()
    found[sound] = kept * signs[:, None]
    return found


def blended(ticks: Ticks, values: np.ndarray) -> np.ndarray:
    """Linear between quaternions of one sign, of length one again: (N, 4) -> (T, 4)."""
    between = ticks.linear(values)
    return between / np.linalg.norm(between, axis=1, keepdims=True)
