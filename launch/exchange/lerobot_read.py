"""Reads LeRobotDatasets v3.0, ours back to the last bit and those of others as they can be.

A data set that `reverie export` wrote gives back the very transitions. In one of others a frame
has what was seen, what was done, and what came of it; the state after the last action was not kept:

    frame t            o_t, a_t, next.reward[t], next.done[t]
    step t             o_t, a_t, reward next.reward[t-1]
    closing step T     o_{T-1} once more, no action, reward next.reward[T-1]

So no action and no reward is lost, at the price of one repeated observation. Keys lose LeRobot's
prefix: `observation.state` is `state`, `observation.images.front` is `image_front`. What is no
picture becomes a float32 vector, as in logs of ours; texts are left out. Actions stay in the
recorder's units. An episode counts as terminal where `next.done` is set and there
is a `next.truncated` that is not: `next.done` alone says no more than that a recording ended.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from launch.exchange.lerobot_layout import (
    ABSENT,
    COUNTERS,
    INFO,
    LEDGERS,
    STAMPS,
    VERSION,
    Feature,
    Place,
    array_name,
)
from robot.clock import NS
from robot.config import ConfigError
from robot.wire.transition import FLAGS, Transition

SEEN = "observation."
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


def lerobot_transitions(data: LeRobotFolder) -> Iterator[Transition]:
    """All steps of a data set, in its order.

    Raises:
        ConfigError: when a file is missing, or does not hold what it should.
    """
    read = _Ours(data.ours).steps if data.ours else _Others(data).steps
    for line, columns in data.episodes():
        yield from read(line, columns)


class _Ours:
    """The way back from the columns that `reverie export` made."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        arrays = {
            key: {**place, "shape": tuple(place["shape"])} for key, place in said["arrays"].items()
        }
        self._places = {key: Place(**place) for key, place in arrays.items()}
        self._names = {STAMPS: said["stamps"], LEDGERS: said["ledgers"]}

    def steps(
        self, line: Mapping[str, Any], columns: Mapping[str, np.ndarray]
    ) -> Iterator[Transition]:
        """Steps of one episode."""
        arrays = {key: self._array(columns[p.feature], p) for key, p in self._places.items()}
        counters = [columns[f"reverie.{name}"].tolist() for name in COUNTERS]
        valid = columns["reverie.valid"].tolist()
        for t, (index, step, version) in enumerate(zip(*counters, strict=True)):
            yield Transition(
                robot=line["reverie/robot"],
                run=line["reverie/run"],
                index=index,
                episode=line["reverie/episode"],
                step=step,
                weights_version=version,
                valid=valid[t],
                arrays={key: array[t] for key, array in arrays.items()},
                stamps_ns=self._told(STAMPS, columns, t),
                ledger_ns=self._told(LEDGERS, columns, t),
            )

    @staticmethod
    def _array(column: np.ndarray, place: Place) -> np.ndarray:
        if place.dtype == "uint8" and column.ndim == 4 and column.shape[1:] != place.shape:
            return column[..., : place.shape[2]]  # a film shows gray in three channels
        flat = column.reshape(len(column), -1)[:, place.start : place.stop]
        flat = np.ascontiguousarray(flat)
        flat = flat.view(np.uint64) if place.dtype == "uint64" else flat
        return flat.reshape(len(column), *place.shape)

    def _told(self, name: str, columns: Mapping[str, np.ndarray], t: int) -> dict[str, int]:
        if name not in columns:
            return {}
        row = np.atleast_1d(columns[name][t]).tolist()
        return {k: v for k, v in zip(self._names[name], row, strict=True) if v != ABSENT}


@dataclass
class _Others:
    """The way from a data set of others, as the module's picture shows it."""

    data: LeRobotFolder
    _index: int = 0

    def steps(
        self, line: Mapping[str, Any], columns: Mapping[str, np.ndarray]
    ) -> Iterator[Transition]:
        """Steps of one episode, and the closing one."""
        seen = {name: self._seen(name, c) for name, c in columns.items() if name.startswith(SEEN)}
        chosen = _vectors(columns["action"])
        length = len(chosen)
        action = np.concatenate([chosen, np.zeros_like(chosen[:1])])
        reward = np.zeros(length + 1, np.float32)
        if "next.reward" in columns:
            reward[1:] = columns["next.reward"]
        flags = np.zeros((length + 1, len(FLAGS)), bool)
        flags[0, 0], flags[-1, 1], flags[-1, 2] = True, True, _is_terminal(columns)
        for t in range(length + 1):
            arrays = {array_name(name): column[min(t, length - 1)] for name, column in seen.items()}
            arrays |= {"action": action[t], "applied": action[t], "reward": reward[t, ...]}
            arrays |= {name: flags[t, i, ...] for i, name in enumerate(FLAGS)}
            yield self._step(line["episode_index"], t, arrays)

    def _seen(self, name: str, column: np.ndarray) -> np.ndarray:
        return column if self.data.features[name].is_picture else _vectors(column)

    def _step(self, episode: int, t: int, arrays: Mapping[str, np.ndarray]) -> Transition:
        """One step; LeRobot holds all frames to lie 1 / fps apart, to a tenth of a millisecond."""
        index, self._index = self._index, self._index + 1
        run = self.data.folder.resolve().name
        place = (index, episode, t, 0, True)
        arrays = {key: np.asarray(array) for key, array in arrays.items()}
        stamps = {"tick": round(index / self.data.fps * NS)}
        return Transition(self.data.robot, run, *place, arrays, stamps)


def _vectors(column: np.ndarray) -> np.ndarray:
    """A column (T, ...) as (T, K) float32."""
    return column.reshape(len(column), -1).astype(np.float32)


def _is_terminal(columns: Mapping[str, np.ndarray]) -> bool:
    if "next.done" not in columns or "next.truncated" not in columns:
        return False
    return bool(columns["next.done"][-1]) and not bool(columns["next.truncated"][-1])
