"""The strict configuration of one robot: every hardware number, checked before anything moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

T = TypeVar("T", bound=BaseModel)
Vector3 = tuple[float, float, float]
Start = Literal["standing", "folded", "on_back", "random_fall"]


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names key, value and what is allowed."""


class Strict(BaseModel):
    """A section: unknown keys, infinities and later changes are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Joint(Strict):
    """One joint: its limits, the part of its range that actions reach, and its gains."""

    lower_rad: float
    upper_rad: float
    used: tuple[float, float] = (0.0, 1.0)
    velocity_rad_s: float = Field(gt=0)
    torque_nm: float = Field(gt=0)
    kp: float = Field(ge=0)
    kd: float = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower_rad >= self.upper_rad:
            raise ValueError(f"lower_rad {self.lower_rad} must be below upper_rad {self.upper_rad}")
        if not 0 <= self.used[0] < self.used[1] <= 1:
            raise ValueError(f"used {self.used} must be two growing fractions in [0, 1]")
        return self

    @property
    def action_range_rad(self) -> tuple[float, float]:
        """Angles that the actions -1 and 1 stand for."""
        span = self.upper_rad - self.lower_rad
        return self.lower_rad + self.used[0] * span, self.lower_rad + self.used[1] * span


class Leg(Strict):
    """One leg: its joints from the trunk outwards, and its geometry in the trunk's frame."""

    joints: tuple[str, str, str]
    hip_m: Vector3
    abduction_m: float
    thigh_m: float = Field(gt=0)
    calf_m: float = Field(gt=0)
    foot_radius_m: float = Field(gt=0)


class Filter(Strict):
    """Butterworth low-pass on the commanded angles."""

    order: int = Field(ge=1, le=4)
    cutoff_hz: float = Field(gt=0)


class Control(Strict):
    """Rates of the loops and what lies between a command and the motors."""

    inner_hz: int = Field(ge=50, le=2000)
    control_hz: int = Field(ge=1, le=200)
    sensors_hz: int = Field(ge=1, le=2000)
    filter: Filter
    clip_to_measured_rad: float = Field(gt=0, le=3.2)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name in ("control_hz", "sensors_hz"):
            if self.inner_hz % getattr(self, name):
                raise ValueError(f"{name} must divide inner_hz {self.inner_hz}")
        if self.sensors_hz % self.control_hz:
            raise ValueError(f"control_hz must divide sensors_hz {self.sensors_hz}")
        if self.filter.cutoff_hz >= self.control_hz / 2:
            raise ValueError("filter.cutoff_hz must be below half of control_hz")
        return self


