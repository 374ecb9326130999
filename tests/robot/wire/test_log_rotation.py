"""Logs in several files, and records that are written together."""

import errno
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from mcap.exceptions import EndOfFile
from mcap.reader import NonSeekingReader, make_reader

from robot.wire.codec import encode
from robot.wire.cursor import Cursor
from robot.wire.log import Form, LogError, LogFile, LogReader, LogWriter, Rotation, log_files
from robot.wire.messages import Frame

ABOUT = {"plan": "{}", "spec": "0123"}
TEXT = Form("test/Text", "", "", "text")


def rotated(folder: Path, step, steps: int, rotation: Rotation, close=True) -> list[Path]:
    log = LogWriter(folder, "steps", ABOUT, rotation)
    for i in range(steps):
        log.append_transition(step(i), 0, i * 1_000_000_000)
        log.note("/events", {"event": i}, i * 1_000_000_000)
    if close:
        log.close()
    return log_files(folder, "steps")


def full(handle: int, data) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_log_goes_on_in_another_file_by_size_and_loses_nothing(tmp_path, step):
    files = rotated(tmp_path, step, 60, Rotation(size=10_000))
    assert len(files) == 3
    assert all(10_000 <= path.stat().st_size < 14_000 for path in files[:-1])
    reader = LogReader(tmp_path, "steps")
    assert [s.index for s in reader.transitions()] == list(range(60))
    assert [note["event"] for note in reader.notes("/events")] == list(range(60))
    assert reader.faults == []


def test_a_log_goes_on_in_another_file_by_the_time_of_its_records(tmp_path, step):
    files = rotated(tmp_path, step, 61, Rotation(minutes=0.5))
    counts = [sum(r.topic == "/transitions" for r in LogFile(p).records()) for p in files]
    assert counts == [30, 30, 1]


def test_each_file_is_whole_by_itself_and_names_the_one_before(tmp_path, step):
    files = rotated(tmp_path, step, 60, Rotation(size=10_000))
    before = None
    for path in files:
        with open(path, "rb") as file:
            reader = make_reader(file, validate_crcs=True)
            channels = {c.topic for _, c, _ in reader.iter_messages()}
            about = {m.name: m.metadata for m in reader.iter_metadata()}["about"]
            summary = reader.get_summary()
        assert channels == {"/transitions", "/events"}
        assert about == (ABOUT if before is None else {**ABOUT, "continues": before.name})
        assert summary is not None and len(summary.schemas) == 2
        before = path


def test_a_cursor_follows_a_log_through_its_files_while_they_grow(tmp_path, step):
    log = LogWriter(tmp_path, "steps", ABOUT, Rotation(size=3_000))
    cursor, found = Cursor(tmp_path, "steps", ("a1", "run")), []
    for i in range(40):
        log.append_transition(step(i), 0, i)
        log.note("/events", {"event": i}, i)
        found += [at for at, _ in cursor.read(i, 8)]
    log.close()
    assert found == list(range(40)) and len(log_files(tmp_path, "steps")) > 5


def test_a_batch_is_one_write_and_comes_back_in_order(tmp_path, step, monkeypatch):
    log = LogWriter(tmp_path, "steps", ABOUT)
    writes, write = [], os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, data: writes.append(1) or write(handle, data))
        with log.batch(5):
            log.append_transition(step(0), 0, 5)
            log.note("/events", {"event": 0}, 5)
            log.write("/text", TEXT, b"so", 5)
    assert len(writes) == 1 and log.size == log.path.stat().st_size
    log.close()
    topics = [record.topic for record in LogReader(tmp_path, "steps").records()]
    assert topics == ["/transitions", "/events", "/text"]


