"""A log as series of numbers: what was sensed, what was done, and what each number is called."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from launch.importing.episode import described
from launch.logs.places import find_log
from learner.model.encoders import pick
from robot.config import ConfigError, RobotConfig, check_config
from robot.policy.observe import robot_spec
from robot.tasks import make_task
from robot.wire.log import LogFile, LogReader
from robot.wire.spec import RobotSpec
from robot.wire.transition import Transition

Batch = dict[str, np.ndarray]


@dataclass(frozen=True)
class Group:
    """Numbers of one key that are of one kind, such as the speeds of all knees.

    Args:
        key: of the observation.
        kind: what the joints' names end with; "all" where there are no joints.
        unit: of the numbers.
        columns: where they lie in the joined vector.
        names: of the joints, or numbers.
    """

    key: str
    kind: str
    unit: str
    columns: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """Steps of a log in its order, and what they are.

    Args:
        spec: of the robot, with the keys that are looked at and no others.
        steps: sound transitions.
        state: (N, n) those keys joined in the order of the spec, in their own units.
        action: (N, A).
        follows: (N,) whether a step follows on the one before it: same episode, nothing between.
        groups: of the columns of `state`.
        origin: what the log says of where it comes from: files, source, licence, notes.
    """

    spec: RobotSpec
    steps: list[Transition]
    state: np.ndarray
    action: np.ndarray
    follows: np.ndarray
    groups: list[Group]
    origin: Mapping[str, Any] = field(default_factory=dict)

    def starts(self, length: int, first: int, end: int) -> np.ndarray:
        """First steps of all unbroken windows of `length` steps within first .. end."""
        broken = np.concatenate(([0], np.cumsum(~self.follows)))  # breaks before each step
        begin = np.arange(first, end - length + 1)
        return begin[broken[begin + length] == broken[begin + 1]]

    def windows(self, starts: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """States (B, T, n) and actions (B, T, A) from some steps on."""
        rows = starts[:, None] + np.arange(length)
        return self.state[rows], self.action[rows]

    def batch(self, starts: np.ndarray, length: int) -> Batch:
        """The same as a replay gives them: (B, T, ...) by key."""
        rows = starts[:, None] + np.arange(length)
        chunk: Batch = {"action": self.action[rows].astype(np.float32)}
        ends = np.cumsum([0, *(spec.shape[0] for spec in self.spec.observation.values())])
        for key, low, high in zip(self.spec.observation, ends[:-1], ends[1:], strict=True):
            chunk[key] = self.state[rows, low:high].astype(np.float32)
        chunk["reward"] = np.zeros(rows.shape, np.float32)
        chunk["is_first"] = np.zeros(rows.shape, np.bool_)
        chunk["is_first"][:, 0] = True
        return chunk


def read_series(folder: Path, keys: Sequence[str] = ()) -> Series:
    """Read a log.

    Args:
        folder: a log, or a run that has one.
        keys: of the observation; every vector unless given.

    Raises:
        ConfigError: when there is no log, it does not say what it holds, or it lacks a key.
    """
    paths = find_log(folder).files
    about = _about(paths[0])
    spec, joints = _spec(folder, about)
    chosen = pick(spec.observation, keys or ("vectors",))
    if any(value.is_image for value in chosen.values()):
        raise ConfigError("--keys: pictures are not looked at; allowed are vectors")
    reader = LogReader(paths[0].parent, paths[0].stem.rpartition("-")[0])
    steps = [step for step in reader.transitions() if step.valid]
    if not steps:
        raise ConfigError(f"{folder}: holds no valid step")
    seen = RobotSpec(chosen, spec.action, spec.control_hz)
    state = np.array([np.concatenate([s.arrays[k] for k in chosen]) for s in steps], np.float64)
    action = np.array([s.arrays["action"] for s in steps], np.float64)
    return Series(seen, steps, state, action, _follows(steps), groups(seen, joints), _origin(about))


def _about(path: Path) -> Mapping[str, str]:
    file = LogFile(path)
    next(file.records(), None)  # what a log is about stands before its first record
    return file.about


def _origin(about: Mapping[str, str]) -> dict[str, Any]:
    told: Any = json.loads(about.get("import", "{}"))
    plan = told.get("map")
    kept = ("source", "licence", "notes") if isinstance(plan, dict) else ()
    return {**{key: plan[key] for key in kept if key in plan}, "files": told.get("files", {})}


def _spec(folder: Path, about: Mapping[str, str]) -> tuple[RobotSpec, Sequence[str]]:
    """What a log holds by its own account, and the names of the joints, where it tells them."""
    plan, come = (json.loads(about.get(name, "{}")) for name in ("plan", "import"))
    robot = check_config(RobotConfig, plan["robot"], str(folder)) if "robot" in plan else None
    if "spec" in about:
        said = come.get("map")
        named = said["joints"] if isinstance(said, dict) else {}
        joints = tuple(robot.joints) if robot else named.get("keep") or named.get("order")
        return described(about["spec"]), joints or ()
    if robot is None:
        raise ConfigError(f"{folder}: its log does not say what it holds")
    return robot_spec(robot, make_task(robot)), tuple(robot.joints)


def _follows(steps: Sequence[Transition]) -> np.ndarray:
    places = [(step.stream, step.episode) for step in steps]
    pairs = zip(steps[:-1], steps[1:], places[:-1], places[1:], strict=True)
    return np.array([False, *(p == q and b.index == a.index + 1 for a, b, p, q in pairs)])


def groups(spec: RobotSpec, joints: Sequence[str]) -> list[Group]:
    """Columns of each key by kinds of joints: what stands behind the first `_` of their names."""
    found, start = [], 0
    for key, value in spec.observation.items():
        width = value.shape[0]
        named = joints if len(joints) == width else [str(i) for i in range(width)]
        kinds = [name.partition("_")[2] or "all" for name in named]
        for kind in dict.fromkeys(kinds):
            mine = [i for i, k in enumerate(kinds) if k == kind]
            columns = tuple(start + i for i in mine)
            found.append(Group(key, kind, value.unit, columns, tuple(named[i] for i in mine)))
        start += width
    return found
