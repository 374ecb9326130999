"""Turns a LeRobotDataset v3.0 into a log of ours: `reverie logs import FOLDER --out OUT`."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium as gym
import numpy as np
from rich.console import Console
from rich.progress import Progress

from launch.exchange.fresh import fresh, need
from launch.exchange.lerobot_folder import LeRobotFolder
from launch.exchange.lerobot_layout import array_name
from launch.exchange.lerobot_read import lerobot_transitions
from launch.importing.episode import FLAT, describe
from robot.policy.journal import EPISODES, LOG_NAME, Journal
from robot.wire.log import LogWriter
from robot.wire.spec import RobotSpec, Spec, image


def import_lerobot(folder: Path, out: Path) -> int:
    """Write the log; the exit code.

    Args:
        folder: that holds meta/info.json.
        out: folder of the log.

    Raises:
        ConfigError: when the data set is unsound, `out` exists, or an extra is missing.
        LogError: when the log cannot be written.
    """
    need("pyarrow", "lerobot")
    data, count = LeRobotFolder(folder), 0
    if any(feature.dtype == "video" for feature in data.features.values()):
        need("av", "lerobot")
    journal, console = Journal(data.fps), Console()
    with fresh(out) as part, Progress(transient=True, console=Console(stderr=True)) as progress:
        bar = progress.add_task("frames", total=data.length)
        log = LogWriter(part, LOG_NAME, about(data))
        try:
            for count, step in enumerate(lerobot_transitions(data), start=1):
                stamp_ns = step.stamps_ns.get("tick", 0)
                log.append_transition(step, stamp_ns, stamp_ns)
                if line := journal.add(step, {}):
                    log.note(EPISODES, line, stamp_ns)
                progress.update(bar, completed=count)
        finally:
            log.close()
    said = f"{out}: {count} steps at {data.fps:g} Hz, {len(journal.episodes)} whole episodes"
    console.print(said, highlight=False, soft_wrap=True)
    return 0


def about(data: LeRobotFolder) -> dict[str, str]:
    """What the log says of itself: its own words again, or the spec of somebody else's data."""
    come = {"import": json.dumps({"format": "LeRobotDataset v3.0", "folder": data.folder.name})}
    if data.ours:
        return {**data.ours["about"], **come}
    return {"spec": describe(spec(data)), **come}


def spec(data: LeRobotFolder) -> RobotSpec:
    """Spec of somebody else's data: bounds, means and deviations by its statistics."""
    seen = [name for name in data.features if name.startswith("observation.")]
    return RobotSpec(
        {array_name(name): _spec(data, name) for name in seen}, _action(data), data.fps
    )


def _spec(data: LeRobotFolder, name: str) -> Spec:
    feature = data.features[name]
    if feature.is_picture:
        return image(*feature.shape)
    shape = (int(np.prod(feature.shape)),)
    mean = _statistic(data, name, "mean", shape, 0.0)
    deviation = _statistic(data, name, "std", shape, 1.0)
    space = gym.spaces.Box(-np.inf, np.inf, shape, np.float32)
    return Spec(space, centre=mean, scale=np.where(deviation > FLAT, deviation, 1.0))


def _action(data: LeRobotFolder) -> Spec:
    shape = (int(np.prod(data.features["action"].shape)),)
    low = _statistic(data, "action", "min", shape, -np.inf)
    high = _statistic(data, "action", "max", shape, np.inf)
    return Spec(gym.spaces.Box(low, high, shape, np.float32))


def _statistic(
    data: LeRobotFolder, name: str, which: str, shape: tuple[int, ...], other: float
) -> np.ndarray:
    """(K,) float32 as the data set tells it, `other` where it does not."""
    told = np.asarray(data.stats.get(name, {}).get(which, other), np.float32)
    return np.broadcast_to(told.ravel() if told.size == shape[0] else np.float32(other), shape)
