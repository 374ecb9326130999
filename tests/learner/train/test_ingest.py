import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zmq

from learner.train.ingest import Ingest, IngestServer, Outcome, fits
from robot.wire.codec import decode, encode
from robot.wire.log import TRANSITIONS, LogError, LogReader, LogWriter
from robot.wire.messages import Ack, Command, Hello, Hole
from robot.wire.sockets import EndpointInUse, Port, open_sender
from robot.wire.spec import RobotSpec, box

SPEC = RobotSpec({"joint_pos": box(-3.2, 3.2, (12,), "rad")}, box(-1.0, 1.0, (12,)), 20.0)


class Bench:
    """An ingest with a log in `folder`, and what its consumer was given."""

    def __init__(self, folder: Path) -> None:
        self.taken: list[tuple[str, int]] = []
        self.folder = folder
        self.reader = LogReader(folder, "ingest")
        self.ingest = Ingest(
            lambda s: self.taken.append((s.robot, s.index)),
            fits(SPEC),
            LogWriter(folder, "ingest", {}),
        )
        self.ingest.restore(self.reader)

    def indices(self, robot: str = "a1") -> list[int]:
        return [index for name, index in self.taken if name == robot]


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    own = zmq.Context()
    yield own
    own.destroy(linger=0)


def test_each_index_is_taken_once_and_in_order(bench, step):
    outcomes = [bench.ingest.accept(step(i)) for i in (0, 1, 1, 3, 2, 0, 3, 3)]
    taken, twice, early = Outcome.INGESTED, Outcome.DUPLICATE, Outcome.EARLY
    assert outcomes == [taken, taken, twice, early, taken, twice, taken, twice]
    assert bench.indices() == [0, 1, 2, 3]
    counts = {"ingested": 4, "duplicates": 3, "invalid": 0, "lost": 0}
    assert bench.ingest.counts.as_dict() == counts


def test_streams_are_counted_apart(bench, step):
    for index, *stream in (
        (0, "a1", "run"),
        (0, "b2", "run"),
        (0, "a1", "other"),
        (1, "b2", "run"),
    ):
        assert bench.ingest.accept(step(index, *stream)) is Outcome.INGESTED
    assert bench.ingest.next_index("b2", "run") == 2
    assert bench.ingest.next_index("c3", "run") == 0


def test_a_restart_hands_everything_over_again_and_goes_on_behind_it(bench, step):
    for i in range(5):
        bench.ingest.accept(step(i))
        bench.ingest.accept(step(i, "b2"))
    again = Bench(bench.folder)
    assert again.taken == bench.taken
    assert again.ingest.counts.ingested == 10
    assert again.ingest.accept(step(4)) is Outcome.DUPLICATE
    assert again.ingest.accept(step(5)) is Outcome.INGESTED
    assert Bench(bench.folder).indices() == list(range(6))


def test_the_bytes_that_came_are_the_bytes_that_are_kept(bench, step):
    data = encode(step(0), 0, 123, 456)
    bench.ingest.accept(decode(data, type(step(0))), data)
    assert [r.data for r in bench.reader.records(TRANSITIONS)] == [data]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (
            {"joint_pos": np.ones(11, np.float32)},
            "joint_pos: float32 (11,); allowed float32 (12,)",
        ),
        ({"joint_pos": np.zeros(12)}, "joint_pos: float64 (12,); allowed float32 (12,)"),
        ({"reward": np.array(np.nan, np.float32)}, "reward: not finite"),
        ({"action": np.full(12, np.inf, np.float32)}, "action: not finite"),
        ({"is_last": np.array(1.0, np.float32)}, "is_last: float32 (); allowed bool ()"),
        ({"extra": np.zeros(1)}, "arrays differ from the robot's spec in extra"),
    ],
)
def test_what_does_not_fit_is_counted_reported_and_passed_over_for_good(bench, step, arrays, said):
    bench.ingest.accept(step(0))
    assert bench.ingest.accept(step(1, **arrays)) is Outcome.INVALID
    assert bench.ingest.reasons == [f"a1 run 1: {said}"]
    assert bench.ingest.accept(step(1)) is Outcome.DUPLICATE
    again = Bench(bench.folder)
    assert again.ingest.accept(step(1)) is Outcome.DUPLICATE
    assert again.ingest.accept(step(2)) is Outcome.INGESTED
    assert again.indices() == [0, 2]


