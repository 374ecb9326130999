"""Writes a log as a LeRobotDataset v3.0, with pyarrow and PyAV alone.

Source of the format: LeRobot 0.4.4, datasets/lerobot_dataset.py and datasets/utils.py.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from launch.exchange.lerobot_layout import VERSION, Feature, Layout, make_layout
from launch.exchange.outline import Outline
from launch.exchange.stats import PictureStats, Stats
from robot.wire.transition import Transition

CHUNK = "chunk-{chunk_index:03d}/file-{file_index:03d}"
DATA = f"data/{CHUNK}.parquet"
VIDEO = f"videos/{{video_key}}/{CHUNK}.mp4"
EPISODES = f"meta/episodes/{CHUNK}.parquet"
FILES_PER_CHUNK, DATA_MB, VIDEO_MB = 1000, 100, 200
MIB = 1 << 20
COUNTERS = {
    "timestamp": Feature("float32", (1,)),
    **{
        name: Feature("int64", (1,))
        for name in ("frame_index", "episode_index", "index", "task_index")
    },
}
UNMEASURED = ("reverie.stamps_ns", "reverie.ledger_ns")
PICTURES = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@dataclass
class _Part:
    """Where files of one kind are: the present one's number, and what it holds so far."""

    number: int = 0
    held: int = 0

    @property
    def place(self) -> dict[str, int]:
        """Its chunk and file."""
        chunk, file = divmod(self.number, FILES_PER_CHUNK)
        return {"chunk_index": chunk, "file_index": file}

    def next(self) -> None:
        """Go on to a new file."""
        self.number, self.held = self.number + 1, 0


@dataclass
class _Camera:
    """The film of one camera, and what a present episode needs of it."""

    path: Path
    part: _Part = field(default_factory=_Part)
    film: Any = None


class LeRobotWriter:
    """Writes episodes of a log to a new folder.

    Args:
        folder: to be made.
        outline: of the log.
        pictures: "video", small; "lossless", films that are exact; "png", exact, in the tables.
    """

    def __init__(self, folder: Path, outline: Outline, pictures: str) -> None:
        self.folder, self.outline = folder, outline
        self.layout: Layout = make_layout(outline, "image" if pictures == "png" else "video")
        self.features = {**self.layout.features, **COUNTERS}
        self._exact = pictures == "lossless"
        self._data, self._frames = _Part(), 0
        self._table: pq.ParquetWriter | None = None
        self._file: Any = None
        self._rows: list[dict[str, Any]] = []
        videos = [name for name, f in self.features.items() if f.dtype == "video"]
        self._cameras = {name: _Camera(folder / "videos" / name) for name in videos}
        self._keys = {place.feature: key for key, place in self.layout.places.items()}
        self._stats: dict[str, Stats | PictureStats] = {
            name: (PictureStats if feature.is_picture else Stats)(outline.steps)
            for name, feature in self.features.items()
            if name not in UNMEASURED
        }
        (folder / "meta").mkdir(parents=True)

    def add(self, steps: Sequence[Transition]) -> None:
        """Append one episode; its data lie in one file of each kind."""
        columns = {**self.layout.values(steps), **self._counters(len(steps))}
        arrays = {name: to_arrow(columns[name], self.features[name]) for name in columns}
        films = {}
        for name, feature in self.features.items():
            if feature.is_picture:
                pictures = [step.arrays[self._keys[name]] for step in steps]
                if name in self._cameras:
                    films |= self._show(name, pictures)
                else:
                    arrays[name] = _pngs(pictures)
                for picture in pictures:
                    self._measure(name, picture)
        for name, column in columns.items():
            self._measure(name, column)
        place = self._put(pa.table(arrays))
        self._rows.append({**self._row(steps), **place, **films})
        self._frames += len(steps)

    def close(self) -> list[str]:
        """Finish all files and write what describes them."""
        for camera in self._cameras.values():
            if camera.film is not None:
                camera.film.close()
        self._end_table()
        self._write_episodes()
        _write_tasks(self.folder / "meta/tasks.parquet", self.outline.task)
        stats = {name: stats.report() for name, stats in self._stats.items()}
        _write_json(self.folder / "meta/stats.json", stats)
        _write_json(self.folder / "meta/info.json", self._info())
        _write_json(self.folder / "meta/reverie.json", self._reverie())
        return []

    def _counters(self, length: int) -> dict[str, np.ndarray]:
        frame = np.arange(length)[:, None]
        return {
            "timestamp": (frame / self.outline.hz).astype(np.float32),
            "frame_index": frame,
            "episode_index": np.full_like(frame, len(self._rows)),
            "index": self._frames + frame,
            "task_index": np.zeros_like(frame),
        }

    def _measure(self, name: str, values: np.ndarray) -> None:
        if name in self._stats:
            self._stats[name].add(values)

    def _put(self, table: pa.Table) -> dict[str, int]:
        """Write rows to the present data file; where they are."""
        if self._file is not None and self._file.tell() >= DATA_MB * MIB:
            self._end_table()
            self._data.next()
        if self._table is None:
            path = self.folder / DATA.format(**self._data.place)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "wb")
            # A dictionary would make one of all numbers that are not numbers.
            self._table = pq.ParquetWriter(
                self._file, table.schema, compression="zstd", use_dictionary=False
            )
        self._table.write_table(table)
        return {f"data/{key}": value for key, value in self._data.place.items()}

    def _end_table(self) -> None:
        if self._table is not None:
            self._table.close()
            self._file.close()
        self._table = self._file = None

    def _show(self, name: str, pictures: Sequence[np.ndarray]) -> dict[str, float]:
        """Append to a camera's film; where the episode is in it."""
        from launch.exchange.films import Film

        camera, hz = self._cameras[name], self.outline.hz
        if camera.film is not None and camera.film.path.stat().st_size >= VIDEO_MB * MIB:
            camera.film.close()
            camera.film = None
            camera.part.next()
        if camera.film is None:
            path = self.folder / VIDEO.format(video_key=name, **camera.part.place)
            height, width, _ = pictures[0].shape
            camera.film = Film(path, hz, (height, width), self._exact)
        begin = camera.film.count
        for picture in pictures:
            camera.film.add(picture)
        place: dict[str, float] = {**camera.part.place}
        place |= {"from_timestamp": begin / hz, "to_timestamp": camera.film.count / hz}
        return {f"videos/{name}/{key}": value for key, value in place.items()}

    def _row(self, steps: Sequence[Transition]) -> dict[str, Any]:
        first = steps[0]
        return {
            "episode_index": len(self._rows),
            "tasks": [self.outline.task],
            "length": len(steps),
            "dataset_from_index": self._frames,
            "dataset_to_index": self._frames + len(steps),
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
            "reverie/robot": first.robot,
            "reverie/run": first.run,
            "reverie/episode": first.episode,
        }

    def _write_episodes(self) -> None:
        path = self.folder / EPISODES.format(chunk_index=0, file_index=0)
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self._rows), path)

    def _info(self) -> dict[str, Any]:
        hz = self.outline.hz
        return {
            "codebase_version": VERSION,
            "robot_type": self._rows[0]["reverie/robot"],
            "total_episodes": len(self._rows),
            "total_frames": self._frames,
            "total_tasks": 1,
            "chunks_size": FILES_PER_CHUNK,
            "data_files_size_in_mb": DATA_MB,
            "video_files_size_in_mb": VIDEO_MB,
            "fps": int(hz) if hz == int(hz) else hz,
            "splits": {"train": f"0:{len(self._rows)}"},
            "data_path": DATA,
            "video_path": VIDEO if self._cameras else None,
            "features": {name: self._described(name, f) for name, f in self.features.items()},
        }

    def _described(self, name: str, feature: Feature) -> dict[str, Any]:
        names = None if feature.names is None else list(feature.names)
        said = {"dtype": feature.dtype, "shape": list(feature.shape), "names": names}
        if name not in self._cameras:
            return said
        from launch.exchange.films import describe

        film = self.folder / VIDEO.format(video_key=name, chunk_index=0, file_index=0)
        return {**said, "info": describe(film)}

    def _reverie(self) -> dict[str, Any]:
        """What LeRobot's files cannot say of our log."""
        return {
            "format": 1,
            "about": dict(self.outline.about),
            "arrays": {key: place.as_dict() for key, place in self.layout.places.items()},
            "stamps": list(self.layout.stamps),
            "ledgers": list(self.layout.ledgers),
        }


