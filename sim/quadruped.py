"""A machine on legs, from its numbers to one description for every engine.

Every number comes from the robot's configuration.

Frames: x forward, y left, z up; all joint frames are parallel to the trunk's at zero angles. Joint
names are those of the configuration, link names are `trunk` and `<leg>_hip`, `<leg>_thigh`,
`<leg>_calf`. The foot is a sphere at the end of the calf and belongs to that link.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import copysign, cos, pi, sin
from typing import Literal

import numpy as np

from robot.config import Leg, LeggedTwin, Link, RobotConfig, Vector3
from sim.anatomy import Anatomy, Eye, Foot
from sim.urdf import box, document, dynamics_text, joint_text, link_text, shape, visual

Segment = Literal["hip", "thigh", "calf"]
SEGMENTS: tuple[Segment, ...] = ("hip", "thigh", "calf")
AXES = {"hip": "1 0 0", "thigh": "0 1 0", "calf": "0 1 0"}
PAYLOAD_EDGE_M = 0.1
EYE_TILT_RAD = pi / 12
EYE_FIELD_DEG = 80.0

# Left is blue, right is orange; front is bright, rear is dark: a picture tells where it looks.
COLOURS = {
    (1, 1): (0.30, 0.60, 1.00),
    (-1, 1): (0.10, 0.25, 0.55),
    (1, -1): (1.00, 0.60, 0.15),
    (-1, -1): (0.60, 0.30, 0.05),
}
TRUNK_COLOUR = (0.75, 0.75, 0.78)
FOOT_COLOUR = (0.12, 0.12, 0.12)
NOSE_COLOUR = (0.90, 0.15, 0.15)


def quadruped(config: RobotConfig, twin: LeggedTwin) -> Anatomy:
    """What engines must know of a machine on legs."""
    feet = tuple(
        Foot(f"{name}_calf", (0.0, 0.0, -leg.calf_m), leg.foot_radius_m)
        for name, leg in config.legs.items()
    )
    return Anatomy(
        urdf=_urdf(config),
        base="trunk",
        bolted_at_m=None,
        links=link_names(config),
        pushed="trunk",
        feet=feet,
        eye=_eye(config),
        armature=twin.armature_kg_m2,
        damping=twin.joint_damping,
        dry_friction=twin.joint_friction_nm,
        contact_friction=twin.friction,
        self_collision=twin.self_collision,
    )


def _eye(config: RobotConfig) -> Eye:
    """Looks ahead from the trunk, past the front hips, a little downwards."""
    hips = max(leg.hip_m[0] for leg in config.legs.values())
    ahead = hips + config.twin.links["hip"].size_m[0] + 0.01
    tilt = EYE_TILT_RAD
    forward, up = np.array([cos(tilt), 0, -sin(tilt)]), np.array([sin(tilt), 0, cos(tilt)])
    return Eye(np.array([ahead, 0.0, 0.02]), forward, up, EYE_FIELD_DEG)


def _urdf(config: RobotConfig) -> str:
    parts = [_trunk(config)]
    for name, leg in config.legs.items():
        sides = _sides(leg)
        for index, segment in enumerate(SEGMENTS):
            parts.append(_segment(config, name, leg, segment, sides))
            parts.append(_joint(config, name, leg, index))
    return document(config.robot, parts)


def link_names(config: RobotConfig) -> tuple[str, ...]:
    """Names of all links, trunk first, then leg by leg from the trunk outwards."""
    return ("trunk", *(f"{leg}_{segment}" for leg in config.legs for segment in SEGMENTS))


def mirrored(link: Link, side_x: int, side_y: int) -> Link:
    """Reflect a link of the left front leg: `side_x` -1 to the rear, `side_y` -1 to the right.

    A reflection turns the sign of the products of inertia that hold its axis once.
    """
    x, y, z = link.centre_m
    ixx, iyy, izz, ixy, ixz, iyz = link.inertia_kg_m2
    inertia = (ixx, iyy, izz, ixy * side_x * side_y, ixz * side_x, iyz * side_y)
    return Link(
        mass_kg=link.mass_kg,
        centre_m=(x * side_x, y * side_y, z),
        inertia_kg_m2=inertia,
        size_m=link.size_m,
    )


def loaded_trunk(config: RobotConfig) -> Link:
    """The trunk with its payload: a cube of 0.1 m edge that stands on the middle of its back."""
    trunk, load = config.twin.links["trunk"], config.legged.payload_kg
    if load == 0:
        return trunk
    cube = load * PAYLOAD_EDGE_M**2 / 6
    top = (0.0, 0.0, trunk.size_m[2] / 2 + PAYLOAD_EDGE_M / 2)
    mass = trunk.mass_kg + load
    centre = _vector(
        (trunk.mass_kg * a + load * b) / mass for a, b in zip(trunk.centre_m, top, strict=True)
    )
    shifted = _shifted(trunk.inertia_kg_m2, trunk.mass_kg, trunk.centre_m, centre)
    added = _shifted((cube, cube, cube, 0.0, 0.0, 0.0), load, top, centre)
    inertia = tuple(a + b for a, b in zip(shifted, added, strict=True))
    return trunk.model_copy(update={"mass_kg": mass, "centre_m": centre, "inertia_kg_m2": inertia})


def _vector(values: Iterable[float]) -> Vector3:
    x, y, z = values
    return x, y, z


def _shifted(inertia: tuple[float, ...], mass: float, old: Vector3, new: Vector3) -> list[float]:
    """Inertia about `new`, given that about the centre of mass `old` (parallel axes)."""
    x, y, z = (b - a for a, b in zip(old, new, strict=True))
    added = (y * y + z * z, x * x + z * z, x * x + y * y, -x * y, -x * z, -y * z)
    return [i + mass * a for i, a in zip(inertia, added, strict=True)]


def _sides(leg: Leg) -> tuple[int, int]:
    return int(copysign(1, leg.hip_m[0])), int(copysign(1, leg.abduction_m))


def _trunk(config: RobotConfig) -> str:
    link = loaded_trunk(config)
    length, _, height = link.size_m
    shapes = shape(box(link.size_m), (0, 0, 0), TRUNK_COLOUR)
    nose = visual(box((0.02, 0.06, height / 2)), (length / 2 + 0.01, 0, 0), NOSE_COLOUR)
    return link_text("trunk", link, shapes + nose)


def _segment(
    config: RobotConfig, name: str, leg: Leg, segment: Segment, sides: tuple[int, int]
) -> str:
    # Only the hips of the vendor's model are mirrored front to rear; the legs below are alike.
    link = mirrored(config.twin.links[segment], sides[0] if segment == "hip" else 1, sides[1])
    colour = COLOURS[sides]
    if segment == "hip":
        radius, length, _ = link.size_m
        cylinder = f'<cylinder radius="{radius}" length="{length}"/>'
        return link_text(f"{name}_hip", link, shape(cylinder, (0, 0, 0), colour, f"{pi / 2} 0 0"))
    shapes = shape(box(link.size_m), (0, 0, -link.size_m[2] / 2), colour)
    if segment == "calf":
        sphere = f'<sphere radius="{leg.foot_radius_m}"/>'
        shapes += shape(sphere, (0, 0, -leg.calf_m), FOOT_COLOUR)
    return link_text(f"{name}_{segment}", link, shapes)


def _joint(config: RobotConfig, name: str, leg: Leg, index: int) -> str:
    segment, joint = SEGMENTS[index], config.joints[leg.joints[index]]
    parent = ("trunk", f"{name}_hip", f"{name}_thigh")[index]
    origin = (leg.hip_m, (0.0, leg.abduction_m, 0.0), (0.0, 0.0, -leg.thigh_m))[index]
    links = (parent, f"{name}_{segment}")
    rubs = dynamics_text(config.legged.joint_damping, config.legged.joint_friction_nm)
    return joint_text(leg.joints[index], joint, links, origin, AXES[segment], rubs)
