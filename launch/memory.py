"""Memory settings of processes that learn: large pages, and freed memory kept for the next update.

An update takes and frees the same arrays again and again. By default the allocator gives large
ones back to the system, which then clears each page anew: about a tenth of an update's time
(`reverie bench learner` in two environments shows it). The settings are glibc's, read when a
process starts; elsewhere they are ignored.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

_ALL = str(1 << 32)
SETTINGS = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "MALLOC_MMAP_THRESHOLD_": _ALL,
    "MALLOC_TRIM_THRESHOLD_": _ALL,
    "MALLOC_TOP_PAD_": str(1 << 28),
}


def keeping_memory(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with the settings added, where they are not set already."""
    return {**SETTINGS, **environment}


def restart_keeping_memory() -> None:
    """Replace this process by itself with the settings, unless it has them or is not on Linux.

    To be called before anything is opened; the process keeps its number.
    """
    if sys.platform == "linux" and not SETTINGS.keys() <= os.environ.keys():
        sys.stdout.flush()
        arguments = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, arguments, keeping_memory(os.environ))
