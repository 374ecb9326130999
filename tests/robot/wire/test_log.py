import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mcap.exceptions import EndOfFile
from mcap.reader import make_reader
from mcap.stream_reader import StreamReader

from robot.wire.codec import encode
from robot.wire.cursor import Cursor
from robot.wire.log import LogError, LogFile, LogReader, LogWriter, log_files
from robot.wire.messages import Frame
from robot.wire.schemas import CodecError

STREAM = ("a1", "run")
WRITER = """
import os, sys
from pathlib import Path
import numpy as np
from robot.wire.log import LogWriter, Rotation
from robot.wire.transition import Transition
log = LogWriter(Path(sys.argv[1]), "steps", {"config": "{}"}, Rotation(size=100_000))
index = 0
while True:
    arrays = {"x": np.full(2000, index, np.float32)}
    log.append_transition(Transition("a1", "run", index, 0, index, 0, True, arrays), 0, index)
    with log.batch(index):
        log.note("/ticks", {"tick": index}, index)
        log.note("/events", {"event": index}, index)
    os.write(1, b"%d\\n" % index)
    index += 1
"""


def write(folder: Path, steps, name: str = "steps", close: bool = True) -> Path:
    log = LogWriter(folder, name, {"config": "{}", "spec": "0123"})
    for step in steps:
        log.append_transition(step, 0, step.index)
    if close:
        log.close()
    return log.path


def indices(folder: Path, after: int = -1) -> list[int]:
    return [step.index for step in LogReader(folder, "steps").transitions(after)]


def test_transitions_come_back_as_they_were_written(tmp_path, step):
    written = [step(i) for i in range(5)]
    write(tmp_path, written)
    reader = LogReader(tmp_path, "steps")
    back = list(reader.transitions())
    assert [encode(t) for t in back] == [encode(t) for t in written]
    assert reader.faults == []


def test_the_official_reader_reads_all_of_it(tmp_path, step):
    log = LogWriter(tmp_path, "steps", {"config": "{}"})
    for i in range(5):
        log.append_transition(step(i), 1_700_000_000_000_000_000 + i, i)
    log.append("/frames/front", encode(Frame("front", 3, np.zeros((4, 4, 3), np.uint8)), 9))
    log.note("/events", {"event": "episode", "return": 1.5}, 12)
    log.close()
    with open(log.path, "rb") as file:
        reader = make_reader(file, validate_crcs=True)
        found = list(reader.iter_messages(log_time_order=False))
        about = [(m.name, m.metadata) for m in reader.iter_metadata()]
        summary = reader.get_summary()
    assert about == [("about", {"config": "{}"})]
    assert [c.topic for _, c, _ in found] == ["/transitions"] * 5 + ["/frames/front", "/events"]
    assert found[2][2].log_time == 1_700_000_000_000_000_002
    assert found[2][2].sequence == 2
    schema, channel, message = found[-1]
    assert (channel.message_encoding, json.loads(message.data)["return"]) == ("json", 1.5)
    assert schema is not None and (schema.encoding, schema.name) == ("jsonschema", "reverie/Note")
    assert found[0][1].message_encoding == "x-reverie-1"
    assert summary is not None and summary.statistics is not None
    assert summary.statistics.message_count == 7


def test_the_official_reader_reads_a_file_that_was_never_closed(tmp_path, step):
    path = write(tmp_path, [step(i) for i in range(5)], close=False)
    with open(path, "rb") as file:
        topics = []
        with pytest.raises(EndOfFile):
            for record in StreamReader(file).records:
                topics.append(type(record).__name__)
    assert topics.count("Message") == 5


def test_each_start_writes_a_new_file_and_none_is_overwritten(tmp_path, step):
    for start in range(3):
        path = write(tmp_path, [step(2 * start), step(2 * start + 1)])
        assert path.name == f"steps-{start:04d}.mcap"
    write(tmp_path, [], name="steps-other")
    (tmp_path / "steps-x.mcap").write_text("not ours")
    assert len(log_files(tmp_path, "steps")) == 3
    assert indices(tmp_path) == list(range(6))