class Safety(Strict):
    """When the body process stops trusting others. All limits are on by default."""

    rising_s: float = Field(gt=0, default=1.0)
    command_stale_periods: int = Field(ge=1, default=4)
    sensor_stale_periods: int = Field(ge=2, default=20)
    sensor_frozen_periods: int = Field(ge=10, default=200)
    hold_s: float = Field(gt=0, default=1.0)
    bad_commands: int = Field(ge=1, default=3)
    command_rate_rad_s: float = Field(gt=0, default=60.0)
    velocity_margin: float = Field(ge=1, default=1.5)
    torque_damping_s: float = Field(gt=0, default=1.0)
    tilt_allowed: bool = True
    tilt_min_up: float = Field(ge=-1, le=1, default=0.5)
    temperature_warn_c: float = 50.0
    temperature_stop_c: float = 60.0
    voltage_warn_v: float = 21.0
    voltage_stop_v: float = 19.5
    deadman_s: float | None = Field(gt=0, default=None)
    weights_warn_s: float = Field(gt=0, default=60.0)
    weights_hold_s: float = Field(gt=0, default=600.0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.temperature_warn_c >= self.temperature_stop_c:
            raise ValueError("temperature_warn_c must be below temperature_stop_c")
        if self.voltage_stop_v >= self.voltage_warn_v:
            raise ValueError("voltage_stop_v must be below voltage_warn_v")
        if self.weights_warn_s >= self.weights_hold_s:
            raise ValueError("weights_warn_s must be below weights_hold_s")
        return self


class CameraConfig(Strict):
    """One camera: its picture, its rate and whether the agent sees it."""

    height: int = Field(ge=8, le=2160)
    width: int = Field(ge=8, le=3840)
    hz: float = Field(gt=0, le=120)
    mount: Literal["front", "chase"] = "front"
    observed: bool = False
    device: str = ""


class WalkTask(Strict):
    """Get up and walk forward (DayDreamer, arXiv 2206.14176)."""

    name: Literal["walk"]
    reward: Literal["published", "walk_upright"] = "published"
    episode_steps: int = Field(ge=1, default=250)
    target_velocity_m_s: float = Field(gt=0, default=0.3)
    velocity_window_s: float = Field(gt=0, default=0.15)
    contact_force_n: float = Field(gt=0, default=20.0)
    stand_height_m: float = Field(gt=0, default=0.24)


class Noise(Strict):
    """Standard deviations of the white noise that a twin adds to its sensors."""

    gyro_rad_s: float = Field(ge=0, default=0.01)
    accelerometer_m_s2: float = Field(ge=0, default=0.1)
    orientation_rad: float = Field(ge=0, default=0.002)
    joint_pos_rad: float = Field(ge=0, default=0.0005)
    joint_vel_rad_s: float = Field(ge=0, default=0.02)
    foot_force_n: float = Field(ge=0, default=1.0)


class Link(Strict):
    """Mass of one link, for the trunk or the left front leg, which the others mirror."""

    mass_kg: float = Field(gt=0)
    centre_m: Vector3
    inertia_kg_m2: tuple[float, float, float, float, float, float]
    size_m: Vector3


class TwinConfig(Strict):
    """How the robot is simulated."""

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
    links: dict[Literal["trunk", "hip", "thigh", "calf"], Link]

    @model_validator(mode="after")
    def _all_links(self) -> Self:
        missing = {"trunk", "hip", "thigh", "calf"} - set(self.links)
        if missing:
            raise ValueError(f"links lacks {', '.join(sorted(missing))}")
        return self


class Hardware(Strict):
    """The device behind the robot, for runs without a twin."""

    driver: Literal["unitree_a1", "fake"]
    address: str = ""
    bind: str = ""


class Scheduling(Strict):
    """What the body process asks of the operating system; what it got is printed and logged."""

    realtime_priority: int = Field(ge=0, le=99, default=50)
    core: int | None = None


class RobotConfig(Strict):
    """One machine, whole: what `hardware_configs/*.yaml` holds."""

    robot: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,30}$")
    control: Control
    joints: dict[str, Joint]
    legs: dict[str, Leg]
    poses: dict[Literal["stand", "fold"], dict[str, float]]
    mirror_legs: tuple[tuple[str, str], ...] = ()
    safety: Safety = Safety()
    cameras: dict[str, CameraConfig] = {}
    task: WalkTask
    hardware: Hardware
    twin: TwinConfig
    scheduling: Scheduling = Scheduling()
    endpoints: dict[str, str] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = list(self.joints)
        for where, used in self._joint_uses():
            for name in used:
                if name not in self.joints:
                    raise ValueError(
                        f"{where}: unknown joint '{name}'; joints has {', '.join(names)}"
                    )
        for pose, angles in self.poses.items():
            missing = [n for n in names if n not in angles]
            if missing:
                raise ValueError(f"poses.{pose} lacks {', '.join(missing)}")
            for name, angle in angles.items():
                joint = self.joints[name]
                if not joint.lower_rad <= angle <= joint.upper_rad:
                    allowed = f"[{joint.lower_rad}, {joint.upper_rad}]"
                    raise ValueError(f"poses.{pose}.{name} is {angle}; allowed is {allowed}")
        for leg in (leg for pair in self.mirror_legs for leg in pair):
            if leg not in self.legs:
                raise ValueError(
                    f"mirror_legs: unknown leg '{leg}'; legs has {', '.join(self.legs)}"
                )
        return self

    def _joint_uses(self) -> list[tuple[str, Sequence[str]]]:
        legs: list[tuple[str, Sequence[str]]] = [
            (f"legs.{name}.joints", leg.joints) for name, leg in self.legs.items()
        ]
        return legs + [(f"poses.{name}", list(pose)) for name, pose in self.poses.items()]


def load_config(path: str | Path, changes: Sequence[str] = ()) -> RobotConfig:
    """Read a robot's YAML file, apply `a.b=c` changes, and check all of it.

    Raises:
        ConfigError: one line that names the key, the value and what is allowed.
    """
    path = Path(path)
    if not path.is_file():
        known = ", ".join(sorted(str(p) for p in Path("hardware_configs").glob("*.yaml")))
        raise ConfigError(f"no robot configuration at {path}; there are: {known or 'none here'}")
    try:
        data = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {str(error).replace(chr(10), ' ')}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must hold a mapping of keys, got {type(data).__name__}")
    for change in changes:
        apply_change(data, change)
    return check_config(RobotConfig, data, str(path))


def apply_change(data: dict[str, Any], change: str) -> None:
    """Set one dotted key, `a.b=c`, with `c` read as YAML.

    Raises:
        ConfigError: when the text is no assignment or the path runs through a plain value.
    """
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {change}: write key=value, such as task.reward=walk_upright")
    *parents, last = key.split(".")
    node = data
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            raise ConfigError(f"--set {change}: '{parent}' is a value, not a section")
    node[last] = yaml.safe_load(text)


def check_config(model: type[T], data: Mapping[str, Any], source: str) -> T:
    """Build `model` from `data`.

    Raises:
        ConfigError: the first fault, in one line.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_explain(model, error)}") from error


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "file"
    if first["type"] == "extra_forbidden":
        allowed = ", ".join(_section(model, first["loc"][:-1]).model_fields)
        return f"unknown key {where}; allowed here: {allowed}"
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "value_error":
        return f"{where}: {str(first.get('ctx', {}).get('error'))}"
    return f"{where}: got {first['input']!r}; {first['msg'].lower()}"


def _section(model: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    """Follow field names down to the section's model."""
    node: Any = model
    for part in path:
        if isinstance(node, type) and issubclass(node, BaseModel):
            node = node.model_fields[str(part)].annotation
        else:
            node = get_args(node)[-1]
    return node
