"""A cart on a level rail, from its numbers to one description for every engine.

The base is the rail, which lies along y and is bolted to the world above the floor's origin. The
cart touches nothing: its joint's stops are the ends of its way.
"""

from __future__ import annotations

import numpy as np

from robot.config import Link, RailTwin, RobotConfig
from sim.anatomy import Anatomy, Eye
from sim.urdf import box, document, dynamics_text, joint_text, link_text, visual

THICK_M = 0.02
CART_COLOUR = (1.00, 0.60, 0.15)
RAIL_COLOUR = (0.75, 0.75, 0.78)
EYE_FIELD_DEG = 45.0
EYE_AT_M = np.array([-1.1, 0.0, 0.7])  # from 1.3 m a square picture spans 1.08 m at 45 degrees


def rail(config: RobotConfig, twin: RailTwin) -> Anatomy:
    """What engines must know of a cart on a rail."""
    return Anatomy(
        urdf=_urdf(config, twin),
        base="rail",
        bolted_at_m=(0.0, 0.0, twin.height_m),
        links=("rail", "cart"),
        pushed="cart",
        feet=(),
        eye=_eye(),
        armature=0.0,
        damping=twin.damping_n_s_m,
        dry_friction=twin.friction_n,
        contact_friction=1.0,
        self_collision=False,
    )


def _eye() -> Eye:
    """Stands behind the rail and looks ahead, down at it."""
    forward = -EYE_AT_M / np.linalg.norm(EYE_AT_M)
    up = np.array([-forward[2], 0.0, forward[0]])
    return Eye(EYE_AT_M, forward, up, EYE_FIELD_DEG)


def _urdf(config: RobotConfig, twin: RailTwin) -> str:
    ((name, joint),) = config.joints.items()
    cart = twin.links["cart"]
    rubs = dynamics_text(twin.damping_n_s_m, twin.friction_n)
    place = (0.0, 0.0, (cart.size_m[2] + THICK_M) / 2)
    parts = (
        _rail(twin, joint.lower, joint.upper),
        link_text("cart", cart, visual(box(cart.size_m), (0, 0, 0), CART_COLOUR)),
        joint_text(name, joint, ("rail", "cart"), place, "0 1 0", rubs),
    )
    return document(config.robot, parts)


def _rail(twin: RailTwin, lower: float, upper: float) -> str:
    """The rail, as long as the cart's way and the cart; its mass is of no account."""
    size = (THICK_M, upper - lower + twin.links["cart"].size_m[1], THICK_M)
    centre = (0.0, (upper + lower) / 2, 0.0)
    link = Link(mass_kg=1.0, centre_m=centre, inertia_kg_m2=(1, 1, 1, 0, 0, 0), size_m=size)
    return link_text("rail", link, visual(box(size), centre, RAIL_COLOUR))