def test_reading_can_start_behind_any_index(tmp_path, step):
    for start in range(4):
        write(tmp_path, [step(i) for i in range(10 * start, 10 * start + 10)])
    for after in (-1, 0, 8, 9, 10, 25, 38, 39, 100):
        assert indices(tmp_path, after) == list(range(after + 1, 40))
    assert len(LogReader(tmp_path, "steps")._files_after(25)) == 2


def test_a_file_cut_at_any_byte_yields_what_is_whole_and_says_so(tmp_path, step):
    path = write(tmp_path, [step(i) for i in range(6)])
    whole = path.read_bytes()
    ends = [0, *[r.end for r in LogFile(path).records()]]
    rng = np.random.default_rng(0)
    cuts = {0, 1, 7, 8, 9, *ends, *[e + d for e in ends[1:] for d in (-1, 1)]}
    cuts |= set(rng.integers(0, len(whole), 200).tolist())
    for cut in sorted(cuts):
        path.write_bytes(whole[:cut])
        reader = LogReader(tmp_path, "steps")
        found = [s.index for s in reader.transitions()]
        assert found == list(range(sum(end <= cut for end in ends) - 1))
        (fault,) = reader.faults
        assert str(path) in fault and "\n" not in fault and "whole" in fault


def test_a_new_file_goes_on_behind_a_cut_one(tmp_path, step):
    path = write(tmp_path, [step(i) for i in range(6)])
    path.write_bytes(path.read_bytes()[: [r.end for r in LogFile(path).records()][3] + 40])
    write(tmp_path, [step(i) for i in range(4, 9)])
    assert indices(tmp_path) == list(range(9))
    last = LogReader(tmp_path, "steps").last()
    assert last is not None and last.index == 8


def test_damaged_bytes_anywhere_never_crash_the_reader(tmp_path, step):
    path = write(tmp_path, [step(i) for i in range(6)])
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 3):
            data[place] = int(rng.integers(256))
        path.write_bytes(data)
        reader = LogReader(tmp_path, "steps")
        found = [s.index for s in reader.transitions()]
        assert found == sorted(found) and set(found) <= set(range(6))
        assert len(found) == 6 or reader.faults
        list(reader.notes("/transitions"))


def test_what_is_no_log_is_said_in_one_line(tmp_path):
    (tmp_path / "steps-0000.mcap").write_bytes(b"some other file" * 10)
    reader = LogReader(tmp_path, "steps")
    assert list(reader.records()) == []
    assert "steps-0000.mcap: cut or damaged; whole up to byte 0 of 150" in reader.faults[0]


def test_a_killed_writer_loses_nothing_that_append_returned_from(tmp_path):
    for turn in range(5):
        folder = tmp_path / str(turn)
        command = [sys.executable, "-c", WRITER, str(folder)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(50 * turn + 1)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout.read().split(b"\n") if line]
        writer.wait()
        found = indices(folder)
        assert found == list(range(len(found)))
        assert len(found) >= told[-1] + 1
        reader = LogReader(folder, "steps")
        ticks = [note["tick"] for note in reader.notes("/ticks")]
        assert ticks == [note["event"] for note in reader.notes("/events")]
        assert ticks == list(range(len(ticks))) and len(found) >= len(ticks) >= told[-1] + 1
        assert all("whole" in fault for fault in reader.faults)


