"""From chosen transitions to the stretches of files that hold them and what belongs to them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from launch.logs.copying import Slice
from launch.logs.survey import Survey
from robot.wire.log.names import WEIGHTS

Wanted = Callable[[str], bool]


def everything(topic: str) -> bool:
    """Any topic."""
    return True


def stretches(source: Survey, begin: int, end: int, wanted: Wanted = everything) -> list[Slice]:
    """What is sound of a stretch of a file."""
    bounds = [(max(begin, first), min(end, last)) for first, last in source.sound]
    return [Slice(source, first, last, wanted) for first, last in bounds if first < last]


def around(source: Survey, kept: np.ndarray, wanted: Wanted = everything) -> list[Slice]:
    """Stretches of a file that hold some of its transitions, and what was logged with them.

    What lies between two transitions belongs to the earlier one: what was heard and said in a tick
    is written when the tick is over. Of the notes of weights before them, all are taken.

    Args:
        source: the file.
        kept: (N,) bool, which of its transitions; what comes before the first goes with it.
        wanted: topics.
    """
    if not len(kept):
        return stretches(source, 0, source.size, wanted)
    steps, parts, done = source.steps, [], 0
    for first, last in runs(kept):
        begin = int(steps["begin"][first]) if first else 0
        end = int(steps["begin"][last + 1]) if last + 1 < len(steps) else source.size
        parts += stretches(source, done, begin, lambda t: t == WEIGHTS and wanted(t))
        parts += stretches(source, begin, end, wanted)
        done = end
    return parts


def runs(kept: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last place of each unbroken run of true values in (N,) bool."""
    edges = np.diff(np.concatenate([[False], kept, [False]]).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    yield from zip(starts.tolist(), (ends - 1).tolist(), strict=True)


def copy_weights(store: Path, target: Path, digests: Sequence[str]) -> int:
    """Bring weights of a store into another one; how many there were.

    Raises:
        OSError: when a file cannot be read or written.
    """
    there = [store / f"{digest}.safetensors" for digest in dict.fromkeys(digests)]
    there = [path for path in there if path.exists()]
    for path in there:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / path.name)
    return len(there)
