"""One configuration for every kind of machine: each in its own units, without what it lacks."""

from __future__ import annotations

import pytest

from robot.body.limits import Limits
from robot.config import ConfigError, LeggedTwin, RailTwin, RobotConfig, load_config
from robot.policy.observe import robot_spec
from robot.tasks import make_task

A1, POINT_MASS = "hardware_configs/a1.yaml", "hardware_configs/point_mass.yaml"


def test_a_joint_that_slides_has_its_limits_in_metres() -> None:
    limits = Limits.of(load_config(POINT_MASS))
    assert (limits.units, limits.effort_units) == (("m",), ("N",))
    assert (limits.lower[0], limits.upper[0], limits.velocity[0]) == (-0.5, 0.5, 2.0)
    assert limits.reach[0] == 0.2  # less than force_n / kp = 0.6
    weak = Limits.of(load_config(POINT_MASS, ["joints.slider.force_n=5"]))
    assert weak.reach[0] == pytest.approx(0.05)
    assert Limits.of(load_config(A1)).units == ("rad",) * 12


def test_a_machine_without_imu_and_legs_observes_neither() -> None:
    config = load_config(POINT_MASS)
    spec = robot_spec(config, make_task(config))
    keys = {"joint_pos", "joint_vel", "torque", "joint_target", "target"}
    assert spec.observation.keys() == keys
    assert {key: spec.observation[key].unit for key in ("joint_pos", "joint_vel", "torque")} == {
        "joint_pos": "m",
        "joint_vel": "m/s",
        "torque": "N",
    }
    assert spec.mirror == {} and spec.action.shape == (1,)


def test_the_a1_is_what_it_was() -> None:
    config = load_config(A1)
    assert robot_spec(config, make_task(config)).fingerprint() == "4169c81c46b9d2c3"
    assert isinstance(config.twin, LeggedTwin) and config.imu


@pytest.mark.parametrize("path", [A1, POINT_MASS])
def test_a_configuration_survives_being_written_and_read(path: str) -> None:
    config = load_config(path)
    assert RobotConfig.model_validate(config.model_dump(mode="json")) == config


def test_the_kind_of_a_twin_is_told_by_one_key_and_legs_are_the_default() -> None:
    assert isinstance(load_config(POINT_MASS).twin, RailTwin)
    with pytest.raises(ConfigError, match="twin: there is no 'arm'; allowed: 'legged', 'rail'"):
        load_config(POINT_MASS, ["twin.kind=arm"])


def test_asking_a_robot_for_what_it_is_not_says_what_it_is() -> None:
    config = load_config(POINT_MASS)
    with pytest.raises(ConfigError, match="twin.kind is rail; this needs a robot on legs"):
        _ = config.legged
    with pytest.raises(ConfigError, match="task.name is reach; this needs a robot that walks"):
        _ = config.walk


@pytest.mark.parametrize(
    ("path", "change", "said"),
    [
        (POINT_MASS, "imu=true", "twin.kind rail needs one joint that slides, no legs, and imu"),
        (POINT_MASS, "task={name: walk}", "task.name walk needs legs"),
        (POINT_MASS, "safety.tilt_allowed=false", "safety.tilt_allowed false needs imu true"),
        (POINT_MASS, "control.clip_to_measured_m=null", "clip_to_measured_m is missing"),
        (POINT_MASS, "joints.slider.torque_nm=3", "unknown key joints.slider.torque_nm; allowed"),
        (POINT_MASS, "joints.slider.upper_m=-1", "lower_m -0.5 must be below upper_m -1.0"),
        (POINT_MASS, "poses={}", "poses lacks home"),
        (POINT_MASS, "poses.home.slider=0.6", r"poses.home.slider is 0.6; allowed is \[-0.5, 0.5"),
        (POINT_MASS, "twin.start=standing", "twin.start: got 'standing'; input should be 'random'"),
        (
            POINT_MASS,
            "twin.friction=1",
            r"unknown key twin.friction \(did you mean 'friction_n'\?\); allowed here: start",
        ),
        (A1, "task={name: fly}", "task: there is no 'fly'; allowed: 'walk', 'reach'"),
        (A1, "task={}", "task: got {}; allowed is a section that names its kind"),
        (A1, "imu=false", "twin.kind legged needs legs, and imu true"),
        (A1, "twin.links.tail=1", "twin.links.tail: got 1"),
        (A1, "joints.FR_hip.force_n=1", "unknown key joints.FR_hip.force_n; allowed here: used"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(
    path: str, change: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        load_config(path, [change])
    assert "\n" not in str(refused.value)


def test_any_robot_may_reach() -> None:
    config = load_config(A1, ["task={name: reach}"])
    spec = robot_spec(config, make_task(config))
    assert spec.observation["target"].shape == (12,) and "gravity" in spec.observation


def test_how_a_log_is_kept_decides_no_run() -> None:
    plain = load_config(A1)
    changes = ["log.file_mb=5", "log.weights_mb=null", "cameras.front.logged=jpeg"]
    kept = load_config(A1, changes)
    assert kept.log.file_mb == 5 and kept.log.weights_mb is None
    assert kept.deciding() == plain.deciding() != kept.model_dump(mode="json")
    assert "log" not in plain.deciding() and "logged" not in plain.deciding()["cameras"]["front"]


@pytest.mark.parametrize(
    ("changes", "kind", "heard"),
    [
        ([], "", False),
        (["observed=true"], "png", True),
        (["observed=true", "logged=none"], "", True),
        (["logged=jpeg"], "jpeg", True),
        (["observed=true", "logged=jpeg"], "jpeg", True),
    ],
)
def test_pictures_that_are_seen_are_logged_exactly_unless_said(
    changes: list[str], kind: str, heard: bool
) -> None:
    camera = load_config(A1, [f"cameras.front.{change}" for change in changes]).cameras["front"]
    assert (camera.log_kind, camera.heard) == (kind, heard)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["cameras.front.logged=gif"], "cameras.front.logged: got 'gif'"),
        (["cameras.front.logged=jpeg", "cameras.front.depth_m=2"], "allowed: png, none"),
        (["log.file_mb=0"], "log.file_mb: got 0; input should be greater than 0"),
        (["log.size=3"], "unknown key log.size"),
    ],
)
def test_a_log_that_cannot_be_kept_so_is_refused(changes: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(A1, changes)
