"""How much a robot logs, how fast the log is written, and how fast hours of it are read again.

Times are computing time of one thread, in which other work on the computer does not count, unless
a name says wall.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from launch.compose import plan_spec
from launch.lockstep import LockstepRun
from launch.run_folder import Plan, RunFolder
from launch.speeds import timed
from launch.summary import peak_rss_mb
from learner.train.replay import Replay
from learner.train.sampling import UniformChunks
from robot.policy.journal import LOG_NAME
from robot.wire.codec import encode, unpack
from robot.wire.envelopes import messages
from robot.wire.index import LogIndex
from robot.wire.log import Form, LogReader, LogWriter, log_files
from robot.wire.log.names import ENCODING
from robot.wire.scan import FileScan
from robot.wire.transition import Transition

HOURS = 10.0
MINUTES = 1.0
CHUNK = 64
COMPARED = 2000  # transitions that are decoded one by one, to compare
NEVER = 1 << 60  # steps before anything is learnt


@dataclass(frozen=True)
class Record:
    """One record, ready to be written again."""

    topic: str
    form: Form
    data: bytes
    stamp_ns: int
    sequence: int


@dataclass
class Spent:
    """Time that something took, in s."""

    computing_s: float = 0.0
    wall_s: float = 0.0


def log_speed(plan: Plan, seconds: float) -> dict[str, Any]:
    """Figures of logs, JSON-ready.

    A minute is recorded on the twin, in lock-step and with random actions, by what records any run:
    sensors, commands, ticks, pictures of all cameras, copies for viewers. What is read are hours of
    transitions alone, as a learner keeps them: those of that minute, numbered on.

    Args:
        plan: of a robot.
        seconds: how long chunks are read at random.
    """
    with tempfile.TemporaryDirectory(prefix="reverie-") as folder:
        minute = record(plan, RunFolder(Path(folder) / "run"))
        steps = list(LogReader(minute, LOG_NAME).transitions())
        figures = _writing(minute, len(steps) / plan.control_hz, Path(folder) / "copy")
        with spending() as spent:
            LogIndex(log_files(minute, LOG_NAME)).close()
        figures["index_recorded_minute_ms"] = spent.computing_s * 1e3 / MINUTES
        count = round(HOURS * 3600 * plan.control_hz)
        with spending() as spent:
            repeat(steps, count, Path(folder) / "long")
        figures |= {"hours": HOURS, "append_transition_us": spent.computing_s / count * 1e6}
        figures |= _reading(plan, Path(folder) / "long", seconds)
    return {**figures, "peak_rss_mb": peak_rss_mb()}


@contextmanager
def spending() -> Iterator[Spent]:
    """Measure what is done inside."""
    spent = Spent()
    computing, wall = time.thread_time(), time.perf_counter()
    yield spent
    spent.computing_s = time.thread_time() - computing
    spent.wall_s = time.perf_counter() - wall


def record(plan: Plan, folder: RunFolder) -> Path:
    """Record `MINUTES` of a run that does not learn, its cameras too; the folder of its log."""
    cameras = plan.robot.cameras.items()
    logged = {name: camera.model_copy(update={"logged": "png"}) for name, camera in cameras}
    robot = plan.robot.model_copy(update={"cameras": logged})
    settings = plan.settings.model_copy(update={"prefill": NEVER})
    plan = replace(plan, robot=robot, settings=settings)
    folder.claim(plan)
    run = LockstepRun(plan, folder)
    try:
        run.run(MINUTES, lambda: False, lambda view: None)
    finally:
        run.close()
    return folder.log


def repeat(steps: list[Transition], count: int, folder: Path) -> None:
    """Write a log of `count` transitions, which are these again and again, numbered on."""
    log = LogWriter(folder, LOG_NAME, {})
    episodes, length_ns = steps[-1].episode + 1, steps[-1].stamps_ns["tick"]
    for index in range(count):
        turn, at = divmod(index, len(steps))
        step = steps[at]
        stamps = {key: stamp + turn * length_ns for key, stamp in step.stamps_ns.items()}
        here = replace(step, index=index, episode=step.episode + turn * episodes, stamps_ns=stamps)
        log.append_transition(here, 0, stamps["tick"])
    log.close()


def _writing(minute: Path, length_s: float, target: Path) -> dict[str, Any]:
    """Size of what was recorded, and how fast it is packed and written anew."""
    files = log_files(minute, LOG_NAME)
    records = [record for path in files for record in _records(path)]
    topics: Counter[str] = Counter()
    for each in records:
        topics[each.topic] += len(each.data)
    log = LogWriter(target, LOG_NAME, {})
    unpacked = [unpack(r.data) if r.form.encoding == ENCODING else None for r in records]
    with spending() as spent:
        for each, ours in zip(records, unpacked, strict=True):
            data = each.data
            if ours is not None:
                head, message = ours
                data = encode(message, head.sequence, head.sent_ns, head.monotonic_ns)
            log.write(each.topic, each.form, data, each.stamp_ns, each.sequence)
        log.close()
    minutes = length_s / 60
    return {
        "bytes_per_minute": round(sum(path.stat().st_size for path in files) / minutes),
        "by_topic": {topic: round(size / minutes) for topic, size in sorted(topics.items())},
        "write_x_realtime": length_s / spent.computing_s,
    }


def _records(path: Path) -> Iterator[Record]:
    scan = FileScan(path)
    for portion in scan.portions():
        at, _ = messages(portion)
        for head, start, total in zip(portion.heads, at.start, at.total, strict=True):
            channel = scan.channels[int(head["channel"])]
            schema = scan.schemas[channel.schema_id]
            form = Form(
                schema.name, schema.encoding, schema.data.decode(), channel.message_encoding
            )
            data = portion.data[start : start + total].tobytes()
            yield Record(channel.topic, form, data, int(head["log_ns"]), int(head["sequence"]))


def _reading(plan: Plan, folder: Path, seconds: float) -> dict[str, Any]:
    """Index, chunks at random places, and all of it into a replay that keeps every key."""
    files = log_files(folder, LOG_NAME)
    with spending() as slow:
        count = sum(1 for _ in islice(LogReader(folder, LOG_NAME).transitions(), COMPARED))
    replay = Replay(plan_spec(plan), round(HOURS * 3600 * plan.control_hz), UniformChunks(), 0)
    with spending() as load:
        with spending() as indexing:
            index = LogIndex(files)
        for step in index.transitions():
            replay.add(step)
    windows, rng = index.windows(CHUNK), np.random.default_rng(plan.seed)

    def chunk() -> None:
        index.read(int(rng.choice(windows)), CHUNK)

    taken_ms = timed(chunk, seconds, clock_ns=time.thread_time_ns) * 1e3
    with index:
        rows = index.rows.nbytes
    return {
        "transitions": len(replay),
        "log_mb": sum(path.stat().st_size for path in files) / 1e6,
        "index_s": indexing.computing_s,
        "index_mb": rows / 1e6,
        "random_chunk_ms": float(np.median(taken_ms)),
        "random_chunk_p99_ms": float(np.percentile(taken_ms, 99)),
        "load_10h_s": load.computing_s * 10 / HOURS,
        "load_10h_wall_s": load.wall_s * 10 / HOURS,
        "decode_us": slow.computing_s / count * 1e6,
        "index_us": indexing.computing_s / len(index) * 1e6,
        "replay_mb": replay.bytes_bound / 1e6,
    }
