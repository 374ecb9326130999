"""Units that recordings come in, and what makes SI units of them."""

from __future__ import annotations

import math

G_M_S2 = 9.80665  # standard gravity (CGPM 1901)
# Unit of a recording: (unit that is kept, factor).
UNITS: dict[str, tuple[str, float]] = {
    "1": ("1", 1.0),
    "rad": ("rad", 1.0),
    "deg": ("rad", math.pi / 180),
    "turn": ("rad", 2 * math.pi),
    "rad/s": ("rad/s", 1.0),
    "deg/s": ("rad/s", math.pi / 180),
    "rpm": ("rad/s", 2 * math.pi / 60),
    "m": ("m", 1.0),
    "mm": ("m", 1e-3),
    "m/s": ("m/s", 1.0),
    "mm/s": ("m/s", 1e-3),
    "m/s^2": ("m/s^2", 1.0),
    "g": ("m/s^2", G_M_S2),
    "N": ("N", 1.0),
    "N m": ("N m", 1.0),
    "A": ("A", 1.0),
    "V": ("V", 1.0),
    "C": ("C", 1.0),
    "quaternion": ("1", 1.0),
}
TIMES: dict[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def known(unit: str) -> str:
    """The unit itself.

    Raises:
        ValueError: for an unknown one, naming those that there are.
    """
    if unit not in UNITS:
        raise ValueError(f"there is no unit '{unit}'; allowed: {', '.join(UNITS)}")
    return unit
