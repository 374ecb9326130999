"""Twins that differ as robots of one kind do: draws the physical figures of a twin from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from robot.config import LeggedTwin, Link, RailTwin, RobotConfig

Range = tuple[float, float]


@dataclass(frozen=True)
class Ranges:
    """From where to where each figure is drawn, uniformly. The defaults are ours.

    Args:
        friction: of the floor under legs, absolute.
        payload_kg: carried on a trunk's back, absolute.
        mass_scale: factor on mass and inertia, drawn once for each link.
        latency_ms: of the sensors, absolute.
        gain_scale: factor on the configured `gain_scale`.
        joint_friction_scale: factor on the configured dry friction.
    """

    friction: Range = (0.5, 1.1)
    payload_kg: Range = (0.0, 2.0)
    mass_scale: Range = (0.9, 1.1)
    latency_ms: Range = (0.0, 15.0)
    gain_scale: Range = (0.9, 1.1)
    joint_friction_scale: Range = (0.5, 1.5)


def randomise(config: RobotConfig, seed: int, ranges: Ranges | None = None) -> RobotConfig:
    """Change the twin of a configuration; all that the robot process reads stays as it is.

    Equal seeds give equal twins. The result is checked as every configuration is.

    Raises:
        ValidationError: when a range leads to a figure that no twin may have.
    """
    ranges = ranges or Ranges()
    rng = np.random.default_rng(seed)
    twin = config.twin
    legs = isinstance(twin, LeggedTwin)
    changes = _of_legs(twin, ranges, rng) if legs else _of_rail(twin, ranges, rng)
    checked = type(twin).model_validate({**twin.model_dump(), **changes})
    return config.model_copy(update={"twin": checked})


def _of_legs(twin: LeggedTwin, ranges: Ranges, rng: np.random.Generator) -> dict[str, object]:
    return {
        "friction": rng.uniform(*ranges.friction),
        "payload_kg": rng.uniform(*ranges.payload_kg),
        "latency_ms": rng.uniform(*ranges.latency_ms),
        "gain_scale": twin.gain_scale * rng.uniform(*ranges.gain_scale),
        "joint_friction_nm": twin.joint_friction_nm * rng.uniform(*ranges.joint_friction_scale),
        "links": _scaled_links(twin.links, ranges, rng),
    }


def _of_rail(twin: RailTwin, ranges: Ranges, rng: np.random.Generator) -> dict[str, object]:
    return {
        "latency_ms": rng.uniform(*ranges.latency_ms),
        "gain_scale": twin.gain_scale * rng.uniform(*ranges.gain_scale),
        "friction_n": twin.friction_n * rng.uniform(*ranges.joint_friction_scale),
        "links": _scaled_links(twin.links, ranges, rng),
    }


def _scaled_links(
    links: Mapping[str, Link], ranges: Ranges, rng: np.random.Generator
) -> dict[str, object]:
    return {
        name: _scaled(link, rng.uniform(*ranges.mass_scale)).model_dump()
        for name, link in links.items()
    }


def _scaled(link: Link, factor: float) -> Link:
    """A link of another density: the centre stays, mass and inertia grow alike."""
    inertia = tuple(value * factor for value in link.inertia_kg_m2)
    return link.model_copy(update={"mass_kg": link.mass_kg * factor, "inertia_kg_m2": inertia})
