"""Names of columns: ranges such as `jpos0..11`, spelt out and drawn together."""

from __future__ import annotations

import re
from collections.abc import Sequence

from robot.config import ConfigError

RANGE = re.compile(r"(.*?)(\d+)\.\.(\d+)(\D.*)?")
NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")


def spell_out(name: str) -> list[str]:
    """Names that one entry stands for: `q0..2_des` is q0_des, q1_des, q2_des; `q2..0` goes down."""
    found = RANGE.fullmatch(name)
    if not found:
        return [name]
    head, first, last, tail = found[1], int(found[2]), int(found[3]), found[4] or ""
    step = 1 if last >= first else -1
    return [f"{head}{number}{tail}" for number in range(first, last + step, step)]


def draw_together(names: Sequence[str]) -> str:
    """Names in one line, runs of numbers as a range."""
    runs: list[list[str]] = []
    for name in names:
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    return ", ".join(_run(run) for run in runs)


def _follows(before: str, name: str) -> bool:
    old, new = NUMBERED.fullmatch(before), NUMBERED.fullmatch(name)
    if not old or not new:
        return False
    return (old[1], old[3], int(old[2]) + 1) == (new[1], new[3], int(new[2]))


def _run(run: list[str]) -> str:
    end = NUMBERED.fullmatch(run[-1])
    first = NUMBERED.fullmatch(run[0])
    if len(run) < 3 or not end or not first:
        return ", ".join(run)
    return f"{first[1]}{first[2]}..{end[2]}{first[3]}"


def find_columns(wanted: Sequence[str], names: Sequence[str], where: str) -> list[str]:
    """Columns that entries stand for: a column's own name, a range, or a vector's name.

    Args:
        wanted: entries of a map.
        names: columns that there are; those of a vector `v` are v.0, v.1, ...
        where: file and key, for messages.

    Raises:
        ConfigError: for a column that is not there, naming those that are.
    """
    known, found = set(names), []
    for entry in wanted:
        vector = [name for name in names if re.fullmatch(rf"{re.escape(entry)}\.\d+", name)]
        chosen = [entry] if entry in known else vector or spell_out(entry)
        missing = [name for name in chosen if name not in known]
        if missing:
            raise ConfigError(
                f"{where}: no column '{missing[0]}'; there are {draw_together(names)}"
            )
        found += chosen
    return found
