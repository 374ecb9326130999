"""Files and folders that come into being whole, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launch.whole import check_place
from robot.config import ConfigError
from robot.config.extras import how_to_install


@contextmanager
def fresh(out: Path) -> Iterator[Path]:
    """A path beside `out` to write to; it becomes `out` when all went well, and goes otherwise.

    Raises:
        ConfigError: when `out` exists already, or nothing can be made there.
    """
    if out.exists():
        raise ConfigError(f"{out}: exists already; name a new one")
    check_place(out, "OUT")
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        yield part
        for path in [*part.rglob("*"), part]:
            _sync(path)
        part.rename(out)
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def need(module: str, extra: str) -> None:
    """Refuse in one line what an extra is needed for.

    Raises:
        ConfigError: when the module is not installed.
    """
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise ConfigError(f"needs {module}: {how_to_install(extra)}")
