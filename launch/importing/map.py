"""The map of a recording: which columns mean what, in which unit, and how time is cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from launch.importing.units import known
from robot.config import ConfigError, Strict, apply_change, check_config

Unit = Annotated[str, AfterValidator(known)]
Quaternion = Literal["wxyz", "xyzw"]


def _several(value: Any) -> Any:
    """One value stands for a list of one."""
    return (value,) if isinstance(value, str | int | float) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_several)]


class Clock(Strict):
    """When rows were recorded: at a rate, or by a column of stamps, which may be uneven.

    Args:
        rate_hz: rows per second.
        column: of stamps; must grow within an episode.
        unit: of the stamps.
    """

    rate_hz: float | None = Field(default=None, gt=0)
    column: str = ""
    unit: Literal["s", "ms", "us", "ns"] = "s"

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.rate_hz is None) == (not self.column):
            raise ValueError("name either rate_hz or column")
        return self


class Joints(Strict):
    """Names of the joints, for the groups that are `per_joint`.

    Args:
        order: names in the order of the recording's columns.
        keep: names in the order that is kept; the recording's unless given.
        signs: 1 or -1 by name; -1 where a joint turns the other way than it is to be kept.
    """

    order: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    signs: dict[str, Literal[1, -1]] = {}

    @model_validator(mode="after")
    def _same(self) -> Self:
        for name in ("order", "keep"):
            if len(set(names := getattr(self, name))) < len(names):
                raise ValueError(f"{name} names a joint twice")
        if self.keep and sorted(self.keep) != sorted(self.order):
            raise ValueError(f"keep must be order in another order: {', '.join(self.order)}")
        unknown = [name for name in self.signs if name not in self.order]
        if unknown:
            raise ValueError(f"signs: no joint '{unknown[0]}'; there are {', '.join(self.order)}")
        return self

    @property
    def kept(self) -> tuple[str, ...]:
        """Names in the order that is kept."""
        return self.keep or self.order


class Signals(Strict):
    """Columns that make one vector.

    Args:
        columns: names; `jpos0..11` stands for jpos0, jpos1, ..., jpos11.
        unit: of the recording; kept are SI units and radians.
        per_joint: whether there is one column for each of `joints`.
        quaternion: the order of its four numbers; kept is wxyz.
        low: smallest value, in the unit that is kept; one for all, or one for each that is kept.
        high: greatest value.
        resample: `previous` takes the latest value; `linear` interpolates, and thereby looks ahead
            by up to one row.
    """

    columns: Names
    unit: Unit
    per_joint: bool = False
    quaternion: Quaternion | None = None
    low: Numbers = ()
    high: Numbers = ()
    resample: Literal["previous", "linear"] = "previous"

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if (self.quaternion is None) == (self.unit == "quaternion"):
            raise ValueError("unit quaternion and the key quaternion belong together")
        if len(self.low) != len(self.high):
            raise ValueError("low and high must have as many numbers each")
        if any(low >= high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("low must be below high")
        return self


class Action(Signals):
    """The commands; `low` and `high` become -1 and 1. The previous one counts until the next."""

    resample: Literal["previous"] = "previous"

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if not self.low:
            raise ValueError("low and high are missing: what the actions -1 and 1 stand for")
        return self


class Reward(Strict):
    """Reward of a row; without a column it is 0.

    Args:
        column: name.
        resample: `sum` adds up the rows since the last tick, `previous` takes the latest.
    """

    column: str = ""
    resample: Literal["sum", "previous"] = "sum"


class Episodes(Strict):
    """Where episodes end; the end of a file always ends one.

    Args:
        column: a new value in it begins an episode.
        last: column that is not 0 on the last row of an episode.
        terminal: column that is not 0 where an episode ended in failure or success, not by time.
        gap_s: a longer time between two rows ends an episode; needed with a column of stamps.
        steps: an episode's greatest length in control steps; 0 for any.
    """

    column: str = ""
    last: str = ""
    terminal: str = ""
    gap_s: float | None = Field(default=None, gt=0)
    steps: int = Field(default=0, ge=0)


class RecordingMap(Strict):
    """What a table of rows means.

    Args:
        robot: name of the robot.
        source: where the recording comes from.
        licence: under which it may be used.
        notes: what a user of the data must know.
        clock: when rows were recorded.
        control_hz: control steps per second that are kept; at most the rate of the rows.
        start_s: time of an episode's first step, after its first row.
        joints: their names.
        observation: what was sensed, by key.
        action: what was commanded.
        reward: what it was worth.
        episodes: where they end.
        nan: rows that lack a number are marked `invalid`, or `end` the episode.
    """

    robot: str = Field(pattern=r"^[\w-]+$")
    source: str = ""
    licence: str = ""
    notes: str = ""
    clock: Clock
    control_hz: float = Field(gt=0)
    start_s: float = Field(default=0.0, ge=0)
    joints: Joints = Joints()
    observation: dict[str, Signals] = Field(min_length=1)
    action: Action
    reward: Reward = Reward()
    episodes: Episodes = Episodes()
    nan: Literal["invalid", "end"] = "invalid"

    @model_validator(mode="after")
    def _gaps(self) -> Self:
        if self.clock.column and self.episodes.gap_s is None:
            raise ValueError("episodes.gap_s is missing: how long a gap may be bridged")
        return self

    @property
    def signals(self) -> dict[str, Signals]:
        """All vectors by the key that names them in a message."""
        seen = {f"observation.{key}": signals for key, signals in self.observation.items()}
        return {**seen, "action": self.action}


def read_map(path: Path, changes: Sequence[str] = ()) -> RecordingMap:
    """Read a map.

    Args:
        path: YAML file.
        changes: `key=value`, such as control_hz=100.

    Raises:
        ConfigError: naming the key, the value and what is allowed.
    """
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: is no map; see hardware_configs/maps/ for one")
    for change in changes:
        apply_change(data, change)
    return check_config(RecordingMap, data, str(path))
