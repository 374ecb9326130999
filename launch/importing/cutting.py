"""Rows of one file become episodes: cut where they end, resampled, in SI units and our order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from launch.importing.episode import Episode, measured_spec
from launch.importing.map import RecordingMap, Signals
from launch.importing.stretches import Fault, Rows, numbers_missing, stretches
from launch.importing.ticks import Ticks, blended, make_ticks, one_sign
from launch.importing.units import UNITS
from robot.config import ConfigError
from robot.wire.spec import RobotSpec, Spec, box

NS = 1_000_000_000
LENGTH = 0.02  # by which the length of a quaternion may differ from one


def cut(
    rows: Rows, marks: dict[str, np.ndarray], plan: RecordingMap, run: str
) -> tuple[list[Episode], list[Fault]]:
    """Episodes of one file, and its faults.

    Raises:
        ConfigError: for an action out of bounds, or time that goes back.
    """
    faults = numbers_missing(rows)
    parts, gaps = stretches(rows, marks, plan.episodes, plan.nan == "end")
    episodes = []
    for part in parts:
        ticks = make_ticks(rows.stamps_s, part, plan.control_hz, plan.start_s)
        found = [
            e
            for piece in pieces(ticks, plan.episodes.steps)
            for e in _steps(rows, piece, plan, run)
        ]
        terminal = "terminal" in marks and bool(marks["terminal"][part[1] - 1])
        if terminal and found:
            found[-1] = replace(found[-1], is_terminal=True)
        episodes += found
        if not found:
            first, end = part
            at, length = float(rows.stamps_s[first]), rows.span(first, end)
            faults.append(Fault(rows.file, "too short", first, end - first, at, length, "left out"))
    return episodes, sorted(faults + gaps, key=lambda fault: fault.row)


def in_ns(times_s: np.ndarray) -> np.ndarray:
    """Whole nanoseconds of times (T,)."""
    return np.rint(times_s * NS).astype(np.int64)


def pieces(ticks: Ticks, steps: int) -> list[Ticks]:
    """Ticks cut to at most `steps`; 0 leaves them whole."""
    size = steps or max(1, len(ticks))
    found = []
    for start in range(0, len(ticks), size):
        part = slice(start, start + size)
        first = ticks.first if not start else int(ticks.before[start - 1]) + 1
        found.append(ticks.piece(part, first))
    return found


def _steps(rows: Rows, ticks: Ticks, plan: RecordingMap, run: str) -> list[Episode]:
    """The episode of some ticks: none when fewer than two of them are sound.

    It begins and ends with a sound step. A step between them that lacks a number repeats the last
    ones and is not valid, as a robot's own log has it.
    """
    vectors = {key: resampled(rows, ticks, plan, key) for key in plan.signals}
    reward = _reward(rows, ticks, plan)
    sound = np.all([np.isfinite(v).all(1) for v in (*vectors.values(), reward[:, None])], axis=0)
    places = np.flatnonzero(sound)
    if len(places) < 2:
        return []
    whole = slice(places[0], places[-1] + 1)
    latest = np.maximum.accumulate(np.where(sound, np.arange(len(sound)), 0))[whole]
    action = scaled_action(rows, ticks, plan, vectors.pop("action"))
    seen = {k.partition(".")[2]: v[latest].astype(np.float32) for k, v in vectors.items()}
    tick_ns, sensed_ns = (in_ns(t[whole]) for t in (ticks.times_s, rows.stamps_s[ticks.before]))
    return [
        Episode(
            run,
            seen,
            action[latest].astype(np.float32),
            np.where(sound, reward, 0.0)[whole].astype(np.float32),
            sound[whole],
            tick_ns,
            sensed_ns,
        )
    ]


def _reward(rows: Rows, ticks: Ticks, plan: RecordingMap) -> np.ndarray:
    if not plan.reward.column:
        return np.zeros(len(ticks))
    values = rows.values["reward"][:, 0]
    return ticks.summed(values) if plan.reward.resample == "sum" else ticks.previous(values)


def resampled(rows: Rows, ticks: Ticks, plan: RecordingMap, key: str) -> np.ndarray:
    """Values of one key at the ticks, in the unit, order and signs that are kept: (T, K)."""
    signals, values = plan.signals[key], rows.values[key]
    if signals.quaternion:
        return _quaternions(rows, ticks, key, signals)
    values = values * UNITS[signals.unit][1]
    found = ticks.linear(values) if signals.resample == "linear" else ticks.previous(values)
    if not signals.per_joint:
        return found
    joints = plan.joints
    order = [joints.order.index(name) for name in joints.kept]
    return found[:, order] * np.array([joints.signs.get(name, 1) for name in joints.kept], float)


def _quaternions(rows: Rows, ticks: Ticks, key: str, signals: Signals) -> np.ndarray:
    values = rows.values[key]
    length = np.linalg.norm(values, axis=1)
    bad = np.flatnonzero(np.isfinite(length) & (np.abs(length - 1) > LENGTH))
    if len(bad):
        raise ConfigError(
            f"{rows.file}: {key}: row {bad[0]} has length {length[bad[0]]:.3g}; allowed is 1"
        )
    values = one_sign(values[:, [3, 0, 1, 2]] if signals.quaternion == "xyzw" else values)
    return blended(ticks, values) if signals.resample == "linear" else ticks.previous(values)


def scaled_action(rows: Rows, ticks: Ticks, plan: RecordingMap, values: np.ndarray) -> np.ndarray:
    """Commands (T, A) as actions: `low` is -1 and `high` is 1.

    Raises:
        ConfigError: for a command outside them.
    """
    low, high = np.array(plan.action.low), np.array(plan.action.high)
    action = (values - low) / (high - low) * 2 - 1
    bad = np.argwhere(np.abs(action) > 1 + 1e-9)
    if len(bad):
        step, k = bad[0]
        span = f"{np.nanmin(values):.6g} .. {np.nanmax(values):.6g}"
        raise ConfigError(
            f"{rows.file}: action: row {ticks.before[step]} has {values[step, k]:.6g} for number "
            f"{k}, outside low .. high; all of them span {span}"
        )
    return action


def make_spec(plan: RecordingMap, episodes: Sequence[Episode]) -> RobotSpec:
    """What the map says of the robot; vectors without bounds are scaled by their own deviation."""
    seen = {}
    for key, signals in plan.observation.items():
        unit, frame = UNITS[signals.unit][0], "joint" if signals.per_joint else ""
        values = np.concatenate([e.observation[key][e.valid] for e in episodes])
        seen[key] = _spec(signals, unit, frame, values)
    count = episodes[0].action.shape[1]
    return RobotSpec(seen, box(-1.0, 1.0, (count,)), plan.control_hz)


def _spec(signals: Signals, unit: str, frame: str, values: np.ndarray) -> Spec:
    if not signals.low:
        return measured_spec(unit, frame, values)
    low, high = (
        np.broadcast_to(np.array(end, np.float32), values.shape[1:])
        for end in (signals.low, signals.high)
    )
    return box(low, high, unit=unit, frame=frame)
