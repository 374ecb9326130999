"""What an engine must know of a machine, whatever it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot.config import Vector3


@dataclass(frozen=True)
class Foot:
    """A ball at the end of a link.

    Args:
        link: that it belongs to.
        centre_m: in the link's frame.
        radius_m: of the ball.
    """

    link: str
    centre_m: Vector3
    radius_m: float


@dataclass(frozen=True)
class Eye:
    """The "front" camera in the frame of the base: (3,) m, (3,) unit vectors, vertical field."""

    position: np.ndarray
    forward: np.ndarray
    up: np.ndarray
    field_deg: float


@dataclass(frozen=True)
class Anatomy:
    """A machine's links and joints, and how it stands in the world.

    Args:
        urdf: its description, with the joint names of the configuration.
        base: name of the root link.
        bolted_at_m: where the base is bolted to the world; None for one that moves freely.
        links: names of all links, base first.
        pushed: link that `Twin.push` pushes.
        feet: none for a machine without legs.
        eye: its front camera.
        armature: rotor inertia of each joint, kg m^2 or kg.
        damping: N m s / rad or N s / m of each joint.
        dry_friction: N m or N of each joint.
        contact_friction: between any two surfaces.
        self_collision: whether links collide with each other.
    """

    urdf: str
    base: str
    bolted_at_m: Vector3 | None
    links: tuple[str, ...]
    pushed: str
    feet: tuple[Foot, ...]
    eye: Eye
    armature: float
    damping: float
    dry_friction: float
    contact_friction: float
    self_collision: bool
