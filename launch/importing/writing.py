"""Episodes of a recording as a log: transitions with all that one of our own has."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from launch.importing.episode import Episode
from launch.whole import check_place
from robot.config import ConfigError
from robot.policy.journal import EPISODES, LOG_NAME, Journal
from robot.wire.log import LogWriter
from robot.wire.transition import Transition

Told = Callable[[], None]


def transitions(robot: str, episodes: Sequence[Episode]) -> Iterator[Transition]:
    """Steps of all episodes, in their order; each run counts its own indices and episodes."""
    index: defaultdict[str, int] = defaultdict(int)
    number: defaultdict[str, int] = defaultdict(int)
    for episode in episodes:
        for step in range(len(episode)):
            yield _transition(robot, episode, (index[episode.run], number[episode.run], step))
            index[episode.run] += 1
        number[episode.run] += 1


def _transition(robot: str, episode: Episode, place: tuple[int, int, int]) -> Transition:
    index, number, step = place
    last = step == len(episode) - 1
    flags = {"is_first": step == 0, "is_last": last, "is_terminal": last and episode.is_terminal}
    arrays = {
        **{key: values[step] for key, values in episode.observation.items()},
        "action": episode.action[step],
        "applied": episode.action[step],
        "reward": np.array(episode.reward[step], np.float32),
        **{key: np.array(value) for key, value in flags.items()},
    }
    stamps = {"tick": int(episode.tick_ns[step]), "sensors": int(episode.sensed_ns[step])}
    valid = bool(episode.valid[step])
    return Transition(robot, episode.run, index, number, step, 0, valid, arrays, stamps)


def write_log(
    out: Path,
    robot: str,
    control_hz: float,
    episodes: Sequence[Episode],
    about: Mapping[str, str],
    told: Told = lambda: None,
) -> int:
    """Write the log's folder, whole or not at all; the number of its transitions.

    Args:
        out: the folder, which must not be there yet.
        robot: id of the robot.
        control_hz: steps per second.
        episodes: in their order.
        about: what a reader must know.
        told: called after each step.

    Raises:
        ConfigError: when there is something at `out`.
        LogError: when it cannot be written.
    """
    if out.exists():
        raise ConfigError(f"--out {out}: is there already; name a new folder")
    check_place(out, "--out")
    half = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        count = _write(half, robot, control_hz, episodes, about, told)
        half.rename(out)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return count


def _write(
    folder: Path,
    robot: str,
    control_hz: float,
    episodes: Sequence[Episode],
    about: Mapping[str, str],
    told: Told,
) -> int:
    log, journal, count = LogWriter(folder, LOG_NAME, about), Journal(control_hz), 0
    try:
        for step in transitions(robot, episodes):
            stamp_ns = step.stamps_ns["tick"]
            log.append_transition(step, stamp_ns, stamp_ns)
            if line := journal.add(step, {}):
                log.note(EPISODES, line, stamp_ns)
            told()
            count += 1
    finally:
        log.close()
    return count
