"""What the steps of a log have in common: which arrays, how fast, how many, and what for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from robot.clock import NS
from robot.config import ConfigError
from robot.wire.transition import RESERVED, Transition

Form = Mapping[str, tuple[np.dtype, tuple[int, ...]]]
Line = dict[str, Any]
Marked = tuple[Transition, Line]
TICKS_LOOKED_AT = 10_000


@dataclass(frozen=True)
class Outline:
    """What all steps of a log have in common.

    Args:
        about: what the writer of its first file said of the run.
        form: dtype and shape of each array; the same in every step.
        stamps: names of capture stamps that any step has.
        ledgers: names of latencies that any step has.
        steps: how many there are.
        episodes: how many there are.
        hz: steps per second.
        task: what was to be done, in a word or a few.
        streams: (robot, run) of its steps.
        lines: of the journal, each with the step that closed its episode.
    """

    about: Mapping[str, str]
    form: Form
    stamps: tuple[str, ...]
    ledgers: tuple[str, ...]
    steps: int
    episodes: int
    hz: float
    task: str
    streams: tuple[tuple[str, str], ...] = ()
    lines: tuple[Marked, ...] = ()

    @property
    def observation(self) -> Form:
        """What was sensed: all arrays but those that every transition has."""
        return {key: form for key, form in self.form.items() if key not in RESERVED}


@dataclass
class Look:
    """What a first look through a log gathers.

    Args:
        path: of the log, for messages.
    """

    path: Path
    form: Form | None = None
    robot: str = ""
    stamps: set[str] = field(default_factory=set)
    ledgers: set[str] = field(default_factory=set)
    steps: int = 0
    episodes: int = 0
    lines: list[Marked] = field(default_factory=list)
    _last: Transition | None = None
    _ticks: list[int] = field(default_factory=list)
    _place: dict[tuple[str, str], int] = field(default_factory=dict)
    _tick: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, step: Transition) -> None:
        """Take in one step."""
        form = {key: (array.dtype, array.shape) for key, array in sorted(step.arrays.items())}
        if self.form is None:
            self.form, self.robot = form, step.robot
            self._check(step)
        if form != self.form:
            raise ConfigError(f"{self.path}: step {step.index} of {step.run}: {self._other(form)}")
        self.stamps |= step.stamps_ns.keys()
        self.ledgers |= step.ledger_ns.keys()
        self.steps += 1
        self._note_place(step)
        self._last = step

    def mark(self, line: Line) -> None:
        """Take in a line of the journal: it follows the step that closed its episode."""
        if self._last is not None:
            bare = {key: self._last.arrays[key] for key in RESERVED}
            self.lines.append((replace(self._last, arrays=bare), line))

    def _check(self, step: Transition) -> None:
        missing = sorted(set(RESERVED) - step.arrays.keys())
        if missing:
            raise ConfigError(f"{self.path}: step {step.index} of {step.run} has no '{missing[0]}'")

    def _other(self, form: Form) -> str:
        assert self.form is not None
        keys = sorted(form.keys() | self.form.keys())
        key = next(key for key in keys if form.get(key) != self.form.get(key))
        return f"'{key}' is {_say(form.get(key))}, and {_say(self.form.get(key))} before"

    def _note_place(self, step: Transition) -> None:
        """Count episodes, and times between two ticks of one."""
        tick, before = step.stamps_ns.get("tick"), self._tick.get(step.stream)
        goes_on = self._place.get(step.stream) == step.episode and not step.arrays["is_first"]
        self.episodes += not goes_on
        self._place[step.stream] = step.episode
        if tick is None:
            return
        if goes_on and before is not None and len(self._ticks) < TICKS_LOOKED_AT:
            self._ticks.append(tick - before)
        self._tick[step.stream] = tick

    def outline(self, about: Mapping[str, str], hz: float | None, task: str) -> Outline:
        """What was seen.

        Args:
            about: what the log says of itself.
            hz: steps per second; what the log says, or its ticks tell, unless given.
            task: what was to be done; what the log says unless given.

        Raises:
            ConfigError: when there was no step, or nothing tells how fast they were made.
        """
        if self.form is None:
            raise ConfigError(f"{self.path}: holds no step")
        plan = plain(about.get("plan", ""))
        hz = hz or _planned_hz(plan, plain(about.get("spec", ""))) or self._measured_hz()
        if not hz:
            raise ConfigError(f"{self.path}: does not tell its steps per second; give --hz")
        return Outline(
            about=about,
            form=self.form,
            stamps=tuple(sorted(self.stamps)),
            ledgers=tuple(sorted(self.ledgers)),
            steps=self.steps,
            episodes=self.episodes,
            hz=hz,
            task=task or _planned_task(plan) or self.robot,
            streams=tuple(self._place),
            lines=tuple(self.lines),
        )

    def _measured_hz(self) -> float:
        """Steps per second by the stamps of ticks, 0 when they do not tell."""
        period_ns = float(np.median(self._ticks)) if self._ticks else 0.0
        return round(NS / period_ns, 3) if period_ns > 0 else 0.0


def _say(form: tuple[np.dtype, tuple[int, ...]] | None) -> str:
    return f"{form[0]} {form[1]}" if form else "missing"


def plain(text: str | bytes) -> dict[str, Any]:
    """Plain data of a text, empty when it holds none."""
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _at(data: dict[str, Any], *keys: str) -> object:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None  # pyright: ignore
    return data


def _planned_hz(plan: dict[str, Any], spec: dict[str, Any]) -> float:
    said = (_at(plan, "robot", "control", "control_hz"), _at(spec, "control_hz"))
    return next((float(hz) for hz in said if isinstance(hz, int | float) and hz > 0), 0.0)


def _planned_task(plan: dict[str, Any]) -> str:
    said = (_at(plan, "robot", "task", "name"), _at(plan, "environment", "name"))
    return next((task for task in said if isinstance(task, str)), "")
