"""How a robot is simulated: what its twins weigh, how they rub, what their sensors add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal, NamedTuple, get_args

from pydantic import AfterValidator, Discriminator, Field, Tag

from robot.config.joints import Vector3
from robot.config.reading import Strict, chosen_by

Start = Literal["standing", "folded", "on_back", "random_fall"]
RailStart = Literal["random", "home"]


class Deviations(NamedTuple):
    """Standard deviations of a twin's sensors: rad, rad/s, m/s^2, joint units, N m or N, N."""

    orientation: float = 0.0
    gyro: float = 0.0
    accelerometer: float = 0.0
    joint_pos: float = 0.0
    joint_vel: float = 0.0
    torque: float = 0.0
    foot_force: float = 0.0


class Noise(Strict):
    """Standard deviations of the white noise that a twin on legs adds to its sensors."""

    gyro_rad_s: float = Field(ge=0, default=0.01)
    accelerometer_m_s2: float = Field(ge=0, default=0.1)
    orientation_rad: float = Field(ge=0, default=0.002)
    joint_pos_rad: float = Field(ge=0, default=0.0005)
    joint_vel_rad_s: float = Field(ge=0, default=0.02)
    foot_force_n: float = Field(ge=0, default=1.0)

    @property
    def deviations(self) -> Deviations:
        """The same, for any machine."""
        return Deviations(
            orientation=self.orientation_rad,
            gyro=self.gyro_rad_s,
            accelerometer=self.accelerometer_m_s2,
            joint_pos=self.joint_pos_rad,
            joint_vel=self.joint_vel_rad_s,
            foot_force=self.foot_force_n,
        )


class RailNoise(Strict):
    """Standard deviations of the white noise that a twin on a rail adds to its sensors."""

    joint_pos_m: float = Field(ge=0, default=0.0002)
    joint_vel_m_s: float = Field(ge=0, default=0.005)

    @property
    def deviations(self) -> Deviations:
        """The same, for any machine."""
        return Deviations(joint_pos=self.joint_pos_m, joint_vel=self.joint_vel_m_s)


class Link(Strict):
    """Mass and shape of one link."""

    mass_kg: float = Field(gt=0)
    centre_m: Vector3
    inertia_kg_m2: tuple[float, float, float, float, float, float]
    size_m: Vector3


def _exactly(*names: str) -> Callable[[dict[str, Link]], dict[str, Link]]:
    """A check that these links are there, and no others."""

    def check(links: dict[str, Link]) -> dict[str, Link]:
        missing, more = set(names) - set(links), set(links) - set(names)
        if missing:
            raise ValueError(f"links lacks {', '.join(sorted(missing))}")
        if more:
            raise ValueError(f"no link is called {sorted(more)[0]}; allowed: {', '.join(names)}")
        return links

    return check


class LeggedTwin(Strict):
    """A trunk on legs, alike but for their sides, on a floor.

    Args:
        links: the trunk and the left front leg, which the others mirror.
    """

    root: ClassVar[str] = "trunk"
    poses: ClassVar[tuple[str, ...]] = ("stand", "fold")
    starts: ClassVar[tuple[str, ...]] = get_args(Start)

    start: Start = "on_back"
    friction: float = Field(gt=0, default=0.8)
    armature_kg_m2: float = Field(ge=0, default=0.01)
    joint_damping: float = Field(ge=0, default=0.01)
    joint_friction_nm: float = Field(ge=0, default=0.2)
    gain_scale: float = Field(gt=0, default=1.0)
    self_collision: bool = True
    payload_kg: float = Field(ge=0, le=20, default=0.0)
    latency_ms: float = Field(ge=0, le=50, default=0.0)
    noise: Noise = Noise()
    links: Annotated[dict[str, Link], AfterValidator(_exactly("trunk", "hip", "thigh", "calf"))]
    kind: Literal["legged"] = "legged"


class RailTwin(Strict):
    """A cart on a level rail that is bolted down; the one joint slides it.

    Args:
        height_m: of the rail above the floor; it lies along y, across the front camera's picture.
        links: the cart; its frame is where the joint reads 0.
    """

    root: ClassVar[str] = "cart"
    poses: ClassVar[tuple[str, ...]] = ("home",)
    starts: ClassVar[tuple[str, ...]] = get_args(RailStart)

    start: RailStart = "random"
    height_m: float = Field(gt=0, default=0.1)
    friction_n: float = Field(ge=0, default=0.05)
    damping_n_s_m: float = Field(ge=0, default=0.1)
    gain_scale: float = Field(gt=0, default=1.0)
    latency_ms: float = Field(ge=0, le=50, default=0.0)
    noise: RailNoise = RailNoise()
    links: Annotated[dict[str, Link], AfterValidator(_exactly("cart"))]
    kind: Literal["rail"] = "rail"


TwinConfig = Annotated[
    Annotated[LeggedTwin, Tag("legged")] | Annotated[RailTwin, Tag("rail")],
    Discriminator(chosen_by("kind", "legged")),
]
