"""A recording under its map: files are read, checked against the map, and cut to episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from launch.importing.columns import find_columns
from launch.importing.cutting import cut, make_spec
from launch.importing.episode import Episode
from launch.importing.map import RecordingMap, Signals
from launch.importing.stretches import Fault, Rows
from launch.importing.tables import Table, open_table
from launch.importing.units import TIMES
from robot.config import ConfigError
from robot.wire.spec import RobotSpec


@dataclass
class Recording:
    """Episodes of a recording, what they look like, and what was wrong.

    Args:
        spec: of all episodes.
        episodes: in their order.
        faults: gaps, missing numbers, and stretches too short to be kept.
        unused: columns that the map does not name.
    """

    spec: RobotSpec
    episodes: list[Episode]
    faults: list[Fault] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def read_recording(files: Sequence[Path], plan: RecordingMap) -> Recording:
    """Read files that one map explains; each is a stream of its own.

    Raises:
        ConfigError: naming file, key or row, and what is allowed.
    """
    episodes: list[Episode] = []
    faults: list[Fault] = []
    unused: list[str] = []
    for file, run in zip(files, _names(files, plan.robot), strict=True):
        table = open_table(file)
        rows, marks = read_rows(table, file, plan)
        new, said = cut(rows, marks, plan, run)
        episodes += new
        faults += said
        unused += [n for n in table.names if n not in _used(rows, plan) and n not in unused]
    if not episodes:
        raise ConfigError(f"{files[0]}: gives no episode of two steps; its faults: {len(faults)}")
    return Recording(make_spec(plan, episodes), episodes, faults, unused)


def _names(files: Sequence[Path], robot: str) -> list[str]:
    """Names of streams: by the files' names, numbered where these repeat."""
    stems = [f"{robot}-{file.stem}" for file in files]
    return [
        stem if stems.count(stem) == 1 else f"{stem}-{stems[:i].count(stem)}"
        for i, stem in enumerate(stems)
    ]


def _used(rows: Rows, plan: RecordingMap) -> set[str]:
    named = {name for names in rows.columns.values() for name in names}
    ends = plan.episodes
    return named | {plan.clock.column, ends.column, ends.last, ends.terminal}


def read_rows(table: Table, file: Path, plan: RecordingMap) -> tuple[Rows, dict[str, np.ndarray]]:
    """The columns that a map names, and those that mark episodes.

    Raises:
        ConfigError: for a column that is not there, or a group of the wrong size.
    """
    columns = {
        key: find_columns(signals.columns, table.names, f"{file}: {key}")
        for key, signals in plan.signals.items()
    }
    for key, signals in plan.signals.items():
        _check_size(f"{file}: {key}", signals, plan, len(columns[key]))
    if plan.reward.column:
        columns["reward"] = find_columns([plan.reward.column], table.names, f"{file}: reward")
    ends = plan.episodes.model_dump(include={"column", "last", "terminal"})
    marks = {
        key: find_columns([name], table.names, f"{file}: episodes.{key}")
        for key, name in ends.items()
        if name
    }
    clock = {"clock": [plan.clock.column]} if plan.clock.column else {}
    for names in clock.values():
        find_columns(names, table.names, f"{file}: clock.column")
    found = _read(table, {**columns, **{f"episodes.{k}": v for k, v in marks.items()}, **clock})
    stamps = _stamps(found.pop("clock", None), plan, len(found["action"]))
    if not len(stamps):
        raise ConfigError(f"{file}: has no row")
    marked = {key: found.pop(f"episodes.{key}")[:, 0] for key in marks}
    rows = Rows(file.name, stamps, found, columns)
    _check_rate(rows, plan)
    return rows, marked


def _read(table: Table, columns: dict[str, list[str]]) -> dict[str, np.ndarray]:
    """Columns (N, K) by key, in one pass through the file."""
    names = list(dict.fromkeys(name for group in columns.values() for name in group))
    data = table.read(names)
    return {key: data[:, [names.index(n) for n in group]] for key, group in columns.items()}


def _check_size(where: str, signals: Signals, plan: RecordingMap, count: int) -> None:
    if signals.per_joint and count != len(plan.joints.order):
        wanted = len(plan.joints.order)
        raise ConfigError(f"{where}: {count} columns; joints.order names {wanted} joints")
    if signals.quaternion and count != 4:
        raise ConfigError(f"{where}: {count} columns; a quaternion has 4")
    if len(signals.low) not in (0, 1, count):
        raise ConfigError(f"{where}: low has {len(signals.low)} numbers; allowed are 1 or {count}")


def _stamps(column: np.ndarray | None, plan: RecordingMap, count: int) -> np.ndarray:
    """(N,) seconds after the first row; by the rate, where there is no column (N, 1) of stamps."""
    if column is None:
        assert plan.clock.rate_hz is not None
        return np.arange(count) / plan.clock.rate_hz
    return (column[:, 0] - column[:1, 0]) * TIMES[plan.clock.unit]


def _check_rate(rows: Rows, plan: RecordingMap) -> None:
    """Refuse to make more of a recording than there is."""
    period = float(np.median(np.diff(rows.stamps_s))) if len(rows.stamps_s) > 1 else 0.0
    if period > 0 and plan.control_hz > 1.01 / period:
        raise ConfigError(
            f"{rows.file}: control_hz {plan.control_hz:g}: allowed is "
            f"up to the {1 / period:.4g} rows per second of the recording"
        )