def to_arrow(values: np.ndarray, feature: Feature) -> pa.Array:
    """A column of (T, size) numbers, as scalars or as lists of the feature's shape."""
    flat = pa.array(np.ascontiguousarray(values).ravel())
    if feature.shape == (1,):
        return flat
    for size in reversed(feature.shape[1:]):
        ends = np.arange(0, len(flat) + 1, size, dtype=np.int32)
        flat = pa.ListArray.from_arrays(pa.array(ends), flat)
    if len(feature.shape) > 1:
        ends = np.arange(0, len(flat) + 1, feature.shape[0], dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(ends), flat)
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _pngs(pictures: Sequence[np.ndarray]) -> pa.Array:
    """A column of pictures as LeRobot's loader reads them."""
    rows = []
    for picture in pictures:
        stream = io.BytesIO()
        plain = picture[..., 0] if picture.shape[2] == 1 else picture
        Image.fromarray(plain).save(stream, "PNG", compress_level=1)
        rows.append({"bytes": stream.getvalue(), "path": None})
    return pa.array(rows, PICTURES)


def _write_tasks(path: Path, task: str) -> None:
    """The table of tasks as pandas would write it: the index is the task's words."""
    index = "__index_level_0__"
    columns = [
        {"name": "task_index", "field_name": "task_index", "pandas_type": "int64"},
        {"name": None, "field_name": index, "pandas_type": "unicode"},
    ]
    types = ("int64", "object")
    said = {
        "index_columns": [index],
        "column_indexes": [],
        "columns": [
            {**c, "numpy_type": t, "metadata": None} for c, t in zip(columns, types, strict=True)
        ],
        "pandas_version": "2.2.0",
    }
    table = pa.table({"task_index": pa.array([0], pa.int64()), index: [task]})
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(said)}), path)


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=4))
