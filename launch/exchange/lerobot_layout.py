"""Which column of a LeRobotDataset v3.0 holds what: ours in LeRobot's words.

    o_t, r_t, flags_t --(a_t)--> o_{t+1}, r_{t+1}, flags_{t+1}

A frame is a step of ours, closing steps included, so an episode has one frame more than actions; in
the closing frame the action is all zeros. LeRobot's names are given where it has some: float32
vectors of the observation stand side by side in `observation.state`, pictures in
`observation.images.NAME`, `action` is the chosen one, and `next.reward[t]` is r_{t+1}. What it has
no word for begins with `reverie.`. `meta/reverie.json` tells how to get back every array.

Source of the format: LeRobot 0.4.4, datasets/utils.py and datasets/lerobot_dataset.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from launch.exchange.outline import Outline
from robot.wire.transition import FLAGS, Transition

VERSION = "v3.0"
INFO = "meta/info.json"
STATE = "observation.state"
ABSENT = -(1 << 63)  # stands where a step lacks a stamp or a latency; columns have no gaps
STAMPS, LEDGERS = "reverie.stamps_ns", "reverie.ledger_ns"
COUNTERS = ("index", "step", "weights_version")
CHANNELS = (1, 2, 3, 4)  # what a PNG can hold
PICTURE_NAMES = ["height", "width", "channels"]
MOST_AXES = 5


def is_lerobot(folder: Path) -> bool:
    """Whether a folder looks like a LeRobotDataset."""
    return (folder / INFO).is_file()


@dataclass(frozen=True)
class Feature:
    """One column, as `meta/info.json` describes it.

    Args:
        dtype: NumPy's name, or "image" or "video".
        shape: of one value; (1,) for a scalar.
        names: of its numbers or axes.
    """

    dtype: str
    shape: tuple[int, ...]
    names: Sequence[str] | None = None

    @property
    def is_picture(self) -> bool:
        """Whether its values are pictures."""
        return self.dtype in ("image", "video")


@dataclass(frozen=True)
class Place:
    """Where an array of ours stands.

    Args:
        feature: name of the column.
        start: its first number in a flat value of the column.
        dtype: of the array.
        shape: of the array.
    """

    feature: str
    start: int
    dtype: str
    shape: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "shape": list(self.shape)}

    @property
    def stop(self) -> int:
        """Behind its last number."""
        return self.start + int(np.prod(self.shape, dtype=int))


@dataclass(frozen=True)
class Layout:
    """All columns of a data set that came from a log.

    Args:
        features: of our data, by name; LeRobot's own counters come on top.
        places: where each array of ours stands.
        stamps: names of capture stamps, in the order of the column.
        ledgers: names of latencies.
    """

    features: Mapping[str, Feature]
    places: Mapping[str, Place]
    stamps: Sequence[str]
    ledgers: Sequence[str]

    def values(self, steps: Sequence[Transition]) -> dict[str, np.ndarray]:
        """Columns of one episode without its pictures, (T, size) each."""
        flat: dict[str, list[np.ndarray]] = {}
        for key, place in self.places.items():
            if not self.features[place.feature].is_picture:
                column = np.stack([step.arrays[key] for step in steps])
                shown = column.view(np.int64) if column.dtype == np.uint64 else column
                flat.setdefault(place.feature, []).append(shown.reshape(len(steps), -1))
        told = {name: np.concatenate(parts, axis=1) for name, parts in flat.items()}
        return {**told, **self._next(steps), **self._book(steps)}

    def _next(self, steps: Sequence[Transition]) -> dict[str, np.ndarray]:
        """What comes of each action, as LeRobot's words have it; the closing frame ends too."""
        reward = [step.arrays["reward"] for step in steps]
        last, terminal = ([bool(s.arrays[name]) for s in steps] for name in FLAGS[1:])
        done = np.array(last[1:] + last[-1:])
        return {
            "next.reward": np.array([*reward[1:], 0.0], np.float32)[:, None],
            "next.done": done[:, None],
            "next.truncated": (done & ~np.array(terminal[1:] + terminal[-1:]))[:, None],
        }

    def _book(self, steps: Sequence[Transition]) -> dict[str, np.ndarray]:
        counters = {
            f"reverie.{name}": np.array([[getattr(s, name)] for s in steps], np.int64)
            for name in COUNTERS
        }
        told = {
            STAMPS: [[s.stamps_ns.get(name, ABSENT) for name in self.stamps] for s in steps],
            LEDGERS: [[s.ledger_ns.get(name, ABSENT) for name in self.ledgers] for s in steps],
        }
        tables = {name: np.array(rows, np.int64) for name, rows in told.items() if rows[0]}
        return {**counters, **tables, "reverie.valid": np.array([[s.valid] for s in steps])}


