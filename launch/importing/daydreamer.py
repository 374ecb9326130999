r"""Episodes as DayDreamer keeps them: one npz per episode, an array (T, ...) per key.

Its records hold the action that led to them, ours the one that was chosen at them
(embodied/core/driver.py and embodied/replay/store.py of github.com/danijar/daydreamer):

    theirs    0, o_0        a_0, o_1      a_1, o_2      ...
    ours      o_0, a_0      o_1, a_1      o_2, none
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from launch.importing.cutting import in_ns
from launch.importing.episode import Episode, measured_spec
from launch.importing.recording import Recording
from launch.importing.tables import read_npz
from robot.config import ConfigError
from robot.wire.spec import RobotSpec, Spec, box, discrete, image
from robot.wire.transition import FLAGS

NEEDED = ("action", "reward", *FLAGS)
NOT_SENSED = (*NEEDED, "reset")  # `reset` is part of the action there


def is_daydreamer(path: Path) -> bool:
    """Whether a file looks like one of its episodes: an npz with its keys."""
    return path.suffix == ".npz" and path.is_file() and set(NEEDED) <= read_npz(path).keys()


def read_daydreamer(files: Sequence[Path], robot: str, control_hz: float) -> Recording:
    """Read episodes, in the order of their names, which begin with the time of writing.

    Args:
        files: npz files.
        robot: name of the robot, which they do not tell.
        control_hz: decisions per second, which they do not tell either.

    Raises:
        ConfigError: naming the file and what it lacks, or how it differs from the first one.
    """
    episodes: list[Episode] = []
    for file in sorted(files, key=lambda path: path.name):
        arrays = _checked(file, read_npz(file))
        start = sum(map(len, episodes))
        episodes.append(_episode(arrays, f"{robot}-daydreamer", start, control_hz))
        _check_like(file, episodes[0], episodes[-1])
    actions = np.concatenate([e.action for e in episodes])
    spec = RobotSpec(
        {key: _spec([e.observation[key] for e in episodes]) for key in episodes[0].observation},
        discrete(actions.shape[1]) if _are_choices(episodes) else box(-1.0, 1.0, actions.shape[1:]),
        control_hz,
    )
    return Recording(spec, episodes)


def _checked(file: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    missing = [key for key in NEEDED if key not in arrays]
    if missing:
        raise ConfigError(f"{file}: has no '{missing[0]}'; it has {', '.join(arrays)}")
    count = len(arrays["action"])
    for key, array in arrays.items():
        if not array.ndim or len(array) != count:
            raise ConfigError(f"{file}: {key} has shape {array.shape}; its action has {count} rows")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ConfigError(f"{file}: {key} is not finite in row {_first_bad(array)}")
    if count < 2 or arrays["action"].ndim != 2 or arrays["is_first"][1:].any():
        raise ConfigError(f"{file}: is no single episode of two records or more")
    if np.abs(arrays["action"]).max() > 1:
        raise ConfigError(f"{file}: action leaves -1 .. 1")
    return arrays


def _first_bad(array: np.ndarray) -> int:
    return int(np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(1))[0])


def _episode(arrays: dict[str, np.ndarray], run: str, start: int, hz: float) -> Episode:
    action = arrays["action"].astype(np.float32)
    shifted = np.concatenate([action[1:], np.zeros_like(action[:1])])
    times = in_ns((start + np.arange(len(action))) / hz)
    seen = {key: _sensed(a) for key, a in sorted(arrays.items()) if _is_sensed(key)}
    terminal = bool(arrays["is_terminal"][-1])
    reward = arrays["reward"].reshape(-1).astype(np.float32)
    sound = np.ones(len(action), bool)
    return Episode(run, seen, shifted, reward, sound, times, times, terminal)


def _is_sensed(key: str) -> bool:
    return key not in NOT_SENSED and not key.startswith("log_")


def _sensed(array: np.ndarray) -> np.ndarray:
    """Pictures as they are, all else as vectors (T, K) of float32."""
    if array.dtype == np.uint8 and array.ndim == 4:
        return array
    return array.reshape(len(array), -1).astype(np.float32)


def _check_like(file: Path, first: Episode, other: Episode) -> None:
    mine, theirs = _forms(other), _forms(first)
    if mine != theirs:
        raise ConfigError(f"{file}: has {mine}; the first episode has {theirs}")


def _forms(episode: Episode) -> str:
    arrays = {**episode.observation, "action": episode.action}
    return ", ".join(f"{key} {list(array.shape[1:])}" for key, array in arrays.items())


def _spec(values: Sequence[np.ndarray]) -> Spec:
    if values[0].ndim == 4:
        return image(*values[0].shape[1:])
    return measured_spec("1", "", np.concatenate(values))


def _are_choices(episodes: Sequence[Episode]) -> bool:
    """Whether all actions but the last of an episode are choices: one number 1, the others 0."""
    made = np.concatenate([e.action[:-1] for e in episodes])
    return bool(np.isin(made, (0, 1)).all() and (made.sum(1) == 1).all() and made.shape[1] > 1)
