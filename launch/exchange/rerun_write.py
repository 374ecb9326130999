"""Writes a log as a recording of rerun: cameras, joints, actions, rewards and terms over time.

Timelines are `step`, the index in the run, and `tick`, the stamp of each control tick in ns on the
robot's clock. Entities, below ROBOT/RUN where a log has several streams:

    camera/NAME             pictures as PNG; channels beyond three as NAME/channel_3, ...; those of
                            a camera that the policy does not observe as they were logged, at `tick`
    observation/KEY         each number of a vector
    action, applied, reward, is_first, is_last, is_terminal, valid, weights_version, episode
    ledger_ns/NAME          latencies
    episode/NAME            the journal's line at the end of an episode: means of its terms
    term/NAME               terms of each step, where the log has `/step`
    about/NAME              what the log says of itself

Rerun keeps numbers as float64: those of float32 and whole numbers up to 2^53 are exact.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import rerun as rr  # pyright: ignore[reportMissingImports]
from mcap.exceptions import McapError
from mcap.records import Schema
from mcap.stream_reader import StreamReader
from PIL import Image

from launch.exchange.lerobot_layout import is_picture
from launch.exchange.outline import Outline
from launch.exchange.snapshots import Snapshot
from launch.exchange.source import Source
from robot.clock import NS
from robot.wire.log import LogFile
from robot.wire.log.names import FRAMES
from robot.wire.transition import Transition

STEP, STEP_SCHEMA = "/step", "reverie_msgs/msg/Step"
STAMP = np.dtype([("s", "<i4"), ("ns", "<u4")])
CDR_HEAD = 4
ROWS = 1000
PICTURES = 64
T = TypeVar("T")


class RerunWriter:
    """Writes episodes to one .rrd file.

    Args:
        path: of the file.
        source: of the log.
        outline: of the log.

    Attributes:
        recording: that is written.
    """

    def __init__(self, path: Path, source: Source, outline: Outline) -> None:
        self._source, self._outline = source, outline
        name = outline.streams[0][1]
        self.recording = rr.RecordingStream("reverie", recording_id=name)
        self.recording.save(path)
        for key, text in outline.about.items():
            kind = "text/plain" if key != "plan" else "application/json"
            self.recording.log(f"about/{key}", rr.TextDocument(text, media_type=kind), static=True)

    def add(self, steps: Sequence[Transition]) -> None:
        """Write one episode."""
        at, times = self.at(steps[0].stream), times_of(steps)
        arrays = {key: np.stack([s.arrays[key] for s in steps]) for key in self._outline.form}
        for key, values in arrays.items():
            if is_picture(values.dtype, values.shape[1:]):
                self.show(f"{at}camera/{key.removeprefix('image_')}", steps, values)
            else:
                seen = "observation/" if key in self._outline.observation else ""
                self.plot(f"{at}{seen}{key}", times, values)
        for name in ("valid", "weights_version", "episode"):
            self.plot(at + name, times, np.array([getattr(s, name) for s in steps]))
        for name in self._outline.ledgers:
            told = [s for s in steps if name in s.ledger_ns]
            values = np.array([s.ledger_ns[name] for s in told])
            self.plot(f"{at}ledger_ns/{name}", times_of(told), values)

    def close(self) -> list[str]:
        """Write the journal's lines and the terms of each step, and finish the file."""
        for stream in self._outline.streams:
            lines = [(step, line) for step, line in self._outline.lines if step.stream == stream]
            for name in sorted({name for _, line in lines for name in line}):
                told = [(s, n[name]) for s, n in lines if isinstance(n.get(name), int | float)]
                path, values = f"{self.at(stream)}episode/{name}", np.array([v for _, v in told])
                self.plot(path, times_of([step for step, _ in told]), values)
        for path in self._source.files:
            self._terms(path)
            self._snapshots(path)
        self.recording.flush()
        self.recording.disconnect()
        return []

    def at(self, stream: tuple[str, str]) -> str:
        """What stands before all paths of a stream."""
        if len(self._outline.streams) < 2:
            return ""
        return "".join(f"{rr.escape_entity_path_part(part)}/" for part in stream)

    def plot(self, path: str, times: list[rr.TimeColumn], values: np.ndarray) -> None:
        """Write every number of rows (N, ...) at N times."""
        rows = values.reshape(len(values), -1).astype(np.float64)
        if rows.size:
            sizes = [rows.shape[1]] * len(rows)
            columns = rr.Scalars.columns(scalars=rows.ravel()).partition(sizes)
            self.recording.send_columns(path, times, columns)

    def show(self, path: str, steps: Sequence[Transition], pictures: np.ndarray) -> None:
        """Write pictures (T, H, W, C) of T steps."""
        for name, part in _planes(path, pictures):
            for chunk in _portions(range(len(steps)), PICTURES):
                blobs = [_png(part[t]) for t in chunk]
                columns = rr.EncodedImage.columns(blob=blobs, media_type=["image/png"] * len(chunk))
                times = times_of([steps[t] for t in chunk])
                self.recording.send_columns(name, times, columns)

    def _terms(self, path: Path) -> None:
        """Terms of each step of one file; its schema names them."""
        names = step_fields(path)
        if not names:
            return
        records = LogFile(path).records(topics=(STEP,))
        for chunk in _portions(records, ROWS):
            table = np.stack(
                [np.frombuffer(r.data, "<f8", offset=len(r.data) - 8 * len(names)) for r in chunk]
            )
            stamps = np.array([np.frombuffer(r.data, STAMP, 1, CDR_HEAD)[0] for r in chunk])
            ticks = stamps["s"].astype(np.int64) * NS + stamps["ns"]
            times = _columns([r.sequence for r in chunk], ticks.tolist())
            for column, name in enumerate(names):
                if name.startswith("term_"):
                    self.plot(f"term/{name.removeprefix('term_')}", times, table[:, column])

    def _snapshots(self, path: Path) -> None:
        """Pictures of cameras that no step of one file shows."""
        frames = (r for r in LogFile(path).records() if r.topic.startswith(f"{FRAMES}/"))
        for one in map(Snapshot.read, frames):
            if f"image_{one.camera}" not in self._outline.form:
                media = [f"image/{one.kind}"]
                columns = rr.EncodedImage.columns(blob=[one.data], media_type=media)
                times = _columns(None, [one.stamp_ns])
                self.recording.send_columns(f"camera/{one.camera}", times, columns)


