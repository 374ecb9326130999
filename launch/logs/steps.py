"""Whether the transitions of a log follow each other as they should."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from launch.logs.declared import control_hz, read_plan
from launch.logs.places import Surveyed
from launch.logs.survey import STEP

TOLERANCE = 0.1  # of a declared rate
ENOUGH = 20  # times between messages from which a rate is told
LATE = 1.5  # periods from which a step counts as late


@dataclass(frozen=True)
class Finding:
    """Something about a log: `grave` where it makes the log unsound, else worth knowing."""

    where: str
    what: str
    grave: bool = True


@dataclass(frozen=True)
class Stream:
    """The transitions of one stream, file after file.

    Args:
        name: robot and run.
        steps: (N,) of `STEP`, in the order of writing.
        file: (N,) number of the file of each.
    """

    name: str
    steps: np.ndarray
    file: np.ndarray


def streams_of(log: Surveyed) -> list[Stream]:
    """Streams of a log, as they first came."""
    parts = [np.zeros(0, STEP), *[file.steps for file in log.files]]
    steps = np.concatenate(parts)
    file = np.repeat(np.arange(len(log.files)), [len(f.steps) for f in log.files])
    chosen = [steps["stream"] == number for number in range(len(log.bulk.streams))]
    names = [" ".join(stream) for stream in log.bulk.streams]
    return [Stream(n, steps[c], file[c]) for n, c in zip(names, chosen, strict=True) if c.any()]


def check_steps(log: Surveyed) -> list[Finding]:
    """Everything about the transitions of a log that is not as it should be."""
    hz = control_hz(read_plan(log.about))
    found: list[Finding] = []
    for stream in streams_of(log):
        found += _indices(stream)
        found += _episodes(stream, log)
        found += _stamps(stream, hz)
        found += _values(stream)
    return found


def _indices(stream: Stream) -> Iterator[Finding]:
    """Gaps, doubles, and what came out of order."""
    index = stream.steps["index"]
    newest = np.maximum.accumulate(index)
    old = np.flatnonzero(index[1:] <= newest[:-1]) + 1
    seen = np.isin(index[old], index[np.setdiff1d(np.arange(len(index)), old)])
    if index[0] > 0:
        yield Finding(stream.name, f"begins at index {index[0]}", grave=False)
    if seen.any():
        yield Finding(stream.name, f"{_some(index[old[seen]])} logged again")
    if not seen.all():
        yield Finding(stream.name, f"{_some(index[old[~seen]])} out of order")
    new = np.unique(index)
    for gap in np.flatnonzero(np.diff(new) > 1):
        first, end = int(new[gap]) + 1, int(new[gap + 1])
        yield Finding(stream.name, f"{end - first} missing: indices {first} to {end - 1}")


def _episodes(stream: Stream, log: Surveyed) -> Iterator[Finding]:
    """Flags, numbers and steps of episodes, where two steps follow each other."""
    before, here = stream.steps[:-1], stream.steps[1:]
    joined = here["index"] == before["index"] + 1
    same = here["episode"] == before["episode"]
    restart = ~same & here["is_first"] & ~before["is_last"]
    between = np.diff(stream.file) > 0
    ill = {
        "is_first is not at step 0": stream.steps["is_first"] != (stream.steps["step"] == 0),
        "is_terminal without is_last": stream.steps["is_terminal"] & ~stream.steps["is_last"],
        "episode goes on behind its is_last": _later(joined & same & before["is_last"]),
        "episode begins without is_first": _later(joined & ~same & ~here["is_first"]),
        "is_first within an episode": _later(joined & same & here["is_first"]),
        "episode ends without is_last": _later(joined & restart & ~between),
        "episode's number goes back": _later(joined & (here["episode"] < before["episode"])),
        "step does not count up": _later(joined & same & (here["step"] != before["step"] + 1)),
    }
    for what, where in ill.items():
        if where.any():
            yield Finding(stream.name, f"{what}: {_some(stream.steps['index'][where])}")
    for place in np.flatnonzero(joined & restart & between):
        name = log.files[int(stream.file[place])].path.name
        what = f"episode {before['episode'][place]} was cut short where {name} ends"
        yield Finding(stream.name, what, grave=False)
    if not stream.steps["is_last"][-1]:
        what = f"the last episode, {stream.steps['episode'][-1]}, is not finished"
        yield Finding(stream.name, what, grave=False)


def _stamps(stream: Stream, hz: float) -> Iterator[Finding]:
    """Times of ticks: forward in each file, and as often as declared within an episode."""
    before, here = stream.steps[:-1], stream.steps[1:]
    gap_ns = here["stamp_ns"] - before["stamp_ns"]
    together = (np.diff(stream.file) == 0) & (here["index"] > before["index"])
    if not stream.steps["stamp_ns"].any():
        return  # a world without a clock
    back = _later(together & (gap_ns <= 0))
    if back.any():
        yield Finding(stream.name, f"ticks do not go forward: {_some(stream.steps['index'][back])}")
    near = together & (here["episode"] == before["episode"]) & (gap_ns > 0)
    near &= here["index"] == before["index"] + 1
    if not hz or near.sum() < ENOUGH:
        return
    late = int((gap_ns[near] > LATE * 1e9 / hz).sum())
    found = 1e9 / float(gap_ns[near].mean())
    if abs(found / hz - 1) > TOLERANCE:
        yield Finding(stream.name, f"{found:.4g} steps per second; declared are {hz:g}")
    if late:
        yield Finding(stream.name, f"{late} of {near.sum()} steps came late", grave=False)


def _values(stream: Stream) -> Iterator[Finding]:
    steps = stream.steps
    for valid, grave in ((True, True), (False, False)):
        ill = (steps["valid"] == valid) & ~steps["finite"]
        if ill.any():
            kind = "NaN or infinity" if valid else "NaN or infinity, marked as not valid"
            yield Finding(stream.name, f"{kind}: {_some(steps['index'][ill])}", grave)


def _later(pairs: np.ndarray) -> np.ndarray:
    """What holds of a step and the one before it, (N-1,), as (N,) of the later ones."""
    return np.concatenate([[False], pairs])


def _some(indices: np.ndarray, most: int = 5) -> str:
    """A count, and the first few of these indices."""
    shown = ", ".join(map(str, indices[:most].tolist()))
    more = ", ..." if len(indices) > most else ""
    return f"{len(indices)} (index {shown}{more})"