def test_a_lacking_array_is_named(bench, step):
    whole = step(0)
    arrays = {name: value for name, value in whole.arrays.items() if name != "applied"}
    bench.ingest.accept(replace(whole, arrays=arrays))
    assert bench.ingest.reasons == ["a1 run 0: arrays differ from the robot's spec in applied"]


def test_a_reading_beyond_its_usual_range_is_experience_too(bench, step):
    far = np.full(12, 9.0, np.float32)
    assert bench.ingest.accept(step(0, joint_pos=far, action=far)) is Outcome.INGESTED


def test_a_hole_is_passed_over_once_and_for_good(bench, step):
    bench.ingest.accept(step(0))
    for hole in (Hole("a1", "run", 1, 4), Hole("a1", "run", 1, 4), Hole("a1", "run", 9, 12)):
        bench.ingest.pass_over(hole)
    assert bench.ingest.next_index("a1", "run") == 4
    assert bench.ingest.counts.lost == 3
    assert Bench(bench.folder).ingest.next_index("a1", "run") == 4


def test_the_robots_log_serves_where_there_is_no_own(tmp_path, step):
    log = LogWriter(tmp_path, "steps", {})
    for i in range(4):
        kind = np.float64 if i == 2 else np.float32
        log.append_transition(step(i, joint_pos=np.zeros(12, kind)), 0, 0)
    taken: list[int] = []
    ingest = Ingest(lambda s: taken.append(s.index), fits(SPEC))
    ingest.restore(LogReader(tmp_path, "steps"))
    assert taken == [0, 1, 3]
    assert (ingest.counts.invalid, ingest.next_index("a1", "run")) == (1, 4)
    assert ingest.accept(step(4)) is Outcome.INGESTED


def test_a_damaged_own_log_is_said_and_the_rest_taken(bench, step, caplog):
    data = [encode(step(i), i) for i in range(4)]
    for i in range(4):
        bench.ingest.accept(step(i), data[i])
    (path,) = bench.folder.glob("*.mcap")
    content = bytearray(path.read_bytes())
    content[content.index(data[1]) + 100] ^= 1
    path.write_bytes(content[:-20])
    with caplog.at_level("INFO"):
        again = Bench(bench.folder)
    assert again.indices() == [0, 2]
    assert again.ingest.counts.lost == 1
    assert again.ingest.accept(step(3)) is Outcome.INGESTED
    assert "cut or damaged" in caplog.text


@pytest.mark.parametrize("robots", [("a1",), ("a1", "a2")])
def test_one_robot_or_several_are_restored_alike(tmp_path, step, robots):
    """Holes, doubles, misfits and skips of a log, worked by hand for each robot."""
    log = LogWriter(tmp_path, "ingest", {})
    for index in (0, 1, 1, 0, 2, 6, 7, 8):
        for robot in robots:
            if index == 6:  # 3 to 5 were passed over for good
                log.note("/skipped", {"robot": robot, "run": "run", "first": 3, "end": 6}, 0)
            shape = (12,) if index != 7 else (11,)
            made = replace(step(index, joint_pos=np.zeros(shape, np.float32)), robot=robot)
            log.append_transition(made, 0, 0)
    for robot in robots:
        note = {"robot": robot, "run": "run", "first": 9, "end": 11}
        log.note("/skipped", note, 0)
        log.append_transition(replace(step(13), robot=robot), 0, 0)
    log.close()
    taken: list[tuple[str, int]] = []
    ingest = Ingest(lambda s: taken.append((s.robot, s.index)), fits(SPEC))
    ingest.restore(LogReader(tmp_path, "ingest"))
    assert taken == [(robot, index) for index in (0, 1, 2, 6, 8, 13) for robot in robots]
    counts = {"ingested": 6, "duplicates": 0, "invalid": 1, "lost": 2}
    assert ingest.counts.as_dict() == {k: v * len(robots) for k, v in counts.items()}
    assert [ingest.next_index(robot, "run") for robot in robots] == [14] * len(robots)


