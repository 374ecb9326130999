"""Joints, each in its own unit, and legs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from robot.config.reading import Strict

Unit = Literal["rad", "m"]
Vector3 = tuple[float, float, float]


class Joint(Strict):
    """What every joint has, in the joint's own unit: its limits, used range and gains.

    kp is effort per position and kd effort per speed.

    Attributes:
        unit: of its position.
        effort_unit: of what its motor gives.
    """

    unit: ClassVar[Unit]
    effort_unit: ClassVar[str]

    used: tuple[float, float] = (0.0, 1.0)
    kp: float = Field(ge=0)
    kd: float = Field(ge=0)

    @property
    @abstractmethod
    def lower(self) -> float:
        """Lower stop."""

    @property
    @abstractmethod
    def upper(self) -> float:
        """Upper stop."""

    @property
    @abstractmethod
    def velocity(self) -> float:
        """Greatest speed."""

    @property
    @abstractmethod
    def effort(self) -> float:
        """Greatest torque or force."""

    @property
    def action_range(self) -> tuple[float, float]:
        """Positions that the actions -1 and 1 stand for."""
        span = self.upper - self.lower
        return self.lower + self.used[0] * span, self.lower + self.used[1] * span

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        unit = self.unit
        if self.lower >= self.upper:
            raise ValueError(f"lower_{unit} {self.lower} must be below upper_{unit} {self.upper}")
        if not 0 <= self.used[0] < self.used[1] <= 1:
            raise ValueError(f"used {self.used} must be two growing fractions in [0, 1]")
        return self


class Revolute(Joint):
    """A joint that turns."""

    unit: ClassVar[Unit] = "rad"
    effort_unit: ClassVar[str] = "N m"

    lower_rad: float
    upper_rad: float
    velocity_rad_s: float = Field(gt=0)
    torque_nm: float = Field(gt=0)

    @property
    def lower(self) -> float:
        """Lower stop, rad."""
        return self.lower_rad

    @property
    def upper(self) -> float:
        """Upper stop, rad."""
        return self.upper_rad

    @property
    def velocity(self) -> float:
        """Greatest speed, rad/s."""
        return self.velocity_rad_s

    @property
    def effort(self) -> float:
        """Greatest torque, N m."""
        return self.torque_nm


class Prismatic(Joint):
    """A joint that slides."""

    unit: ClassVar[Unit] = "m"
    effort_unit: ClassVar[str] = "N"

    lower_m: float
    upper_m: float
    velocity_m_s: float = Field(gt=0)
    force_n: float = Field(gt=0)

    @property
    def lower(self) -> float:
        """Lower stop, m."""
        return self.lower_m

    @property
    def upper(self) -> float:
        """Upper stop, m."""
        return self.upper_m

    @property
    def velocity(self) -> float:
        """Greatest speed, m/s."""
        return self.velocity_m_s

    @property
    def effort(self) -> float:
        """Greatest force, N."""
        return self.force_n


def _kind(joint: Any) -> str:
    """The units in its keys tell what a joint is."""
    keys = joint if isinstance(joint, Mapping) else getattr(type(joint), "model_fields", ())
    return "prismatic" if {"lower_m", "upper_m"} & set(keys) else "revolute"


JointConfig = Annotated[
    Annotated[Revolute, Tag("revolute")] | Annotated[Prismatic, Tag("prismatic")],
    Discriminator(_kind),
]


class Leg(Strict):
    """One leg: its joints from the trunk outwards, and its geometry in the trunk's frame."""

    joints: tuple[str, str, str]
    hip_m: Vector3
    abduction_m: float
    thigh_m: float = Field(gt=0)
    calf_m: float = Field(gt=0)
    foot_radius_m: float = Field(gt=0)
