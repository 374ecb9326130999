"""Kinds of options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

Engine = Literal["mujoco", "pybullet"] | None
TwinName = Literal["mujoco", "pybullet", "fake"] | None
Target = Annotated[Positional[str], arg(metavar="CONFIG")]
Config = Annotated[Positional[Path], arg(metavar="CONFIG")]
Robots = Annotated[Positional[Path | None], arg(metavar="CONFIG")]
Run = Annotated[Positional[Path], arg(metavar="RUN")]
Changes = Annotated[tuple[str, ...], UseAppendAction, arg(name="set", metavar="KEY=VALUE")]
