"""One description of a quadruped for every engine: URDF text with primitive shapes.

Every number comes from the robot's configuration.

Frames: x forward, y left, z up; all joint frames are parallel to the trunk's at zero angles. Joint
names are those of the configuration, link names are `trunk` and `<leg>_hip`, `<leg>_thigh`,
`<leg>_calf`. The foot is a sphere at the end of the calf and belongs to that link.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import copysign, pi
from typing import Literal

from robot.config import Leg, Link, RobotConfig, Vector3

Segment = Literal["hip", "thigh", "calf"]
SEGMENTS: tuple[Segment, ...] = ("hip", "thigh", "calf")
AXES = {"hip": "1 0 0", "thigh": "0 1 0", "calf": "0 1 0"}
PAYLOAD_EDGE_M = 0.1
# Without these MuJoCo welds the trunk to the world and drops the colours; PyBullet skips them.
MUJOCO = '<mujoco><compiler fusestatic="false" discardvisual="false"/></mujoco>'

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


def urdf(config: RobotConfig) -> str:
    """Write the robot as URDF text; shapes, masses and limits come from the configuration."""
    parts = [_trunk(config)]
    for name, leg in config.legs.items():
        sides = _sides(leg)
        for index, segment in enumerate(SEGMENTS):
            parts.append(_segment(config, name, leg, segment, sides))
            parts.append(_joint(config, name, leg, index))
    body = "\n".join([MUJOCO, *parts])
    return f'<?xml version="1.0"?>\n<robot name="{config.robot}">\n{body}\n</robot>\n'


def link_names(config: RobotConfig) -> list[str]:
    """Names of all links, trunk first, then leg by leg from the trunk outwards."""
    return ["trunk", *(f"{leg}_{segment}" for leg in config.legs for segment in SEGMENTS)]


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
    trunk, load = config.twin.links["trunk"], config.twin.payload_kg
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
    shapes = _shape(_box(link.size_m), (0, 0, 0), TRUNK_COLOUR)
    nose = _visual(_box((0.02, 0.06, height / 2)), (length / 2 + 0.01, 0, 0), NOSE_COLOUR)
    return _link("trunk", link, shapes + nose)


def _segment(
    config: RobotConfig, name: str, leg: Leg, segment: Segment, sides: tuple[int, int]
) -> str:
    # Only the hips of the vendor's model are mirrored front to rear; the legs below are alike.
    link = mirrored(config.twin.links[segment], sides[0] if segment == "hip" else 1, sides[1])
    colour = COLOURS[sides]
    if segment == "hip":
        radius, length, _ = link.size_m
        cylinder = f'<cylinder radius="{radius}" length="{length}"/>'
        return _link(f"{name}_hip", link, _shape(cylinder, (0, 0, 0), colour, f"{pi / 2} 0 0"))
    shapes = _shape(_box(link.size_m), (0, 0, -link.size_m[2] / 2), colour)
    if segment == "calf":
        sphere = f'<sphere radius="{leg.foot_radius_m}"/>'
        shapes += _shape(sphere, (0, 0, -leg.calf_m), FOOT_COLOUR)
    return _link(f"{name}_{segment}", link, shapes)


def _joint(config: RobotConfig, name: str, leg: Leg, index: int) -> str:
    segment, joint = SEGMENTS[index], config.joints[leg.joints[index]]
    parent = ("trunk", f"{name}_hip", f"{name}_thigh")[index]
    origin = (leg.hip_m, (0.0, leg.abduction_m, 0.0), (0.0, 0.0, -leg.thigh_m))[index]
    twin = config.twin
    return (
        f'<joint name="{leg.joints[index]}" type="revolute">\n'
        f'  <parent link="{parent}"/><child link="{name}_{segment}"/>\n'
        f'  <origin xyz="{_text(origin)}" rpy="0 0 0"/><axis xyz="{AXES[segment]}"/>\n'
        f'  <limit lower="{joint.lower_rad}" upper="{joint.upper_rad}"'
        f' effort="{joint.torque_nm}" velocity="{joint.velocity_rad_s}"/>\n'
        f'  <dynamics damping="{twin.joint_damping}" friction="{twin.joint_friction_nm}"/>\n'
        "</joint>"
    )


def _link(name: str, link: Link, shapes: str) -> str:
    keys = ("ixx", "iyy", "izz", "ixy", "ixz", "iyz")
    inertia = " ".join(f'{k}="{v}"' for k, v in zip(keys, link.inertia_kg_m2, strict=True))
    return (
        f'<link name="{name}">\n'
        f'  <inertial><origin xyz="{_text(link.centre_m)}" rpy="0 0 0"/>'
        f'<mass value="{link.mass_kg}"/><inertia {inertia}/></inertial>\n'
        f"{shapes}</link>"
    )


def _shape(geometry: str, centre: Vector3, colour: Vector3, rpy: str = "0 0 0") -> str:
    """A shape that is both seen and touched."""
    touched = (
        f'  <collision><origin xyz="{_text(centre)}" rpy="{rpy}"/>'
        f"<geometry>{geometry}</geometry></collision>\n"
    )
    return touched + _visual(geometry, centre, colour, rpy)


def _visual(geometry: str, centre: Vector3, colour: Vector3, rpy: str = "0 0 0") -> str:
    shade = f"{_text(colour)} 1"
    return (
        f'  <visual><origin xyz="{_text(centre)}" rpy="{rpy}"/><geometry>{geometry}</geometry>'
        f'<material name="{shade.replace(" ", "_")}"><color rgba="{shade}"/></material></visual>\n'
    )


def _box(size: Vector3) -> str:
    return f'<box size="{_text(size)}"/>'


def _text(values: Vector3) -> str:
    return " ".join(repr(float(v)) for v in values)
