"""Writes a log as npz files, one per episode: in Gymnasium's way, or in DayDreamer's.

Gymnasium's way (`ArraysWriter`), T actions between T+1 observations:

    observations/KEY   (T+1, ...)    o_0 ... o_T
    actions            (T, A)        a_t, chosen after o_t; `applied` is what was really sent
    rewards            (T,)          r_{t+1}, which came with o_{t+1}
    terminations, truncations (T,)   what o_{t+1} was; an episode that was cut ends truncated

Under `log/` stands what Gymnasium has no word for, (T+1,) each: `reward` as sensed with each
observation, the flags, `valid`, `index`, `step`, `weights_version`, `stamps_ns/NAME` and
`ledger_ns/NAME` (the smallest int64 where a step lacks one). The action after the last observation
is none (zeros), except in an episode that was cut: it is in `log/last_action` and
`log/last_applied`. So no number is lost.

DayDreamer's way (`DayDreamerWriter`), as its replay keeps episodes on disk: T+1 records of every
key, (T+1, ...) each, in a file named TIME-ID-lenN-rewR.npz: the observation's keys, `reward`,
`is_first`, `is_last`, `is_terminal`, `reset`, and the `action` that led to the record, which is one
earlier than ours:

    ours      o_0, a_0      o_1, a_1      o_2, none
    theirs    0, o_0        a_0, o_1      a_1, o_2

Source: danijar/daydreamer, embodied/core/driver.py and embodied/replay/store.py.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from launch.exchange.lerobot_layout import ABSENT, COUNTERS
from launch.exchange.outline import Outline
from robot.clock import NS
from robot.wire.transition import FLAGS, Transition

Arrays = dict[str, np.ndarray]


def stacked(steps: Sequence[Transition]) -> Arrays:
    """All arrays of an episode's steps, (T+1, ...) each."""
    return {key: np.stack([step.arrays[key] for step in steps]) for key in steps[0].arrays}


def gymnasium_arrays(steps: Sequence[Transition], outline: Outline) -> Arrays:
    """One episode as the module tells it."""
    all_steps = stacked(steps)
    last, terminal = all_steps["is_last"][1:].copy(), all_steps["is_terminal"][1:]
    last[-1:] = True
    return {
        **{f"observations/{key}": all_steps[key] for key in outline.observation},
        "actions": all_steps["action"][:-1],
        "applied": all_steps["applied"][:-1],
        "rewards": all_steps["reward"][1:],
        "terminations": terminal,
        "truncations": last & ~terminal,
        **{f"log/{key}": all_steps[key] for key in ("reward", *FLAGS)},
        **{f"log/last_{key}": all_steps[key][-1] for key in ("action", "applied")},
        **{f"log/{key}": value for key, value in _book(steps, outline).items()},
    }


def _book(steps: Sequence[Transition], outline: Outline) -> Arrays:
    counters = {n: np.array([getattr(s, n) for s in steps], np.int64) for n in COUNTERS}
    stamps = {
        f"stamps_ns/{n}": np.array([s.stamps_ns.get(n, ABSENT) for s in steps], np.int64)
        for n in outline.stamps
    }
    ledgers = {
        f"ledger_ns/{n}": np.array([s.ledger_ns.get(n, ABSENT) for s in steps], np.int64)
        for n in outline.ledgers
    }
    return {**counters, "valid": np.array([s.valid for s in steps]), **stamps, **ledgers}


class ArraysWriter:
    """Writes episodes to episode-NNNNNN.npz, and what they are to about.json.

    Args:
        folder: to be made.
        outline: of the log.
    """

    def __init__(self, folder: Path, outline: Outline) -> None:
        folder.mkdir()
        self.folder, self.outline = folder, outline
        self._episodes: list[dict[str, object]] = []

    def add(self, steps: Sequence[Transition]) -> None:
        """Write one episode."""
        path = self.folder / f"episode-{len(self._episodes):06d}.npz"
        write_npz(path, gymnasium_arrays(steps, self.outline))
        first = steps[0]
        line = {"robot": first.robot, "run": first.run, "episode": first.episode}
        self._episodes.append({"file": path.name, "actions": len(steps) - 1, **line})

    def close(self) -> list[str]:
        """Write about.json: rate, task, the log's own words, and a line per episode."""
        said = {"hz": self.outline.hz, "task": self.outline.task, "about": dict(self.outline.about)}
        data = {**said, "absent": ABSENT, "episodes": self._episodes}
        (self.folder / "about.json").write_text(json.dumps(data, indent=1))
        return []


class DayDreamerWriter:
    """Writes episodes into a folder that DayDreamer's replay takes up when it starts.

    It knows no invalid steps: an episode that holds one is left out.

    Args:
        folder: to be made.
        outline: of the log.
    """

    def __init__(self, folder: Path, outline: Outline) -> None:
        folder.mkdir()
        self._folder, self._left_out = folder, 0

    def add(self, steps: Sequence[Transition]) -> None:
        """Write one episode."""
        if not all(step.valid for step in steps):
            self._left_out += 1
            return
        arrays = {k: v for k, v in stacked(steps).items() if k != "applied"}
        action = arrays["action"]
        arrays["action"] = np.concatenate([np.zeros_like(action[:1]), action[:-1]])
        arrays["reset"] = arrays["is_first"]
        write_npz(self._folder / _name(steps, arrays["reward"]), arrays)

    def close(self) -> list[str]:
        """Nothing is left to be written; how many episodes were left out."""
        held = "held a step that must not be learnt from"
        return [f"{self._left_out} episodes left out: they {held}"] if self._left_out else []


def _name(steps: Sequence[Transition], reward: np.ndarray) -> str:
    """File name that DayDreamer's store takes apart; the same for the same episode."""
    first = steps[0]
    time = datetime.fromtimestamp(max(0, first.stamps_ns.get("tick", 0)) / NS, UTC)
    key = uuid.uuid5(uuid.NAMESPACE_OID, f"{first.robot}/{first.run}/{first.index}").hex
    total = str(int(reward.sum())).replace("-", "m")
    return f"{time:%Y%m%dT%H%M%S}-{key}-len{len(steps)}-rew{total}.npz"


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to a compressed file that `numpy.load` reads."""
    with open(path, "wb") as file:
        np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]