def test_a_full_disk_is_said_and_leaves_the_file_whole(tmp_path, step, monkeypatch):
    log = LogWriter(tmp_path, "steps", {})
    log.append_transition(step(0), 0, 0)
    write_some = os.write
    turns = iter(range(2))

    def half_then_full(handle: int, data) -> int:
        if next(turns) == 0:
            return write_some(handle, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", half_then_full)
    with pytest.raises(LogError, match=r"steps-0000.mcap: cannot write: No space left"):
        log.append_transition(step(1), 0, 1)
    assert log.path.stat().st_size == log.size
    monkeypatch.setattr(os, "write", write_some)
    log.append_transition(step(1), 0, 1)
    log.note("/events", {"event": "room again"}, 2)
    log.close()
    assert indices(tmp_path) == [0, 1]
    reader = LogReader(tmp_path, "steps")
    assert list(reader.notes("/events")) == [{"event": "room again"}]
    assert reader.faults == []


def test_a_full_disk_at_the_first_record_of_a_topic_does_not_lose_the_topic(
    tmp_path, step, monkeypatch
):
    log = LogWriter(tmp_path, "steps", {})

    def full(handle: int, data) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(LogError):
            log.append_transition(step(0), 0, 0)
    log.append_transition(step(0), 0, 0)
    log.close()
    assert indices(tmp_path) == [0]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        LogWriter(tmp_path / "file", "steps", {})


def test_what_is_no_message_is_not_logged(tmp_path, step):
    log = LogWriter(tmp_path, "steps", {})
    with pytest.raises(CodecError):
        log.append("/transitions", b"some bytes")
    log.append_transition(step(0), 0, 0)
    with pytest.raises(CodecError, match="topic /transitions holds reverie/Transition"):
        log.append("/transitions", encode(Frame("front", 3, np.zeros((4, 4, 3), np.uint8))))
    log.close()
    log.close()


def test_equal_runs_write_equal_files(tmp_path, step):
    paths = [write(tmp_path / name, [step(i) for i in range(20)]) for name in ("a", "b")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_what_the_run_was_can_be_read_back(tmp_path, step):
    file = LogFile(write(tmp_path, [step(0)]))
    list(file.records())
    assert file.about == {"config": "{}", "spec": "0123"}


def all_from(cursor: Cursor, index: int, limit: int = 32) -> list[int]:
    found: list[int] = []
    while not cursor.at_end:
        found += [at for at, _ in cursor.read(found[-1] + 1 if found else index, limit)]
    cursor.at_end = False
    return found


def test_a_cursor_finds_any_index_in_any_order(tmp_path, step):
    for start in range(3):
        write(tmp_path, [step(i) for i in range(400 * start, 400 * start + 400)])
    cursor = Cursor(tmp_path, "steps", STREAM)
    for index in (0, 1199, 700, 5, 800, 399, 400, 0):
        assert all_from(cursor, index) == list(range(index, 1200))
    assert [at for at, _ in cursor.read(1100, 1, scan=300)] == [1100], "it remembers places"


def test_a_cursor_follows_a_log_that_grows(tmp_path, step):
    log = LogWriter(tmp_path, "steps", {})
    cursor = Cursor(tmp_path, "steps", STREAM)
    assert cursor.read(0, 8) == []
    for i in range(5):
        log.append_transition(step(i), 0, i)
        assert [at for at, _ in cursor.read(i, 8)] == [i]
    log.close()
    assert cursor.read(5, 8) == []
    write(tmp_path, [step(5)])
    assert [at for at, _ in cursor.read(5, 8)] == [5]


def test_a_cursor_reads_only_so_much_at_once(tmp_path, step):
    write(tmp_path, [step(i) for i in range(100)])
    cursor = Cursor(tmp_path, "steps", STREAM)
    assert cursor.read(90, 8, scan=50) == []
    assert not cursor.at_end
    assert [at for at, _ in cursor.read(90, 8, scan=50)] == list(range(90, 98))


def test_a_cursor_skips_damage_and_other_streams_and_gives_the_logged_bytes(tmp_path, step):
    log = LogWriter(tmp_path, "steps", {})
    logged = {}
    for i in range(6):
        logged[i] = log.append_transition(step(i), 5, 6)
        log.append_transition(step(i, run="other"), 0, 0)
    log.close()
    data = bytearray(log.path.read_bytes())
    data[data.index(logged[2]) + 100] ^= 1
    log.path.write_bytes(data)
    cursor = Cursor(tmp_path, "steps", STREAM)
    assert dict(cursor.read(0, 100)) == {i: d for i, d in logged.items() if i != 2}
    assert cursor.damaged == 1
