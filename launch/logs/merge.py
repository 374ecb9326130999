"""`reverie logs merge`: logs of one run or of several in one folder, each transition once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from launch.logs.check import used_weights
from launch.logs.choosing import copy_weights, stretches
from launch.logs.copying import Slice, write_copy
from launch.logs.places import WEIGHTS as STORE
from launch.logs.places import Surveyed, bar, find_log, survey_log
from launch.logs.survey import Survey
from launch.logs.targets import new_folder
from robot.config import ConfigError
from robot.wire.envelopes import ENVELOPE
from robot.wire.scan import HEAD

MERGED = "merged"
_PLACE = np.dtype([("index", "<i8"), ("file", "<i4"), ("row", "<i8")])


@dataclass(frozen=True)
class Source:
    """One file that holds steps of a stream: its survey, and which rows of it those are."""

    file: Survey
    rows: np.ndarray


def run_merge(paths: Sequence[Path], out: Path, force: bool) -> int:
    """Write all logs into one folder: a file for each run, its transitions by index, each once.

    What lies between two transitions goes with the earlier one. Of a stretch that two logs hold,
    the records of the one that was named first are taken.

    Args:
        paths: LOGs: files, folders of log files, or runs' folders.
        out: folder to write.
        force: whether a folder of logs may be replaced.

    Returns:
        Exit code 0.

    Raises:
        ConfigError: when a LOG is no log, two logs contradict each other, or `out` exists.
        OSError: when a file cannot be read or written.
    """
    if not paths:
        raise ConfigError("merge: name the logs to join")
    logs = [survey_log(find_log(path)) for path in paths]
    runs = _streams(logs)
    if not runs:
        raise ConfigError("merge: no log holds a transition")
    files = [path for log in logs for path in log.log.files]
    doubled = 0
    with new_folder(out, force, files) as folder:
        for number, (stream, sources) in enumerate(runs.items()):
            places, left_out = _in_order(stream, sources)
            doubled += left_out
            target = folder / f"{logs[0].log.name}-{number:04d}.mcap"
            _write(target, stream, sources, places)
        for log in logs:
            copy_weights(log.log.store, folder / STORE, list(used_weights(log).values()))
    told = f"{len(runs)} runs, {sum(map(_count, runs.values())) - doubled} transitions"
    Console().print(f"{out}: {told}; {doubled} doubles left out", highlight=False, soft_wrap=True)
    return 0


def _count(sources: Sequence[Source]) -> int:
    return sum(len(source.rows) for source in sources)


def _streams(logs: Sequence[Surveyed]) -> dict[tuple[str, str], list[Source]]:
    """Files by the stream of which they hold steps, in the order in which they were named."""
    found: dict[tuple[str, str], list[Source]] = {}
    for log in logs:
        for file in log.files:
            for number in dict.fromkeys(file.steps["stream"].tolist()):
                rows = np.flatnonzero(file.steps["stream"] == number)
                found.setdefault(log.bulk.streams[number], []).append(Source(file, rows))
    return found


def _in_order(stream: tuple[str, str], sources: Sequence[Source]) -> tuple[np.ndarray, int]:
    """Where each step of a stream is taken from, by index, and how many doubles there are.

    Raises:
        ConfigError: when two logs tell different things under one index.
    """
    parts = []
    for number, source in enumerate(sources):
        part = np.zeros(len(source.rows), _PLACE)
        part["index"], part["row"] = source.file.steps["index"][source.rows], source.rows
        part["file"] = number
        parts.append(part)
    places = np.concatenate(parts)
    places = places[np.argsort(places["index"], kind="stable")]
    again = np.concatenate([[False], places["index"][1:] == places["index"][:-1]])
    for at in np.flatnonzero(again).tolist():
        one, other = (_checksum(sources[p["file"]], p["row"]) for p in places[at - 1 : at + 1])
        if one != other:
            first, second = (sources[p["file"]].file.path for p in places[at - 1 : at + 1])
            where = f"index {places['index'][at]} of {' '.join(stream)}"
            raise ConfigError(f"merge: {first} and {second} differ at {where}")
    return places[~again], int(again.sum())


def _checksum(source: Source, row: int) -> bytes:
    """Checksum of a transition's message; equal ones are of equal messages."""
    _, place = ENVELOPE.fields["crc"][:2] if ENVELOPE.fields else (None, 0)
    offset = int(source.file.steps["begin"][row]) + HEAD.itemsize + place
    with open(source.file.path, "rb") as file:
        return os.pread(file.fileno(), 4, offset)


def _write(
    target: Path, stream: tuple[str, str], sources: Sequence[Source], places: np.ndarray
) -> None:
    parts: list[Slice] = []
    same = places["file"][1:] == places["file"][:-1]
    edges = np.flatnonzero(~(same & (places["row"][1:] == places["row"][:-1] + 1))) + 1
    for run in np.split(places, edges):
        source = sources[int(run["file"][0])]
        parts += _stretch(source, int(run["row"][0]), int(run["row"][-1]))
    about = dict(sources[int(places["file"][0])].file.about)
    names = dict.fromkeys(str(source.file.path.resolve()) for source in sources)
    about[MERGED] = {"stream": " ".join(stream), "from": "\n".join(names)}
    with bar(f"merging {' '.join(stream)}", sum(p.end - p.begin for p in parts)) as show:
        write_copy(target, parts, about, show)


def _stretch(source: Source, first: int, last: int) -> list[Slice]:
    """Some transitions of a file that follow each other, and what belongs to them."""
    steps = source.file.steps
    begin = int(steps["begin"][first]) if first else 0
    end = int(steps["begin"][last + 1]) if last + 1 < len(steps) else source.file.size
    return stretches(source.file, begin, end)