def step_fields(path: Path) -> list[str]:
    """Names of the figures in a file's `/step`, in their order; empty where it has none."""
    with (
        open(path, "rb") as file,
        suppress(McapError),
    ):  # a cut file ends in the middle of something
        for record in StreamReader(file).records:
            if isinstance(record, Schema) and record.name == STEP_SCHEMA:
                text = record.data.decode().partition("\n===")[0]
                return re.findall(r"^float64 (\w+)$", text, re.M)
    return []


def _portions(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while portion := list(islice(left, size)):
        yield portion


def _planes(path: str, pictures: np.ndarray) -> Iterable[tuple[str, np.ndarray]]:
    """Pictures (T, H, W, C) as such of one or three channels, with the paths to show them at."""
    shown = 3 if pictures.shape[3] >= 3 else 1
    yield path, pictures[..., :shown]
    for channel in range(shown, pictures.shape[3]):
        yield f"{path}/channel_{channel}", pictures[..., channel : channel + 1]


def _png(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    plain = picture[..., 0] if picture.shape[2] == 1 else picture
    Image.fromarray(np.ascontiguousarray(plain)).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def times_of(steps: Sequence[Transition]) -> list[rr.TimeColumn]:
    """Steps on all timelines."""
    ticks = [step.stamps_ns.get("tick") for step in steps]
    known = [tick for tick in ticks if tick is not None]
    return _columns([step.index for step in steps], known if len(known) == len(ticks) else None)


def _columns(indices: Sequence[int] | None, ticks: Sequence[int] | None) -> list[rr.TimeColumn]:
    columns = [] if indices is None else [rr.TimeColumn("step", sequence=indices)]
    if ticks is not None:
        spans = np.array(ticks, "timedelta64[ns]")
        columns.append(rr.TimeColumn("tick", duration=spans))
    return columns
