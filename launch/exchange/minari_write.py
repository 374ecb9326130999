"""Writes a log as a data set of Minari: episodes as Gymnasium tells them, pictures uncompressed.

`minari.MinariDataset("OUT/data")` opens it. T actions stand between T+1 observations, as in
`launch.exchange.arrays_write`; what Gymnasium has no word for is left out here. An episode of a
single observation is left out too, for Minari has none without an action.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import gymnasium as gym
import minari  # pyright: ignore[reportMissingImports]
import numpy as np
from minari.data_collector import EpisodeBuffer  # pyright: ignore[reportMissingImports]
from minari.dataset.minari_storage import MinariStorage  # pyright: ignore[reportMissingImports]

from launch.exchange.arrays_write import gymnasium_arrays
from launch.exchange.outline import Outline
from robot.wire.transition import Transition


class MinariWriter:
    """Writes episodes to OUT/data, an Arrow file each.

    Args:
        folder: to be made.
        name: of the data set; a version is put behind it where it has none.
        outline: of the log.
    """

    def __init__(self, folder: Path, name: str, outline: Outline) -> None:
        folder.mkdir()
        folder = folder.resolve()  # its storage goes astray below a relative one
        self._outline = outline
        self._name = name if re.search(r"-v\d+$", name) else f"{name}-v0"
        seen = {key: _space(*form) for key, form in outline.observation.items()}
        self._storage = MinariStorage.new(
            folder / "data",
            gym.spaces.Dict(seen),
            _space(*outline.form["action"]),
            data_format="arrow",
            jpeg_encoding=False,
        )

    def add(self, steps: Sequence[Transition]) -> None:
        """Write one episode."""
        if len(steps) < 2:
            return
        arrays = gymnasium_arrays(steps, self._outline)
        episode = EpisodeBuffer(
            observations={key: arrays[f"observations/{key}"] for key in self._outline.observation},
            actions=arrays["actions"],  # pyright: ignore[reportArgumentType]
            rewards=arrays["rewards"].tolist(),
            terminations=arrays["terminations"].tolist(),
            truncations=arrays["truncations"].tolist(),
        )
        self._storage.update_episodes([episode])

    def close(self) -> list[str]:
        """Write what Minari must know of the whole."""
        said = {"dataset_id": self._name, "minari_version": minari.__version__}
        said |= {"description": f"{self._outline.task}, {self._outline.hz:g} Hz, logged by Reverie"}
        self._storage.update_metadata(said)
        return []


def _space(dtype: np.dtype, shape: tuple[int, ...]) -> gym.Space:
    """A space of any values that an array can have: a log does not tell bounds."""
    if dtype == np.bool_:
        return gym.spaces.Box(0, 1, shape, np.bool_)  # pyright: ignore  # its types forget bool
    if dtype.kind == "f":
        return gym.spaces.Box(-np.inf, np.inf, shape, dtype.type)
    ends = np.iinfo(dtype)
    return gym.spaces.Box(ends.min, ends.max, shape, dtype.type)