def test_of_a_batch_that_fails_nothing_is_there_and_its_topics_can_be_used(
    tmp_path, step, monkeypatch
):
    log = LogWriter(tmp_path, "steps", ABOUT)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(LogError, match="No space left"), log.batch(1):
            log.append_transition(step(0), 0, 0)
            log.note("/events", {"event": 0}, 0)
    with pytest.raises(ZeroDivisionError), log.batch(1):
        log.note("/events", {"event": 1}, 0)
        _ = 1 / 0
    log.note("/events", {"event": 2}, 2)
    log.append("/frames", encode(Frame("front", 3, np.zeros((4, 4, 3), np.uint8))))
    log.close()
    reader = LogReader(tmp_path, "steps")
    assert list(reader.notes("/events")) == [{"event": 2}] and reader.faults == []
    with open(log.path, "rb") as file:
        assert len(list(make_reader(file, validate_crcs=True).iter_messages())) == 2


def test_a_next_file_that_cannot_be_made_leaves_the_old_one_in_use(tmp_path, step, monkeypatch):
    log = LogWriter(tmp_path, "steps", ABOUT, Rotation(size=1))
    log.append_transition(step(0), 0, 0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(LogError, match="steps-0001.mcap: cannot write"):
            log.append_transition(step(1), 0, 1)
    assert [path.name for path in log_files(tmp_path, "steps")] == ["steps-0000.mcap"]
    log.append_transition(step(1), 0, 1)
    log.close()
    assert [s.index for s in LogReader(tmp_path, "steps").transitions()] == [0, 1]


def test_the_official_reader_reads_a_file_that_was_cut_as_far_as_it_is_whole(tmp_path, step):
    (path,) = rotated(tmp_path, step, 10, Rotation(), close=False)
    path.write_bytes(path.read_bytes()[: [r.end for r in LogFile(path).records()][13] + 20])
    seen = 0
    with open(path, "rb") as file, pytest.raises((EndOfFile, struct.error)):
        for _ in NonSeekingReader(file).iter_messages(log_time_order=False):
            seen += 1
    assert seen == 14


def test_chunks_are_put_around_records_without_moving_them(tmp_path, step, monkeypatch):
    monkeypatch.setattr("robot.wire.log.part.CHUNK_BYTES", 2_000)
    log, seen = LogWriter(tmp_path, "steps", ABOUT), []
    for i in range(40):
        log.append_transition(step(i), 0, i)
        with log.batch(i):
            log.note("/events", {"event": i}, i)
            log.note("/ticks", {"tick": i}, i)
        file = LogFile(log.path)
        records = list(file.records())
        assert records[: len(seen)] == seen and len(records) == 3 * i + 3
        seen = records
    log.close()
    assert list(LogFile(log.path).records()) == seen
    for start in range(0, 120, 7):  # from the middle of a chunk on
        file = LogFile(log.path)
        list(file.records())
        assert list(file.records(seen[start].end)) == seen[start + 1 :]
    with open(log.path, "rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None and summary.statistics is not None
        assert len(summary.chunk_indexes) == summary.statistics.chunk_count > 8
        found = list(reader.iter_messages(log_time_order=False))
        assert [m.data for _, _, m in found] == [record.data for record in seen]
        some = reader.iter_messages(topics=["/ticks"])
        assert [json.loads(m.data)["tick"] for _, _, m in some] == list(range(40))
    with open(log.path, "rb") as file:
        again = NonSeekingReader(file).iter_messages(log_time_order=False)
        assert [m.data for _, _, m in again] == [record.data for record in seen]


def test_a_chunk_that_the_disk_has_no_room_to_end_is_ended_later(tmp_path, step, monkeypatch):
    monkeypatch.setattr("robot.wire.log.part.CHUNK_BYTES", 1_000)
    log = LogWriter(tmp_path, "steps", ABOUT)
    for i in range(3):
        log.append_transition(step(i), 0, i)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(LogError):
            log.append_transition(step(3), 0, 3)
    log.append_transition(step(3), 0, 3)
    log.close()
    assert [s.index for s in LogReader(tmp_path, "steps").transitions()] == list(range(4))
    with open(log.path, "rb") as file:
        assert len(list(make_reader(file).iter_messages())) == 4
