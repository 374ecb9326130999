"""A file that ends with a whole record whatever happens while it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robot.wire.log.names import LogError, log_files


class WholeFile:
    """A new file to which every write goes at once and whole, or not at all.

    Args:
        path: of the file, which must not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._size = 0
        self._held: list[bytes] | None = None
        self._held_size = 0

    def write(self, data: bytes) -> int:
        """Write it, or keep it for the end of `together`.

        Raises:
            LogError: when it could not be written; the file is as it was before.
        """
        if self._held is None:
            return self._put(data)
        self._held.append(data)
        self._held_size += len(data)
        return len(data)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make one write of all that is written inside; of an error inside, nothing remains.

        Raises:
            LogError: when it could not be written; the file is as it was before.
        """
        held = self._held = []
        try:
            yield
        finally:
            self._held, self._held_size = None, 0
        self._put(b"".join(held))

    def _put(self, data: bytes) -> int:
        view, done = memoryview(data), 0
        try:
            while done < len(view):
                done += os.write(self._handle, view[done:])
        except OSError as error:
            # Half a record would hide all that follow it.
            os.ftruncate(self._handle, self._size)
            os.lseek(self._handle, self._size, os.SEEK_SET)
            raise LogError(f"{self._path}: cannot write: {error.strerror}") from error
        self._size += done
        return done

    def overwrite(self, offset: int, data: bytes) -> None:
        """Put other bytes in the place of some that are there.

        Raises:
            LogError: when that fails.
        """
        try:
            os.pwrite(self._handle, data, offset)
        except OSError as error:
            raise LogError(f"{self._path}: cannot change: {error.strerror}") from error

    def tell(self) -> int:
        """Bytes written, and kept for the end of `together`."""
        return self._size + self._held_size

    def flush(self) -> None:
        """Nothing is ever held back beyond `together`."""

    def sync(self) -> None:
        """Wait until the disk has all of it."""
        os.fdatasync(self._handle)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def next_file(directory: Path, name: str) -> tuple[Path, WholeFile]:
    """Make the next file of a log: NAME-0000.mcap, NAME-0001.mcap, ...

    Raises:
        LogError: when it cannot be made.
    """
    directory.mkdir(parents=True, exist_ok=True)
    taken = [int(path.stem.rpartition("-")[2]) for path in log_files(directory, name)]
    number = max(taken, default=-1) + 1
    while True:
        path = directory / f"{name}-{number:04d}.mcap"
        try:
            return path, WholeFile(path)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise LogError(f"{path}: cannot make it: {error.strerror}") from error
