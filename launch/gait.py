"""How a quadruped walks, measured from what truly happened: posture, speed and every foot's steps.

A reward can be earned by crawling. These figures cannot: a walk keeps the trunk level and high,
moves forward, and lifts each foot in turn while others stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

UP = 0.95
HIGH_M = 0.20
# A foot that loses touch for a shorter time, or rises less, was dragged or bounced.
SHORTEST_SWING_S = 0.04
SHORTEST_STANCE_S = 0.02
LOWEST_LIFT_M = 0.01


@dataclass(frozen=True)
class Motion:
    """What truly happened, sampled evenly. T samples, F feet, world frame.

    Args:
        hz: samples per second.
        position: (T, 3) m of the trunk.
        quaternion: (T, 4) wxyz of the trunk.
        velocity: (T, 3) m/s of the trunk.
        foot_height: (T, F) m of each foot's lowest point above the floor.
        foot_contact: (T, F) bool, whether each foot touches the floor.
        body_contact: (T,) bool, whether trunk, hip or thigh touches the floor.
    """

    hz: float
    position: np.ndarray
    quaternion: np.ndarray
    velocity: np.ndarray
    foot_height: np.ndarray
    foot_contact: np.ndarray
    body_contact: np.ndarray


@dataclass(frozen=True)
class Foot:
    """How one foot steps.

    Args:
        swings: whole swings: off the floor, high enough, and down again.
        swings_per_s: their rate.
        duty: share of time on the floor.
        lift_m: mean of the highest points of its swings, 0 without any.
    """

    swings: int
    swings_per_s: float
    duty: float
    lift_m: float


@dataclass(frozen=True)
class Gait:
    """Figures of one stretch of motion.

    Args:
        seconds: its length.
        up: mean z component of the trunk's up axis; 1 is level.
        up_share: share of time in which that was above 0.95.
        height_m: mean height of the trunk.
        high_share: share of time in which that was above 0.20 m.
        forward_m_s: mean velocity along the heading; backward counts against forward.
        displacement_m: distance on the floor between beginning and end.
        turn_rad_s: mean turning rate to the left.
        body_contact_share: share of time in which trunk, hip or thigh touched the floor.
        support_share: of the time in which some foot swings, the share in which another stands.
        feet: each foot, in the order of the configuration's legs.
    """

    seconds: float
    up: float
    up_share: float
    height_m: float
    high_share: float
    forward_m_s: float
    displacement_m: float
    turn_rad_s: float
    body_contact_share: float
    support_share: float
    feet: tuple[Foot, ...]


def measure(motion: Motion) -> Gait:
    """Compute the figures of a stretch of motion; T must be at least 2."""
    up = _up(motion.quaternion)
    heading = _heading(motion.quaternion)
    path = motion.position[:, :2]
    swinging = _swinging(motion)
    turned = np.unwrap(np.arctan2(heading[:, 1], heading[:, 0]))
    seconds = len(up) / motion.hz
    return Gait(
        seconds=seconds,
        up=float(up.mean()),
        up_share=float((up > UP).mean()),
        height_m=float(motion.position[:, 2].mean()),
        high_share=float((motion.position[:, 2] > HIGH_M).mean()),
        forward_m_s=float((motion.velocity[:, :2] * heading).sum(axis=1).mean()),
        displacement_m=float(np.linalg.norm(path[-1] - path[0])),
        turn_rad_s=float((turned[-1] - turned[0]) / seconds),
        body_contact_share=float(motion.body_contact.mean()),
        support_share=_support(swinging),
        feet=tuple(_foot(motion, swinging[:, foot], foot) for foot in range(swinging.shape[1])),
    )


def pool(gaits: Sequence[Gait]) -> Gait:
    """Figures of several stretches together: means weighted by time, swings summed."""
    weights = np.array([gait.seconds for gait in gaits])
    scalars = [name for name in Gait.__dataclass_fields__ if name not in ("seconds", "feet")]
    means = {
        name: float(np.average([getattr(gait, name) for gait in gaits], weights=weights))
        for name in scalars
    }
    feet = tuple(_pool_feet(feet, weights) for feet in zip(*(g.feet for g in gaits), strict=True))
    return Gait(seconds=float(weights.sum()), feet=feet, **means)


@dataclass(frozen=True)
class Check:
    """One line of the gate: a figure, what it must be, and whether it is."""

    name: str
    figure: float
    needed: str
    passes: bool


def walking_gate(gait: Gait) -> list[Check]:
    """Judge whether this is walking. The numbers are ours: what a calm A1 trot keeps with ease."""
    slowest = min(foot.swings_per_s for foot in gait.feet)
    return [
        at_least("share of time level, up axis above 0.95", gait.up_share, 0.9),
        at_least("share of time high, above 0.20 m", gait.high_share, 0.9),
        at_least("forward speed, m/s", gait.forward_m_s, 0.25),
        at_least("swings per second, laziest foot", slowest, 0.5),
        at_least("share of swings with a foot standing", gait.support_share, 0.8),
        _at_most("share of time on trunk, hip or thigh", gait.body_contact_share, 0),
    ]


def at_least(name: str, figure: float, limit: float) -> Check:
    """A line that passes from a limit on."""
    return Check(name, figure, f"at least {limit:g}", figure >= limit)


def weakest(checks: Sequence[Check]) -> Check:
    """Of one line of several gates, that which passes last."""
    rising = checks[0].needed.startswith("at least")
    return (min if rising else max)(checks, key=lambda check: check.figure)


def _at_most(name: str, figure: float, limit: float) -> Check:
    return Check(name, figure, f"at most {limit:g}", figure <= limit)


def _up(quaternion: np.ndarray) -> np.ndarray:
    """(T, 4) -> (T,) z component of the body's z axis."""
    _, x, y, _ = quaternion.T
    return 1 - 2 * (x * x + y * y)


