"""Kinds of options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg
from tyro.constructors import PrimitiveConstructorSpec

SEEDS = 1 << 31  # leaves room for what is counted on from a seed, below numpy's 2^32


def read_seed(text: str) -> int:
    """A seed as it was typed.

    Raises:
        ValueError: when it is none.
    """
    if not (text.isascii() and text.isdecimal() and int(text[:11]) < SEEDS):
        raise ValueError(f"got {text}; allowed is 0 to {SEEDS - 1}")
    return int(text)


Engine = Literal["mujoco", "pybullet"] | None
TwinName = Literal["mujoco", "pybullet", "fake"] | None
Target = Annotated[Positional[str], arg(metavar="CONFIG")]
Config = Annotated[Positional[Path], arg(metavar="CONFIG")]
Robots = Annotated[Positional[Path | None], arg(metavar="[CONFIG]")]
Run = Annotated[Positional[Path], arg(metavar="RUN")]
Changes = Annotated[tuple[str, ...], UseAppendAction, arg(name="set", metavar="KEY=VALUE")]
Seed = Annotated[
    int,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="SEED",
        instance_from_str=lambda words: read_seed(words[0]),
        is_instance=lambda value: isinstance(value, int),
        str_from_instance=lambda seed: [str(seed)],
    ),
]
Seeds = Annotated[
    tuple[int, ...],
    PrimitiveConstructorSpec(
        nargs="*",
        metavar="[SEED [SEED ...]]",
        instance_from_str=lambda words: tuple(read_seed(word) for word in words),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda seeds: [str(seed) for seed in seeds],
    ),
]
