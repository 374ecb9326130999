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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from launch.exchange.lerobot_folder import LeRobotFolder
from launch.exchange.lerobot_layout import ABSENT, COUNTERS, LEDGERS, STAMPS, Place, array_name
from robot.clock import NS
from robot.wire.transition import FLAGS, Transition

SEEN = "observation."


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
