"""One machine, whole: what `hardware_configs/*.yaml` holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from robot.config.joints import JointConfig, Leg, Unit
from robot.config.log import LogConfig
from robot.config.reading import ConfigError, Strict, apply_change, check_config, read_yaml
from robot.config.spelling import nearest
from robot.config.tasks import PickPlaceTask, TaskConfig, WalkTask
from robot.config.twins import LeggedTwin, RailTwin, TwinConfig


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
    clip_to_measured_rad: float | None = Field(gt=0, le=3.2, default=None)
    clip_to_measured_m: float | None = Field(gt=0, le=1.0, default=None)

    def clip_to_measured(self, unit: Unit) -> float:
        """How far a target may lie from the measured position of a joint that moves in `unit`.

        Raises:
            ValueError: when the configuration does not say.
        """
        distance = {"rad": self.clip_to_measured_rad, "m": self.clip_to_measured_m}[unit]
        if distance is None:
            raise ValueError(f"control.clip_to_measured_{unit} is missing: there are such joints")
        return distance

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
    command_rate_m_s: float = Field(gt=0, default=10.0)
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

    def command_rate(self, unit: Unit) -> float:
        """Fastest that a target may move, for a joint that moves in `unit`."""
        return {"rad": self.command_rate_rad_s, "m": self.command_rate_m_s}[unit]

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
    """One camera: its picture, its rate, whether the agent sees it, and how it is logged.

    Args:
        logged: how the robot process keeps its pictures: png exactly, jpeg not, none not at all;
            unless said, png of those that the agent sees.
        depth_m: where a fourth channel ends, which tells distance: 0 is at the camera, 255 at this
            distance and beyond. Without, there is none.
    """

    height: int = Field(ge=8, le=2160)
    width: int = Field(ge=8, le=3840)
    hz: float = Field(gt=0, le=120)
    mount: Literal["front", "chase"] = "front"
    observed: bool = False
    depth_m: float | None = Field(gt=0, default=None)
    device: str = ""
    logged: Literal["png", "jpeg", "none"] | None = None

    @property
    def log_kind(self) -> str:
        """How its pictures are logged: "png", "jpeg", or "" for not at all."""
        said = self.logged or ("png" if self.observed else "none")
        return "" if said == "none" else said

    @property
    def heard(self) -> bool:
        """Whether the robot process takes its pictures."""
        return self.observed or bool(self.log_kind)

    @model_validator(mode="after")
    def _keepable(self) -> Self:
        if self.logged == "jpeg" and self.depth_m is not None:
            raise ValueError("logged jpeg has no room for distance (depth_m); allowed: png, none")
        return self

    @property
    def channels(self) -> int:
        """Of its picture: red, green, blue, and distance where it is told."""
        return 3 if self.depth_m is None else 4


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
    """One machine, whole: what `hardware_configs/*.yaml` holds.

    Args:
        imu: whether it feels turning and gravity; without, no attitude is observed or judged.
        legs: of a machine that walks; none for one that is bolted down.
        poses: that its starts need: "stand" and "fold" on legs, "home" on a rail.
        learner: settings that learning systems get for this robot, as with `--set learner.KEY`; a
            system that has no such setting goes without.
        log: how a run's log is kept.
    """

    robot: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,30}$")
    control: Control
    joints: dict[str, JointConfig]
    imu: bool = True
    legs: dict[str, Leg] = {}
    poses: dict[Literal["stand", "fold", "home"], dict[str, float]]
    mirror_legs: tuple[tuple[str, str], ...] = ()
    safety: Safety = Safety()
    cameras: dict[str, CameraConfig] = {}
    task: TaskConfig
    hardware: Hardware
    twin: TwinConfig
    scheduling: Scheduling = Scheduling()
    endpoints: dict[str, str] = {}
    learner: dict[str, Any] = {}
    log: LogConfig = LogConfig()

    def deciding(self) -> dict[str, Any]:
        """JSON-ready, without what decides nothing: how the log is kept."""
        kept = {"log": True, "cameras": {"__all__": {"logged"}}}
        return self.model_dump(mode="json", exclude=kept)

    @property
    def walk(self) -> WalkTask:
        """Its task, which must be walking.

        Raises:
            ConfigError: when it is another.
        """
        if not isinstance(self.task, WalkTask):
            raise ConfigError(f"task.name is {self.task.name}; this needs a robot that walks")
        return self.task

    @property
    def legged(self) -> LeggedTwin:
        """How it is simulated, which must be on legs.

        Raises:
            ConfigError: when it is not.
        """
        if not isinstance(self.twin, LeggedTwin):
            raise ConfigError(f"twin.kind is {self.twin.kind}; this needs a robot on legs")
        return self.twin

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for fault in (self._joint_fault(), self._pose_fault(), self._leg_fault(), self._misfit()):
            if fault:
                raise ValueError(fault)
        for joint in self.joints.values():
            self.control.clip_to_measured(joint.unit)
        return self

    def _joint_fault(self) -> str:
        for where, used in self._joint_uses():
            for name in used:
                if name not in self.joints:
                    return f"{where}: unknown joint '{name}'; joints has {', '.join(self.joints)}"
        return "" if self.joints else "joints: there must be one"

    def _pose_fault(self) -> str:
        for pose, positions in self.poses.items():
            missing = [n for n in self.joints if n not in positions]
            if missing:
                return f"poses.{pose} lacks {', '.join(missing)}"
            for name, position in positions.items():
                joint = self.joints[name]
                if not joint.lower <= position <= joint.upper:
                    allowed = f"[{joint.lower}, {joint.upper}]"
                    return f"poses.{pose}.{name} is {position}; allowed is {allowed}"
        needed = [name for name in self.twin.poses if name not in self.poses]
        return f"poses lacks {', '.join(needed)}" if needed else ""

    def _leg_fault(self) -> str:
        for leg in (leg for pair in self.mirror_legs for leg in pair):
            if leg not in self.legs:
                return f"mirror_legs: unknown leg '{leg}'; legs has {', '.join(self.legs)}"
        return ""

    def _misfit(self) -> str:
        """Why machine, twin, task and safety do not go together, "" when they do."""
        units = [joint.unit for joint in self.joints.values()]
        if isinstance(self.twin, LeggedTwin) and not (self.legs and self.imu):
            return "twin.kind legged needs legs, and imu true"
        if isinstance(self.twin, RailTwin) and (self.legs or self.imu or units != ["m"]):
            return "twin.kind rail needs one joint that slides, no legs, and imu false"
        if isinstance(self.task, WalkTask) and not self.legs:
            return "task.name walk needs legs"
        if isinstance(self.task, PickPlaceTask) and (misfit := self.task.misfit(self.joints)):
            return misfit
        if not (self.imu or self.safety.tilt_allowed):
            return "safety.tilt_allowed false needs imu true: nothing else tells a tilt"
        return ""

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
        raise ConfigError(f"no robot configuration at {path}{_others(path)}")
    data = read_yaml(path.read_bytes().decode(errors="replace"), str(path))
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must hold a mapping of keys, got {type(data).__name__}")
    for change in changes:
        apply_change(data, change)
    return check_config(RobotConfig, data, str(path))


def _others(path: Path) -> str:
    """Which configurations there are, here and beside a missing one, and which was meant."""
    found = {*Path("hardware_configs").glob("*.yaml"), *path.parent.glob("*.yaml")}
    if path.is_dir():
        found |= set(path.glob("*.yaml"))
    known = {p.stem: str(p) for p in sorted(found)}
    near = known.get(nearest(path.stem, known), "")
    meant = f" (did you mean '{near}'?)" if near else ""
    return f"{meant}; there are: {', '.join(known.values()) or 'none here'}"
