"""Keeps the weights that drove a robot, each under its own hash, and thins out old ones."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

from robot.wire.weights import Weights, WeightsError

NEWEST = 8
_SUFFIX = ".safetensors"


def digest_of(data: bytes) -> str:
    """SHA-256 of a file's bytes, as `sha256sum` tells it."""
    return hashlib.sha256(data).hexdigest()


class WeightsStore:
    """A folder of SHA256.safetensors, where SHA256 is the file's own; each is whole or not there.

    Args:
        folder: made with the first weights.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where weights of a hash lie, if they are there."""
        return self.folder / f"{sha256}{_SUFFIX}"

    def put(self, data: bytes) -> Path:
        """Keep weights, unless they are there; may take long, so call it aside from any loop.

        Args:
            data: `Weights.to_bytes` of them.

        Raises:
            OSError: when they cannot be written; nothing is left of them.
        """
        sha256 = digest_of(data)
        path = self.path(sha256)
        if path.exists():
            return path
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f".{sha256}.{os.getpid()}.{threading.get_ident()}"
        try:
            with open(part, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        return path

    def get(self, sha256: str) -> Weights:
        """Weights of a hash, proven by it.

        Raises:
            FileNotFoundError: when there are none: never kept, or thinned out.
            WeightsError: when the file is damaged or holds others.
        """
        path = self.path(sha256)
        data = path.read_bytes()
        if (found := digest_of(data)) != sha256:
            raise WeightsError(f"{path}: has the hash {found[:16]}")
        return Weights.from_bytes(data)

    def kept(self) -> list[Path]:
        """Files, the longest kept first."""
        found = [(path.stat().st_mtime_ns, path) for path in self.folder.glob(f"*{_SUFFIX}")]
        return [path for _, path in sorted(found)]

    def prune(self, most_bytes: float, newest: int = NEWEST) -> list[Path]:
        """Remove every other of the older weights, from the oldest on, until all fit.

        What is pruned again and again grows sparser with age, and never loses its first weights.

        Args:
            most_bytes: that all of them may take.
            newest: how many of the newest stay in any case.

        Returns:
            The files that were removed.
        """
        kept = self.kept()
        sizes = {path: path.stat().st_size for path in kept}
        excess, gone = sum(sizes.values()) - most_bytes, []
        old = kept[: max(0, len(kept) - newest)]
        while excess > 0 and len(old) > 1:
            for path in old[1::2]:
                if excess > 0:
                    path.unlink(missing_ok=True)
                    excess -= sizes[path]
                    gone.append(path)
            old = [path for path in old if path not in gone]
        return gone