def test_what_cannot_be_kept_is_not_taken(bench, step, monkeypatch):
    def full(handle: int, data) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(LogError):
            bench.ingest.accept(step(0))
        with pytest.raises(LogError):
            bench.ingest.accept(step(0, reward=np.array(np.nan, np.float32)))
    assert (bench.taken, bench.ingest.counts.invalid) == ([], 0)
    assert bench.ingest.accept(step(0)) is Outcome.INGESTED


class Wire:
    """A server on its socket and one robot's end."""

    def __init__(self, endpoints, bench: Bench, context: zmq.Context) -> None:
        self.server = IngestServer(endpoints, bench.ingest, context=context)
        self.robot: Port = open_sender(endpoints, "transitions", context)

    def exchange(self, *messages: bytes) -> list[Ack]:
        """Send, let the server take it all in, and return its answers."""
        for data in messages:
            for _ in range(500):
                if self.robot.send(data):
                    break
                self.robot.wait(0.01)
        handled = 0
        while handled < len(messages):
            assert self.server.wait(5.0)
            handled += self.server.poll()
        self.robot.wait(0.2)
        return [decode(data, Ack) for data in self.robot.take()]


@pytest.fixture
def wire(endpoints, bench, context) -> Wire:
    return Wire(endpoints, bench, context)


def test_the_server_acknowledges_what_it_holds(wire, bench, step):
    answers = wire.exchange(*(encode(step(i)) for i in range(5)))
    assert answers[-1] == Ack("a1", "run", 5, False)
    assert bench.indices() == list(range(5))


def test_the_server_tells_a_robot_where_to_go_on(wire, bench, step):
    assert wire.exchange(encode(Hello("a1", "run"))) == [Ack("a1", "run", 0, True)]
    early = wire.exchange(encode(step(3)), encode(Command(1, 2, 3, np.zeros(12))))
    assert early == [Ack("a1", "run", 0, True)]
    assert bench.taken == []
    assert wire.exchange(encode(Hole("a1", "run", 0, 3)), encode(step(3)))[-1].next_index == 4
    assert bench.indices() == [3]


def test_an_answer_to_several_messages_keeps_the_call_to_go_back(wire, step):
    answers = wire.exchange(encode(Hello("a1", "run")), encode(step(0)), encode(step(1)))
    assert any(ack.gap for ack in answers)
    assert answers[-1].next_index == 2


def test_bytes_that_are_no_transition_are_counted_and_survived(wire, bench, step):
    rng = np.random.default_rng(0)
    junk = [rng.bytes(int(n)) for n in rng.integers(0, 300, 40)]
    junk += [encode(Command(1, 2, 3, np.zeros(12))), encode(step(0))[:-1]]
    wire.exchange(*junk)
    assert bench.ingest.counts.invalid == len(junk)
    assert wire.exchange(encode(step(0)))[-1].next_index == 1


def test_a_full_disk_is_neither_acknowledged_nor_fatal(wire, bench, step, monkeypatch):
    def full(handle: int, data) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        assert wire.exchange(encode(step(0))) == []
        assert "No space left" in wire.server.fault
    assert wire.exchange(encode(step(0))) == [Ack("a1", "run", 1, False)]
    assert wire.server.fault == ""


def test_a_second_learner_is_refused(wire, endpoints, bench, context):
    with pytest.raises(EndpointInUse):
        IngestServer(endpoints, bench.ingest, context=context)


def test_polling_an_empty_socket_returns_at_once(wire):
    assert wire.server.poll() == 0