def _heading(quaternion: np.ndarray) -> np.ndarray:
    """(T, 4) -> (T, 2) unit forward direction on the floor; zero where the trunk points upright."""
    w, x, y, z = quaternion.T
    forward = np.stack((1 - 2 * (y * y + z * z), 2 * (x * y + w * z)), axis=1)
    length = np.linalg.norm(forward, axis=1, keepdims=True)
    return np.divide(forward, length, out=np.zeros_like(forward), where=length > 1e-6)


def _swinging(motion: Motion) -> np.ndarray:
    """(T, F) bool, whether each foot is within a real swing."""
    swinging = np.zeros(motion.foot_contact.shape, bool)
    for foot, contact in enumerate(motion.foot_contact.T):
        for start, end in _runs(~_steady(contact, motion.hz)):
            lifted = motion.foot_height[start:end, foot].max() >= LOWEST_LIFT_M
            swinging[start:end, foot] = lifted
    return swinging


def _steady(contact: np.ndarray, hz: float) -> np.ndarray:
    """(T,) contact without short losses of touch, then without short touches."""
    steady = contact.astype(bool)
    for value, shortest_s in ((False, SHORTEST_SWING_S), (True, SHORTEST_STANCE_S)):
        for start, end in _runs(steady == value):
            inside = start > 0 and end < len(steady)
            if inside and end - start < round(shortest_s * hz):
                steady[start:end] = not value
    return steady


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """(T,) bool -> [start, end) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _foot(motion: Motion, swinging: np.ndarray, foot: int) -> Foot:
    """Figures of one foot; swings that the stretch cuts off are not counted."""
    whole = [(a, b) for a, b in _runs(swinging) if a > 0 and b < len(swinging)]
    tops = [float(motion.foot_height[a:b, foot].max()) for a, b in whole]
    duty = float(_steady(motion.foot_contact[:, foot], motion.hz).mean())
    rate = len(whole) * motion.hz / len(swinging)
    return Foot(len(whole), rate, duty, float(np.mean(tops)) if tops else 0.0)


def _support(swinging: np.ndarray) -> float:
    some, every = swinging.any(axis=1).sum(), swinging.all(axis=1).sum()
    return float(1 - every / some) if some else 0.0


def _pool_feet(feet: Sequence[Foot], weights: np.ndarray) -> Foot:
    swings = sum(foot.swings for foot in feet)
    duty = float(np.average([foot.duty for foot in feet], weights=weights))
    lifts = sum(foot.lift_m * foot.swings for foot in feet)
    rate = swings / float(weights.sum())
    return Foot(swings, rate, duty, lifts / swings if swings else 0.0)
