"""`reverie logs cut`: a part of a log as a log of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console

from launch.logs.check import used_weights
from launch.logs.choosing import around, copy_weights, stretches
from launch.logs.copying import Slice, write_copy
from launch.logs.declared import control_hz, read_plan
from launch.logs.places import WEIGHTS as STORE
from launch.logs.places import Surveyed, bar, find_log, survey_log
from launch.logs.targets import new_folder
from robot.config import ConfigError
from robot.wire.log.names import WEIGHTS

_RANGE = re.compile(r"(\d+(?:\.\d+)?)?:(\d+(?:\.\d+)?)?")
CUT = "cut"


def run_cut(path: Path, out: Path, chosen: Mapping[str, str], force: bool) -> int:
    """Write the chosen transitions, and what was logged with them, to a folder.

    Indices, stamps and messages stay as they were. Each file that has a part in it gives one.

    Args:
        path: LOG: a file, a folder of log files, or a run's folder.
        out: folder to write.
        chosen: one of "episodes", "minutes", "indices" as FIRST:END, the others empty.
        force: whether a folder of logs may be replaced.

    Returns:
        Exit code 0.

    Raises:
        ConfigError: when LOG is no log, the range is none or holds nothing, or `out` exists.
        OSError: when a file cannot be read or written.
    """
    kind, low, high = read_range(chosen)
    log = survey_log(find_log(path))
    kept = [_kept(file.steps, kind, low, high, log) for file in log.files]
    count = sum(int(mask.sum()) for mask in kept)
    if not count:
        raise ConfigError(f"--{kind} {chosen[kind]}: no transition of {log.log.path} lies there")
    history = {"from": str(log.log.path.resolve()), kind: chosen[kind]}
    with new_folder(out, force, log.log.files) as folder:
        _write(log, kept, folder, history)
        digests = _weights(log, kept)
        stored = copy_weights(log.log.store, folder / STORE, digests)
    more = f", {stored} weights" if stored else ""
    Console().print(f"{out}: {count} transitions{more}", highlight=False, soft_wrap=True)
    return 0


def read_range(chosen: Mapping[str, str]) -> tuple[str, float, float]:
    """Kind, first and end of the range that was asked for.

    Raises:
        ConfigError: when none or several were, or it is no range.
    """
    asked = [(kind, text) for kind, text in chosen.items() if text]
    names = ", ".join(f"--{kind}" for kind in chosen)
    if len(asked) != 1:
        raise ConfigError(f"cut: name one of {names}; got {len(asked)}")
    ((kind, text),) = asked
    match = _RANGE.fullmatch(text)
    if match is None or text == ":":
        raise ConfigError(f"--{kind} {text}: allowed is FIRST:END, FIRST: or :END")
    low, high = float(match[1] or 0), float(match[2] or "inf")
    if low >= high:
        raise ConfigError(f"--{kind} {text}: {match[1]} is not below {match[2]}")
    return kind, low, high


def _kept(steps: np.ndarray, kind: str, low: float, high: float, log: Surveyed) -> np.ndarray:
    if kind == "episodes":
        values = steps["episode"]
    elif kind == "indices":
        values = steps["index"]
    else:
        values = _minutes(steps, log)
    return (values >= low) & (values < high)


def _minutes(steps: np.ndarray, log: Surveyed) -> np.ndarray:
    """Minutes of robot time from the log's first step on, (N,).

    Raises:
        ConfigError: when the log does not say how long a step is.
    """
    hz = control_hz(read_plan(log.about))
    if not hz:
        raise ConfigError("--minutes: the log names no control_hz; use --episodes or --indices")
    first = min(int(file.steps["index"].min()) for file in log.files if len(file.steps))
    return (steps["index"] - first) / hz / 60


def _write(log: Surveyed, kept: list[np.ndarray], folder: Path, history: Mapping[str, str]) -> None:
    """One file for each that has a part; the first also tells of all weights before it."""
    earlier: list[Slice] = []
    with bar("cutting", sum(file.size for file in log.files)) as show:
        for source, mask in zip(log.files, kept, strict=True):
            if not mask.any():
                notes = stretches(source, 0, source.size, lambda topic: topic == WEIGHTS)
                earlier += notes
                continue
            number = len(list(folder.glob("*.mcap")))
            target = folder / f"{log.log.name}-{number:04d}.mcap"
            parts = [*earlier, *around(source, mask)]
            write_copy(target, parts, {**source.about, CUT: dict(history)}, show)
            earlier = []


def _weights(log: Surveyed, kept: list[np.ndarray]) -> list[str]:
    """Hashes of the weights that the chosen transitions were made with."""
    made = [file.steps["weights_version"][mask] for file, mask in zip(log.files, kept, strict=True)]
    versions = set(np.concatenate(made).tolist())
    return [digest for version, digest in used_weights(log).items() if version in versions]
