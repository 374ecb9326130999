"""Conditions under which a policy is tried: clean, or perturbed as `--perturb` says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from robot.config import ConfigError, RobotConfig
from robot.config.spelling import did_you_mean
from sim.perturb import KINDS, Perturbation

CLEAN, ALL = "clean", "all"


@dataclass(frozen=True)
class Condition:
    """What happens to the twin while a policy is tried.

    Args:
        perturbations: all at once; none in the clean condition.
    """

    perturbations: tuple[Perturbation, ...] = ()

    @property
    def name(self) -> str:
        """Such as clean, push=5, or friction=0.4+payload=2."""
        return "+".join(map(str, self.perturbations)) or CLEAN

    @property
    def kind(self) -> str:
        """Kinds of its perturbations, such as push, or friction+payload."""
        return "+".join(one.kind for one in self.perturbations) or CLEAN

    @property
    def about(self) -> str:
        """What it means, in words."""
        said = [KINDS[one.kind].about for one in self.perturbations]
        return "; ".join(said) or "as trained"


@dataclass(frozen=True)
class Conditions:
    """What `--perturb` asks for.

    Args:
        wanted: the clean one first, each once.
        left_out: kinds that `all` means and this robot cannot have, with the reason.
    """

    wanted: tuple[Condition, ...]
    left_out: dict[str, str]


def read_conditions(words: Sequence[str], robot: RobotConfig) -> Conditions:
    """The conditions that a command line names.

    A word is a list with commas. Each entry is `all`, `clean`, a kind (all its usual strengths),
    or `kind=strength`; `+` joins several into one condition, such as friction=0.4+payload=2.

    Raises:
        ConfigError: naming an unknown kind and those that exist, or a strength and what is allowed.
    """
    entries = [entry for word in words for entry in word.split(",") if entry]
    obstacles = {name: kind.obstacle(robot) for name, kind in KINDS.items()}
    left_out = {name: why for name, why in obstacles.items() if why} if ALL in entries else {}
    found = [Condition()]
    for entry in entries:
        found += _read(entry, robot, obstacles)
    return Conditions(tuple(dict.fromkeys(found)), left_out)


def _read(entry: str, robot: RobotConfig, obstacles: dict[str, str]) -> Iterator[Condition]:
    if entry == CLEAN:
        return
    if entry == ALL:
        for name in (name for name, why in obstacles.items() if not why):
            yield from _read(name, robot, obstacles)
        return
    joined = [_perturbation(part, robot, obstacles) for part in entry.split("+")]
    if len(joined) == 1 and isinstance(joined[0], str):
        for strength in KINDS[joined[0]].strengths(robot):
            yield Condition((Perturbation(joined[0], strength),))
        return
    for part in joined:
        if isinstance(part, str):
            raise ConfigError(f"--perturb {entry}: say how strong, such as {part}=1")
    yield Condition(tuple(part for part in joined if isinstance(part, Perturbation)))


def _perturbation(part: str, robot: RobotConfig, obstacles: dict[str, str]) -> Perturbation | str:
    """One perturbation, or the name of a kind whose strength was not said."""
    name, equals, text = part.partition("=")
    if name not in KINDS:
        known = (*KINDS, CLEAN, ALL)
        meant, there = did_you_mean(name, known), ", ".join(known)
        raise ConfigError(f"--perturb {part}: unknown '{name}'{meant}; there are {there}")
    if obstacles[name]:
        raise ConfigError(f"--perturb {part}: {obstacles[name]}")
    if not equals:
        return name
    kind = KINDS[name]
    most = kind.limit(robot)
    allowed = f"allowed is {kind.least:g} to {most:g} ({kind.about})"
    try:
        strength = float(text)
    except ValueError:
        raise ConfigError(f"--perturb {part}: not a number; {allowed}") from None
    if not kind.least <= strength <= most:
        raise ConfigError(f"--perturb {part}: {allowed}")
    return Perturbation(name, strength)