def make_layout(outline: Outline, picture: str) -> Layout:
    """Columns for a log.

    Args:
        outline: of the log.
        picture: "image", which is exact, or "video", for pictures of 1 or 3 channels.
    """
    features: dict[str, Feature] = {}
    places: dict[str, Place] = {}
    vectors = {key: form for key, form in outline.observation.items() if _is_vector(*form)}
    names: list[str] = []
    for key, (dtype, shape) in vectors.items():
        places[key] = Place(STATE, len(names), str(dtype), shape)
        names += [f"{key}.{i}" for i in range(int(np.prod(shape, dtype=int)))]
    if names:
        features[STATE] = Feature("float32", (len(names),), names)
    for key, (dtype, shape) in outline.form.items():
        if key in vectors:
            continue
        feature = _feature(dtype, shape, picture)
        name = _name(key, feature, key in outline.observation)
        while name in features:
            name += "_"
        features[name] = feature
        places[key] = Place(name, 0, str(dtype), shape)
    return Layout({**features, **_own(outline)}, places, outline.stamps, outline.ledgers)


def is_picture(dtype: np.dtype, shape: tuple[int, ...]) -> bool:
    """Whether an array is an (H, W, C) picture of bytes that a PNG can hold."""
    return dtype == np.uint8 and len(shape) == 3 and shape[2] in CHANNELS


def _is_vector(dtype: np.dtype, shape: tuple[int, ...]) -> bool:
    return dtype == np.float32 and len(shape) < 2 and 0 not in shape


def _feature(dtype: np.dtype, shape: tuple[int, ...], picture: str) -> Feature:
    if is_picture(dtype, shape):
        return Feature(picture if shape[2] in (1, 3) else "image", shape, PICTURE_NAMES)
    size = int(np.prod(shape, dtype=int))
    # LeRobot's loader refuses uint64 beyond int64: the same bits stand there as int64.
    dtype = np.dtype(np.int64) if dtype == np.uint64 else dtype
    return Feature(str(dtype), shape if 2 <= len(shape) <= MOST_AXES else (size,))


def _name(key: str, feature: Feature, observed: bool) -> str:
    key = key.replace("/", ".")
    if not observed:
        return key if key == "action" else f"reverie.{key}"
    if feature.is_picture and key != "image":
        return f"observation.images.{key.removeprefix('image_')}"
    return f"observation.{key}"


def array_name(feature: str) -> str:
    """Our key for a column of somebody else's data set, the way back from the names above."""
    key = feature.removeprefix("observation.")
    return f"image_{key.removeprefix('images.')}" if key.startswith("images.") else key


def _own(outline: Outline) -> dict[str, Feature]:
    tables = {STAMPS: outline.stamps, LEDGERS: outline.ledgers}
    return {
        "next.reward": Feature("float32", (1,)),
        "next.done": Feature("bool", (1,)),
        "next.truncated": Feature("bool", (1,)),
        **{f"reverie.{name}": Feature("int64", (1,)) for name in COUNTERS},
        **{name: Feature("int64", (len(t),), t) for name, t in tables.items() if t},
        "reverie.valid": Feature("bool", (1,)),
    }
