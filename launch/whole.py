"""Files that are there whole, or as they were before."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from robot.config import ConfigError


def write_whole(path: Path, data: bytes) -> None:
    """Write a file's bytes whole or not at all; what is half written goes, whatever happens.

    Raises:
        OSError: when it cannot be written; what was there is still there.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def check_can_write(path: Path, option: str) -> None:
    """Refuse a file that could not be written, before the work that it shall hold.

    Args:
        path: of the file; what is there is going to be replaced.
        option: that names it.

    Raises:
        ConfigError: naming the option, the path and what is in the way.
    """
    if path.is_dir():
        raise ConfigError(f"{option} {path}: is a folder; name a file")
    check_place(path, option)


def check_place(path: Path, option: str) -> None:
    """Refuse a file or folder where nothing can be made; leaves nothing there.

    Raises:
        ConfigError: naming the option, the path and what is in the way.
    """
    folder = next(p for p in path.absolute().parents if p.exists() or p.is_symlink())
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        what = f"{folder}: {error.strerror}"
        raise ConfigError(f"{option} {path}: cannot be written ({what})".lstrip()) from error
