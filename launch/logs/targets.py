"""Where commands write to: new files and folders that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from launch.run_folder import RunFolder
from launch.whole import check_place
from robot.config import ConfigError

QUIET_S = 10.0  # a file that was written to more recently may still be in use


def unfinished(target: Path) -> Path:
    """Name of a file or folder while it is being written; readers pass over it."""
    return target.with_name(f".{target.name}.{os.getpid()}")


def free(target: Path, force: bool) -> Path:
    """A file to write to.

    Raises:
        ConfigError: when it exists and must not be replaced.
    """
    if target.exists() and not force:
        raise ConfigError(f"{target}: exists already; --force replaces it")
    return target


@contextmanager
def held(folder: Path, changed: Sequence[Path]) -> Iterator[None]:
    """Change files of a log in place while no run writes to it.

    Args:
        folder: of the log; where it is a run's, the run is kept from beginning meanwhile.
        changed: files that will be changed.

    Raises:
        ConfigError: when something else seems to write to it.
    """
    run = RunFolder(folder.parent)
    with run.hold() if run.plan_file.exists() else nullcontext():
        for path in changed:
            if time.time() - path.stat().st_mtime < QUIET_S:
                raise ConfigError(
                    f"{path}: was written to within the last {QUIET_S:g} s; "
                    "end the run, or try again"
                )
        yield


@contextmanager
def new_folder(target: Path, force: bool, sources: Sequence[Path]) -> Iterator[Path]:
    """A folder to write into, which becomes `target` when all went well.

    Args:
        target: the folder to be.
        force: whether a folder of logs may be replaced.
        sources: what is read; it must lie elsewhere.

    Raises:
        ConfigError: when `target` exists and must not be replaced.
    """
    _check_target(target, force, sources)
    half = unfinished(target)
    old = half.with_name(f"{half.name}.old")
    half.mkdir(parents=True)
    try:
        yield half
        if target.exists():
            target.replace(old)
        half.replace(target)
        _sync(target.parent)
    finally:
        if old.exists() and not target.exists():
            old.replace(target)  # ended between the two renames
        shutil.rmtree(half, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _check_target(target: Path, force: bool, sources: Sequence[Path]) -> None:
    inside = [s for s in sources if s.resolve().is_relative_to(target.resolve())]
    if inside:
        raise ConfigError(f"--out {target}: holds {inside[0]}, which is read; name another folder")
    if not target.exists():
        return check_place(target, "--out")
    if not force:
        raise ConfigError(f"--out {target}: exists already; --force replaces it")
    if not target.is_dir() or any(not _is_ours(path) for path in target.iterdir()):
        raise ConfigError(f"--out {target}: holds more than logs; name another folder")


def _is_ours(path: Path) -> bool:
    return path.suffix == ".mcap" or (path.is_dir() and path.name == "weights")


def _sync(folder: Path) -> None:
    """Let the disk have a rename."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
