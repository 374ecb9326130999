"""Stretches of rows without a break, and a list of what broke them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from launch.importing.map import Episodes
from robot.config import ConfigError


@dataclass(frozen=True)
class Fault:
    """Something that a recording lacks.

    Args:
        file: name of the recording.
        kind: "gap", "NaN", or "too short".
        row: first row that is concerned.
        rows: how many are.
        at_s: time of the row, after the first one of the file.
        length_s: how long it lasts.
        what: columns, or what was done.
    """

    file: str
    kind: str
    row: int
    rows: int
    at_s: float
    length_s: float
    what: str


@dataclass(frozen=True)
class Rows:
    """A recording as it was read: rows of one file.

    Args:
        file: its name.
        stamps_s: (N,) times, from 0 at the first row.
        values: (N, K) by key of the map, in units of the recording; NaN where there is no number.
        columns: names by key.
    """

    file: str
    stamps_s: np.ndarray
    values: dict[str, np.ndarray]
    columns: dict[str, list[str]]

    @property
    def lacking(self) -> np.ndarray:
        """(N,) whether a row lacks a number."""
        return np.any([~np.isfinite(v).all(1) for v in self.values.values()], axis=0)

    def span(self, first: int, end: int) -> float:
        """Seconds from a row to the one behind the last, or to the last of the file."""
        return float(self.stamps_s[min(end, len(self.stamps_s) - 1)] - self.stamps_s[first])


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Where a mask (N,) is true: (first, end) of each run."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def numbers_missing(rows: Rows) -> list[Fault]:
    """One fault for each run of rows that lack numbers, naming the columns."""
    found = []
    for first, end in runs(rows.lacking):
        names = [
            name
            for key, values in rows.values.items()
            for k, name in enumerate(rows.columns[key])
            if not np.isfinite(values[first:end, k]).all()
        ]
        at, length = float(rows.stamps_s[first]), rows.span(first, end)
        found.append(Fault(rows.file, "NaN", first, end - first, at, length, ", ".join(names)))
    return found


def stretches(
    rows: Rows, marks: dict[str, np.ndarray], episodes: Episodes, nan_ends: bool
) -> tuple[list[tuple[int, int]], list[Fault]]:
    """Cut rows where an episode ends, at gaps, and, where asked for, at missing numbers.

    Args:
        rows: of one file.
        marks: columns (N,) that `episodes` names: "column" and "last".
        episodes: where to cut.
        nan_ends: whether a row that lacks a number ends the episode; it belongs to none then.

    Returns:
        (first, end) of each stretch, and the gaps.

    Raises:
        ConfigError: where time stands still or goes back within a stretch, or a mark is missing.
    """
    count = len(rows.stamps_s)
    begins = np.zeros(count, bool)
    begins[:1] = True
    _check_marks(rows, marks)
    if "column" in marks:
        begins[1:] |= np.diff(marks["column"]) != 0
    if "last" in marks:
        begins[1:] |= marks["last"][:-1] != 0
    between = np.diff(rows.stamps_s)
    _check_time(rows, between, begins)
    wide = between > (episodes.gap_s or np.inf)
    gaps = [_gap(rows, int(row)) for row in np.flatnonzero(wide & ~begins[1:])]
    begins[1:] |= wide
    dropped = rows.lacking if nan_ends else np.zeros(count, bool)
    begins[1:] |= dropped[1:] != dropped[:-1]
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], count)
    kept = [(int(a), int(b)) for a, b in zip(starts, ends, strict=True) if not dropped[a]]
    return kept, gaps


def _gap(rows: Rows, row: int) -> Fault:
    length = float(rows.stamps_s[row + 1] - rows.stamps_s[row])
    return Fault(rows.file, "gap", row, 0, float(rows.stamps_s[row]), length, "ends the episode")


def _check_marks(rows: Rows, marks: dict[str, np.ndarray]) -> None:
    for name, values in marks.items():
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise ConfigError(f"{rows.file}: row {bad[0]} has no number for episodes.{name}")


def _check_time(rows: Rows, between: np.ndarray, begins: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(rows.stamps_s))
    if len(bad):
        raise ConfigError(f"{rows.file}: row {bad[0]} has no stamp")
    back = np.flatnonzero((between <= 0) & ~begins[1:])
    if len(back):
        row = int(back[0]) + 1
        raise ConfigError(
            f"{rows.file}: row {row}: time goes from {rows.stamps_s[row - 1]:.6g} s to "
            f"{rows.stamps_s[row]:.6g} s; allowed is back only where an episode begins"
        )
