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
from typing import Any, cast

from mcap.writer import IndexType, Writer

from robot.clock import NS
from robot.wire.codec import encode, envelope
from robot.wire.log.names import ABOUT, CONTINUES, ENCODING, TRANSITIONS, LogError
from robot.wire.log.whole import next_file
from robot.wire.schemas import CodecError, Schema
from robot.wire.transition import Transition

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Form:
    """What the records of a topic look like, in MCAP's words.

    Args:
        name: of the schema.
        style: its language, such as "ros2msg" or "jsonschema".
        schema: text of it.
        encoding: of the records, such as "cdr" or "json".
    """

    name: str
    style: str
    schema: str
    encoding: str


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
        self._part = _Part(directory, name, self._about)
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
        self._part = _Part(*self._place, {**self._about, CONTINUES: old.path.name})
        self._before += old.size
        self._closing = [thread for thread in self._closing if thread.is_alive()]
        self._closing.append(threading.Thread(target=_finish, args=(old,), name="log"))
        self._closing[-1].start()


class _Part:
    """One file of a log; `began_ns` is the stamp of its first record."""

    def __init__(self, directory: Path, name: str, about: Mapping[str, str]) -> None:
        self.path, self._file = next_file(directory, name)
        stream = cast(Any, self._file)
        self._mcap = Writer(stream, index_types=IndexType.METADATA, use_chunking=False)
        self._channels: dict[str, tuple[str, int]] = {}
        self.began_ns: int | None = None
        try:
            self._mcap.start(profile="", library="reverie")
            self._mcap.add_metadata(ABOUT, dict(about))
        except LogError:
            self._file.close()
            self.path.unlink()
            raise

    @property
    def size(self) -> int:
        return self._file.tell()

    def write(self, topic: str, form: Form, data: bytes, stamp_ns: int, sequence: int) -> None:
        channel = self._channel(topic, form)
        self._mcap.add_message(channel, stamp_ns, data, stamp_ns, sequence)
        if self.began_ns is None:
            self.began_ns = stamp_ns

    @contextmanager
    def together(self) -> Iterator[None]:
        known = dict(self._channels)
        try:
            with self._file.together():
                yield
        except BaseException:
            self._channels = known  # what was registered inside is not in the file
            raise

    def _channel(self, topic: str, form: Form) -> int:
        """Channel of a topic, registered with the first record on it."""
        known = self._channels.get(topic)
        if known is not None:
            if known[0] != form.name:
                raise CodecError(f"topic {topic} holds {known[0]}, not {form.name}")
            return known[1]
        schema_id = self._mcap.register_schema(form.name, form.style, form.schema.encode())
        channel = self._mcap.register_channel(topic, form.encoding, schema_id)
        self._mcap.flush()
        self._channels[topic] = (form.name, channel)
        return channel

    def sync(self) -> None:
        self._file.sync()

    def close(self) -> None:
        try:
            self._mcap.finish()
            self._file.sync()
        finally:
            self._file.close()


def _finish(part: _Part) -> None:
    try:
        part.close()
    except OSError as error:
        _log.error("%s: whole, but not finished: %s", part.path, error)


@cache
def _coded(schema: Schema[Any]) -> Form:
    return Form(f"reverie/{schema.kind.__name__}", ENCODING, schema.text, ENCODING)
