"""The doctor: finds what is there, names what is taken, and leaves everything as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launch.doctor import (
    Finding,
    examine,
    look_at_cores,
    run_doctor,
    try_endpoints,
    try_engine,
    try_role,
    try_scheduling,
)
from robot.config import ConfigError, RobotConfig, load_config
from robot.wire.sockets import RobotLock, open_receiver
from robot.wire.streams import Endpoints

A1 = Path(__file__).parents[2] / "hardware_configs/a1.yaml"


@pytest.fixture(autouse=True)
def own_sockets(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep away from robots that run here."""
    monkeypatch.setenv("REVERIE_SOCKETS", str(endpoints.directory))
    yield


def robot(*changes: str) -> RobotConfig:
    return load_config(A1, changes)


@pytest.mark.slow
def test_a_computer_that_can_run_the_robot_is_told_so(capsys: pytest.CaptureFixture[str]):
    findings = list(examine(robot(), None))
    assert [finding for finding in findings if finding.verdict == "bad"] == []
    names = [finding.what for finding in findings]
    for what in ("configuration", "twin mujoco", "drawing", "video", "scheduling", "endpoints"):
        assert what in names
    assert run_doctor(A1) == 0
    assert "This computer can run it." in capsys.readouterr().out


def test_a_taken_role_and_a_taken_endpoint_are_bad_and_named(endpoints: Endpoints):
    with RobotLock(endpoints, "body"):
        found = try_role(endpoints, "body")
        assert found.verdict == "bad" and "already has a body process" in found.said
        assert try_role(endpoints, "learner").verdict == "ok"
    assert try_role(endpoints, "body").verdict == "ok"
    port = open_receiver(endpoints, "command")
    found = try_endpoints(endpoints, ["front"], None)
    port.close()
    assert found.verdict == "bad" and endpoints.of("command") in found.said
    assert "sensors" not in found.said
    assert try_endpoints(endpoints, ["front"], None).verdict == "ok"


def test_an_endpoint_that_leaves_this_computer_without_keys_is_bad():
    far = Endpoints("a1", {"weights": "tcp://0.0.0.0:5599"}, Path("/tmp/unused"))
    assert "needs keys" in try_endpoints(far, [], None).said


def test_a_core_that_does_not_exist_is_bad():
    assert look_at_cores(robot("scheduling.core=4096")).verdict == "bad"
    assert "allowed is 0 to" in look_at_cores(robot("scheduling.core=4096")).said
    assert look_at_cores(robot()).verdict in ("ok", "note")


def test_scheduling_is_tried_in_another_process_and_refusals_are_only_noted():
    switch = sys.getswitchinterval()
    assert try_scheduling(robot("scheduling.realtime_priority=0")).verdict == "ok"
    refused = try_scheduling(robot("scheduling.core=4096"))
    assert refused.verdict == "note" and "core 4096" in refused.said
    assert sys.getswitchinterval() == switch


def test_an_engine_that_is_not_installed_is_only_noted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pybullet", None)
    found = try_engine("pybullet", robot())
    assert found.verdict == "note" and "--twin mujoco" in found.said


def test_bad_findings_give_exit_code_1_and_a_bad_configuration_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def one_bad(*_: object) -> Iterator[Finding]:
        yield Finding("cores", "bad", "none left")
        yield Finding("disk", "note", "little")

    monkeypatch.setattr("launch.doctor.examine", one_bad)
    assert run_doctor(A1) == 1
    assert "none left" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="foo"):
        run_doctor(A1, ["foo=1"])
