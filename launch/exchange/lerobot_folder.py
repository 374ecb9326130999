"""The files of a LeRobotDataset v3.0, read episode by episode.

Source of the format: LeRobot 0.4.4, datasets/lerobot_dataset.py and datasets/utils.py.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from launch.exchange.lerobot_layout import INFO, VERSION, Feature
from robot.config import ConfigError

OURS, STATS = "meta/reverie.json", "meta/stats.json"


class LeRobotFolder:
    """A data set on this computer.

    Attributes:
        fps: frames per second.
        features: columns by name.
        length: how many frames there are.
        ours: what `reverie export` noted beside it; empty for those of others.
        stats: of the columns; empty where there are none.
    """

    def __init__(self, folder: Path) -> None:
        """Open it.

        Raises:
            ConfigError: when it is none, of another version, or lacks what it must have.
        """
        self.folder = folder
        info = _read_json(folder / INFO)
        if not str(info.get("codebase_version", "")).startswith(VERSION.split(".")[0]):
            found = info.get("codebase_version")
            raise ConfigError(f"{folder}: codebase_version {found}; only {VERSION} is read")
        try:
            self.fps = float(info["fps"])
            self.length = int(info["total_frames"])
            self.robot = str(info.get("robot_type") or "lerobot")
            self._data, self._video = str(info["data_path"]), str(info.get("video_path"))
            self.features = {
                name: Feature(said["dtype"], tuple(said["shape"]), said.get("names"))
                for name, said in info["features"].items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"{folder / INFO}: lacks or garbles {error}") from error
        self.ours = _read_json(folder / OURS) if (folder / OURS).exists() else {}
        self.stats = _read_json(folder / STATS) if (folder / STATS).exists() else {}
        if not self.ours and "action" not in self.features:
            names = ", ".join(self.features)
            raise ConfigError(f"{folder}: has no column 'action'; there are {names}")
        self._films = {
            name: _FilmCursor() for name, f in self.features.items() if f.dtype == "video"
        }
        self._table: tuple[Path, pa.Table] | None = None

    def episodes(self) -> Iterator[tuple[dict[str, Any], Mapping[str, np.ndarray]]]:
        """Each episode's line, and its columns: (T, ...) numbers, or (T, H, W, C) bytes.

        Raises:
            ConfigError: when a file is missing or does not hold what its line says.
        """
        paths = sorted((self.folder / "meta/episodes").glob("*/*.parquet"))
        if not paths:
            raise ConfigError(f"{self.folder}: has no meta/episodes")
        for path in paths:
            table = pq.read_table(path)
            kept = [name for name in table.column_names if not name.startswith("stats/")]
            for line in table.select(kept).to_pylist():
                try:
                    columns = self._columns(line)
                except KeyError as error:
                    raise ConfigError(f"{path}: or what it names lacks {error}") from error
                yield line, columns

    def _columns(self, line: dict[str, Any]) -> dict[str, np.ndarray]:
        number, length = line["episode_index"], line["length"]
        path = self.folder / self._data.format(**_place(line, "data/"))
        if self._table is None or self._table[0] != path:
            self._table = (path, _read_table(path))
        table = self._table[1]
        begin = int(np.searchsorted(table["episode_index"].to_numpy(), number))
        rows = table.slice(begin, length)
        if set(rows["episode_index"].to_pylist()) != {number} or len(rows) != length:
            raise ConfigError(f"{path}: does not hold the {length} frames of episode {number}")
        columns = {}
        for name, feature in self.features.items():
            if feature.dtype == "image":
                columns[name] = np.stack([self._picture(row) for row in rows[name].to_pylist()])
            elif feature.dtype == "video":
                columns[name] = self._film(name, line)
            elif feature.dtype != "string":
                columns[name] = _numbers(rows[name], feature)
        return columns

    def _picture(self, cell: Mapping[str, Any]) -> np.ndarray:
        data = cell["bytes"] or (self.folder / cell["path"]).read_bytes()
        picture = np.asarray(Image.open(io.BytesIO(data)))
        return picture[..., None] if picture.ndim == 2 else picture

    def _film(self, name: str, line: Mapping[str, Any]) -> np.ndarray:
        prefix = f"videos/{name}/"
        path = self.folder / self._video.format(video_key=name, **_place(line, prefix))
        begin_s = line[f"{prefix}from_timestamp"] - 0.5 / self.fps
        return self._films[name].read(path, begin_s, line["length"])


def _place(line: Mapping[str, Any], prefix: str) -> dict[str, int]:
    return {key: int(line[f"{prefix}{key}"]) for key in ("chunk_index", "file_index")}


class _FilmCursor:
    """Goes once through the films of a camera, in the order of episodes."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._frames: Iterator[tuple[float, np.ndarray]] = iter(())

    def read(self, path: Path, begin_s: float, count: int) -> np.ndarray:
        """Pictures (count, H, W, 3) from the first one after `begin_s` on."""
        from launch.exchange.films import frames

        if path != self._path:
            self._path, self._frames = path, frames(path)
        found: list[np.ndarray] = []
        for time_s, picture in self._frames:
            if time_s >= begin_s:
                found.append(picture)
            if len(found) == count:
                return np.stack(found)
        raise ConfigError(f"{path}: ends {count - len(found)} pictures too early")


def _numbers(column: pa.ChunkedArray, feature: Feature) -> np.ndarray:
    """A column (T, ...) of the feature's shape; (T,) for a scalar."""
    flat = column.combine_chunks()
    rows = len(flat)
    while pa.types.is_nested(flat.type):
        flat = flat.flatten()
    values = flat.to_numpy(zero_copy_only=False).astype(feature.dtype, copy=False)
    return values.reshape(rows, *(feature.shape if feature.shape != (1,) else ()))


def _read_table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: is no table of names")
    return data
