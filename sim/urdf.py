"""Pieces of URDF text with primitive shapes, for both engines."""

from __future__ import annotations

from collections.abc import Sequence

from robot.config import Joint, Link, Vector3

# Without these MuJoCo welds the base to the world and drops the colours; PyBullet skips them.
MUJOCO = '<mujoco><compiler fusestatic="false" discardvisual="false"/></mujoco>'
KINDS = {"rad": "revolute", "m": "prismatic"}


def document(name: str, parts: Sequence[str]) -> str:
    """A whole robot of links and joints."""
    body = "\n".join([MUJOCO, *parts])
    return f'<?xml version="1.0"?>\n<robot name="{name}">\n{body}\n</robot>\n'


def link_text(name: str, link: Link, shapes: str) -> str:
    """A link with its mass and its shapes."""
    keys = ("ixx", "iyy", "izz", "ixy", "ixz", "iyz")
    inertia = " ".join(f'{k}="{v}"' for k, v in zip(keys, link.inertia_kg_m2, strict=True))
    return (
        f'<link name="{name}">\n'
        f'  <inertial><origin xyz="{words(link.centre_m)}" rpy="0 0 0"/>'
        f'<mass value="{link.mass_kg}"/><inertia {inertia}/></inertial>\n'
        f"{shapes}</link>"
    )


def joint_text(
    name: str, joint: Joint, links: tuple[str, str], origin: Vector3, axis: str, dynamics: str
) -> str:
    """A joint between a parent and a child link, along or about an axis such as "0 1 0"."""
    parent, child = links
    return (
        f'<joint name="{name}" type="{KINDS[joint.unit]}">\n'
        f'  <parent link="{parent}"/><child link="{child}"/>\n'
        f'  <origin xyz="{words(origin)}" rpy="0 0 0"/><axis xyz="{axis}"/>\n'
        f'  <limit lower="{joint.lower}" upper="{joint.upper}"'
        f' effort="{joint.effort}" velocity="{joint.velocity}"/>\n'
        f"  {dynamics}\n"
        "</joint>"
    )


def dynamics_text(damping: float, friction: float) -> str:
    """How a joint rubs."""
    return f'<dynamics damping="{damping}" friction="{friction}"/>'


def shape(geometry: str, centre: Vector3, colour: Vector3, rpy: str = "0 0 0") -> str:
    """A shape that is both seen and touched."""
    touched = (
        f'  <collision><origin xyz="{words(centre)}" rpy="{rpy}"/>'
        f"<geometry>{geometry}</geometry></collision>\n"
    )
    return touched + visual(geometry, centre, colour, rpy)


def visual(geometry: str, centre: Vector3, colour: Vector3, rpy: str = "0 0 0") -> str:
    """A shape that is only seen."""
    shade = f"{words(colour)} 1"
    return (
        f'  <visual><origin xyz="{words(centre)}" rpy="{rpy}"/><geometry>{geometry}</geometry>'
        f'<material name="{shade.replace(" ", "_")}"><color rgba="{shade}"/></material></visual>\n'
    )


def box(size: Vector3) -> str:
    """Geometry of a box with these edges in m."""
    return f'<box size="{words(size)}"/>'


def words(values: Vector3) -> str:
    """Three numbers as text, exactly."""
    return " ".join(repr(float(v)) for v in values)
