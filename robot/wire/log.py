"""The log: an MCAP file that only grows and is whole up to its last record, however it ended.

Records are not gathered in chunks: each goes to the operating system in one write before `append`
returns. A killed process loses nothing of that; a computer that loses power may lose what the
system had not yet put on its disk (`sync` forces it there).
"""

from __future__ import annotations

import json
import os
import re
import struct
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mcap.data_stream import RecordBuilder
from mcap.exceptions import McapError
from mcap.records import Channel, McapRecord, Message, Metadata
from mcap.stream_reader import MAGIC_SIZE, StreamReader
from mcap.writer import IndexType, Writer

from robot.wire.codec import decode, encode, envelope
from robot.wire.schemas import CodecError, Schema
from robot.wire.transition import Transition

TRANSITIONS = "/transitions"
ENCODING = "x-reverie-1"
ABOUT = "about"
_MESSAGE_HEAD = 1 + 8 + 2 + 4 + 8 + 8  # opcode, length, channel, sequence, two stamps
_NOTE_SCHEMA = json.dumps({"type": "object", "additionalProperties": True}).encode()
_UNREADABLE = (McapError, struct.error, ValueError, OverflowError, KeyError, MemoryError)


class LogError(OSError):
    """The log cannot be written; the message names the file and why."""


class _Whole:
    """A file to which every write goes at once and whole, or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._size = 0

    def write(self, data: bytes) -> int:
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

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing is ever held back."""

    def sync(self) -> None:
        os.fdatasync(self._handle)

    def close(self) -> None:
        os.close(self._handle)


class LogWriter:
    """Appends records to a new file of a directory: NAME-0000.mcap, NAME-0001.mcap, ...

    Calls may come from several threads.
    """

    def __init__(self, directory: Path, name: str, about: Mapping[str, str]) -> None:
        """Open the next file.

        Args:
            directory: made when it is missing.
            name: letters, digits and dashes.
            about: what a reader must know of the run: configuration, versions, spec; as text.

        Raises:
            LogError: when the file cannot be made or written.
        """
        self.path, self._file = _next_file(directory, name)
        stream = cast(Any, self._file)
        self._mcap = Writer(stream, index_types=IndexType.METADATA, use_chunking=False)
        self._channels: dict[str, tuple[str, int]] = {}
        self._guard = threading.Lock()
        self._open = True
        self._mcap.start(profile="", library="reverie")
        self._mcap.add_metadata(ABOUT, dict(about))

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._file.tell()

    def append(self, topic: str, data: bytes) -> None:
        """Append one encoded message; when this returns, the operating system has it.

        Raises:
            CodecError: when `data` is no message.
            LogError: when it could not be written; the file ends with the record before.
        """
        head = envelope(data)
        stamp_ns = max(0, head.sent_ns or head.monotonic_ns)
        with self._guard:
            channel = self._channel(topic, ENCODING, head.schema)
            self._mcap.add_message(channel, stamp_ns, data, stamp_ns, head.sequence & 0xFFFFFFFF)

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
        text = json.dumps(values, sort_keys=True).encode()
        with self._guard:
            self._mcap.add_message(self._channel(topic, "json", None), stamp_ns, text, stamp_ns)

    def _channel(self, topic: str, encoding: str, schema: Schema[Any] | None) -> int:
        """Channel of a topic, registered with the first record on it."""
        name = f"reverie/{schema.kind.__name__ if schema else 'Note'}"
        known = self._channels.get(topic)
        if known is not None:
            if known[0] != name:
                raise CodecError(f"topic {topic} holds {known[0]}, not {name}")
            return known[1]
        style, text = (ENCODING, schema.text.encode()) if schema else ("jsonschema", _NOTE_SCHEMA)
        schema_id = self._mcap.register_schema(name, style, text)
        channel = self._mcap.register_channel(topic, encoding, schema_id)
        self._mcap.flush()
        self._channels[topic] = (name, channel)
        return channel

    def sync(self) -> None:
        """Wait until the disk has all of it; not for a control loop."""
        self._file.sync()

    def close(self) -> None:
        """Finish the file with its summary; safe to call twice."""
        with self._guard:
            if not self._open:
                return
            self._open = False
            try:
                self._mcap.finish()
                self._file.sync()
            finally:
                self._file.close()


def _next_file(directory: Path, name: str) -> tuple[Path, _Whole]:
    directory.mkdir(parents=True, exist_ok=True)
    taken = [int(path.stem.rpartition("-")[2]) for path in log_files(directory, name)]
    number = max(taken, default=-1) + 1
    while True:
        path = directory / f"{name}-{number:04d}.mcap"
        try:
            return path, _Whole(path)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise LogError(f"{path}: cannot make it: {error.strerror}") from error


