"""Writes a log: each record at once, in files that end by size or by time."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from robot.clock import NS
from robot.wire.codec import encode, envelope
from robot.wire.log.names import CONTINUES, ENCODING, TRANSITIONS
from robot.wire.log.part import Form, Part
from robot.wire.schemas import Schema
from robot.wire.transition import Transition

_log = logging.getLogger(__name__)


NOTE = Form(
    "reverie/Note", "jsonschema", '{"type": "object", "additionalProperties": true}', "json"
)


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a log goes on in another file; never by default.

    Args:
        size: bytes that a file may have; one record, or one batch, goes beyond.
        minutes: from a file's first record to its last, by their stamps.
    """

    size: float = float("inf")
    minutes: float = float("inf")


class LogWriter:
    """Appends records to new files of a directory: NAME-0000.mcap, NAME-0001.mcap, ...

    Calls may come from several threads.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        about: Mapping[str, str],
        rotation: Rotation | None = None,
    ) -> None:
        """Open the next file.

        Args:
            directory: made when it is missing.
            name: letters, digits and dashes.
            about: what a reader must know of the run: configuration, versions, spec; as text. Each
                file has it; one that continues another of this writer names that under "continues".
            rotation: when to go on in another file.

        Raises:
            LogError: when the file cannot be made or written.
        """
        self._place, self._about = (directory, name), dict(about)
        self._rotation = rotation or Rotation()
        self._part = Part(directory, name, self._about)
        self._guard = threading.RLock()
        self._batch = self._closed = False
        self._before = 0
        self._closing: list[threading.Thread] = []

    @property
    def path(self) -> Path:
        """File that is being written."""
        return self._part.path

    @property
    def size(self) -> int:
        """Bytes written so far, in all files."""
        return self._before + self._part.size

    def append(self, topic: str, data: bytes) -> None:
        """Append one encoded message; when this returns, the operating system has it.

        Raises:
            CodecError: when `data` is no message.
            LogError: when it could not be written; the file ends with the record before.
        """
        head = envelope(data)
        stamp_ns = max(0, head.sent_ns or head.monotonic_ns)
        self.write(topic, _coded(head.schema), data, stamp_ns, head.sequence & 0xFFFFFFFF)

    def append_transition(self, step: Transition, sent_ns: int, monotonic_ns: int) -> bytes:
        """Encode and append a transition; returns the bytes, ready to be sent."""
        data = encode(step, step.index, sent_ns, monotonic_ns)
        self.append(TRANSITIONS, data)
        return data

    def note(self, topic: str, values: Mapping[str, object], stamp_ns: int) -> None:
        """Append plain data as JSON: events, and versions of weights.

        Raises:
            LogError: when it could not be written.
        """
        self.write(topic, NOTE, json.dumps(values, sort_keys=True).encode(), stamp_ns)

    def write(self, topic: str, form: Form, data: bytes, stamp_ns: int, sequence: int = 0) -> None:
        """Append one record of any form.

        Raises:
            CodecError: when the topic holds records of another form.
            LogError: when it could not be written.
        """
        with self._guard:
            if not self._batch:
                self._turn(stamp_ns)
                self._part.tidy()
            self._part.write(topic, form, data, stamp_ns, sequence)

    @contextmanager
    def batch(self, stamp_ns: int) -> Iterator[None]:
        """Append all that is appended inside with one write, at its end.

        Others that append meanwhile wait for it.

        Args:
            stamp_ns: of its first record.

        Raises:
            LogError: when it could not be written; then nothing of it was.
        """
        with self._guard:
            self._turn(stamp_ns)
            self._part.tidy()
            self._batch = True
            try:
                with self._part.together():
                    yield
            finally:
                self._batch = False

    def sync(self) -> None:
        """Wait until the disk has all of it; not for a control loop."""
        self._part.sync()

    def close(self) -> None:
        """Finish the file with its summary; safe to call twice."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            try:
                self._part.close()
            finally:
                for thread in self._closing:
                    thread.join()

    def _turn(self, stamp_ns: int) -> None:
        """Go on in another file when it is time; the old one is finished in a thread."""
        old, most = self._part, self._rotation
        if old.began_ns is None:  # an empty file is never left
            return
        if old.size < most.size and stamp_ns - old.began_ns < most.minutes * 60 * NS:
            return
        self._part = Part(*self._place, {**self._about, CONTINUES: old.path.name})
        self._before += old.size
        self._closing = [thread for thread in self._closing if thread.is_alive()]
        self._closing.append(threading.Thread(target=_finish, args=(old,), name="log"))
        self._closing[-1].start()


def _finish(part: Part) -> None:
    try:
        part.close()
    except OSError as error:
        _log.error("%s: whole, but not finished: %s", part.path, error)


@cache
def _coded(schema: Schema[Any]) -> Form:
    return Form(f"reverie/{schema.kind.__name__}", ENCODING, schema.text, ENCODING)