def log_files(directory: Path, name: str) -> list[Path]:
    """Files of one log, oldest first."""
    form = re.compile(rf"{re.escape(name)}-(\d{{4,}})\.mcap")
    found = {p: form.fullmatch(p.name) for p in directory.glob(f"{name}-*.mcap")}
    numbers = {path: int(match[1]) for path, match in found.items() if match}
    return sorted(numbers, key=lambda path: numbers[path])


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a log file: its topic, its bytes, and where in the file the next one begins."""

    topic: str
    data: bytes
    stamp_ns: int
    sequence: int
    end: int


class LogFile:
    """Reads one file, also while it is being written.

    Attributes:
        end: offset behind the last whole record that was read.
        fault: why reading stopped there, "" when the file was closed properly. A file that is
            still being written reads like one whose writer was killed.
        about: what the writer said of the run, once reading has passed it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0
        self.fault = ""
        self.about: dict[str, str] = {}
        self._topics: dict[int, str] = {}
        self._strange = ""

    def records(self, start: int = 0) -> Iterator[Record]:
        """Whole records from offset `start` (0, or a `Record.end` of this object) on."""
        self.end = start
        with open(self.path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(start)
            reader = StreamReader(file, start > 0, emit_chunks=True, record_size_limit=size)
            try:
                for entry in reader.records:
                    self._step_to(file.tell(), entry)
                    if isinstance(entry, Message):
                        topic = self._topics[entry.channel_id]
                        stamp, sequence = entry.log_time, entry.sequence
                        yield Record(topic, entry.data, stamp, sequence, self.end)
                    else:
                        self._learn(entry)
            except _UNREADABLE:
                self.fault = f"{self.path}: {self._why(size)}"

    def _step_to(self, end: int, entry: McapRecord) -> None:
        """Note where the next record begins; the reader is silent on what it cannot name."""
        begin = self.end or MAGIC_SIZE
        if end - begin != _size(entry):
            self._strange = f"{self.path}: damaged; no known record at byte {begin}"
        self.end, self.fault = end, self._strange

    def _why(self, size: int) -> str:
        if self.end == size:
            return f"not closed; whole to its end at byte {size}"
        return f"cut or damaged; whole up to byte {self.end} of {size}"

    def _learn(self, entry: McapRecord) -> None:
        if isinstance(entry, Channel):
            self._topics[entry.id] = entry.topic
        elif isinstance(entry, Metadata) and entry.name == ABOUT:
            self.about = entry.metadata


def _size(entry: McapRecord) -> int:
    """Bytes that a record takes in a file."""
    if isinstance(entry, Message):
        return _MESSAGE_HEAD + len(entry.data)
    builder = RecordBuilder()
    entry.write(builder)
    return builder.count


class LogReader:
    """Reads all files of one log, in the order in which they were written.

    Attributes:
        faults: one line for each file that was cut or damaged, and each message that is unsound.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self.name = name
        self.faults: list[str] = []

    def records(self, *topics: str) -> Iterator[Record]:
        """All whole records, or those of some topics."""
        for path in log_files(self.directory, self.name):
            yield from self._of(path, topics)

    def notes(self, topic: str) -> Iterator[dict[str, Any]]:
        """Plain data of a topic."""
        for record in self.records(topic):
            if note := self.parse(record):
                yield note

    def parse(self, record: Record) -> dict[str, Any]:
        """Plain data of one record; empty, and a fault, when it is damaged."""
        try:
            note = json.loads(record.data)
        except ValueError:
            note = None
        if isinstance(note, dict):
            return note
        self.faults.append(f"{record.topic}: the note before byte {record.end} is damaged")
        return {}

    def transitions(self, after: int = -1) -> Iterator[Transition]:
        """All sound transitions with an index above `after`, in the order of writing.

        Files that hold only earlier ones are passed over, which takes the directory to hold a
        single stream unless `after` is -1.
        """
        for path in self._files_after(after):
            yield from self._sound(path, self._of(path, (TRANSITIONS,)), after)

    def last(self) -> Transition | None:
        """Newest sound transition, None when there is none; reads the newest file first."""
        for path in reversed(log_files(self.directory, self.name)):
            newest = deque(self._of(path, (TRANSITIONS,)), maxlen=16)
            for step in self._sound(path, reversed(newest), -1):
                return step
        return None

    def _of(self, path: Path, topics: tuple[str, ...]) -> Iterator[Record]:
        file = LogFile(path)
        for record in file.records():
            if not topics or record.topic in topics:
                yield record
        if file.fault and file.fault not in self.faults:
            self.faults.append(file.fault)

    def _sound(self, path: Path, records: Iterable[Record], after: int) -> Iterator[Transition]:
        for record in records:
            if record.sequence <= after:
                continue
            try:
                yield decode(record.data, Transition)
            except CodecError as error:
                self.faults.append(f"{path}: transition before byte {record.end}: {error}")

    def _files_after(self, after: int) -> list[Path]:
        """Files from the last one on that begins at or before `after`."""
        files = log_files(self.directory, self.name)
        if after < 0:
            return files
        first = [next(LogReader._indices(path), None) for path in files]
        begins = [i for i, index in enumerate(first) if index is not None and index <= after]
        return files[begins[-1] if begins else 0 :]

    @staticmethod
    def _indices(path: Path) -> Iterator[int]:
        return (r.sequence for r in LogFile(path).records() if r.topic == TRANSITIONS)
