"""Noise and delay of a twin's sensors."""

from __future__ import annotations

import numpy as np
import pytest

from robot.config import load_config
from robot.wire.messages import Reading
from sim.senses import Senses

A1 = "hardware_configs/a1.yaml"


def row() -> np.ndarray:
    raw = np.zeros(10 + 3 * 12 + 4)
    raw[0] = 1.0
    raw[-4:] = 30.0
    return raw


def readings(changes: list[str], count: int, seed: int = 0) -> list[Reading]:
    senses = Senses(load_config(A1, changes), row, seed)
    out = []
    for tick in range(count):
        senses.step(tick)
        out.append(senses.latest())
    return out


def test_noise_has_the_configured_deviations() -> None:
    taken = readings([], 4000)
    expected = {
        "gyro": 0.01,
        "accelerometer": 0.1,
        "joint_pos": 0.0005,
        "joint_vel": 0.02,
        "foot_force": 1.0,
    }
    for name, deviation in expected.items():
        values = np.array([getattr(reading, name) for reading in taken])
        np.testing.assert_allclose(values.std(axis=0), deviation, rtol=0.1, err_msg=name)


def test_orientation_noise_is_an_angle() -> None:
    quaternions = np.array([reading.quaternion for reading in readings([], 4000)])
    np.testing.assert_allclose(np.linalg.norm(quaternions, axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(2 * quaternions[:, 1:].std(axis=0), 0.002, rtol=0.1)


def test_without_noise_the_truth_is_read() -> None:
    keys = load_config(A1).twin.noise.model_dump()
    taken = readings([f"twin.noise.{key}=0" for key in keys], 5)
    for reading in taken:
        np.testing.assert_array_equal(reading.gyro, 0)
        np.testing.assert_array_equal(reading.foot_force, 30)


def test_a_foot_never_pulls() -> None:
    taken = readings(["twin.noise.foot_force_n=100"], 200)
    forces = np.array([reading.foot_force for reading in taken])
    assert forces.min() == 0.0 and forces.max() > 100


def test_noise_belongs_to_the_tick_and_not_to_the_call() -> None:
    every = readings([], 300)
    senses = Senses(load_config(A1), row, 0)
    for tick in range(300):
        senses.step(tick)
    np.testing.assert_array_equal(senses.latest().gyro, every[-1].gyro)


def test_readings_are_delayed_by_whole_ticks() -> None:
    taken = readings(["twin.latency_ms=7"], 50)
    assert [reading.stamp_ns for reading in taken[:10]] == [0] * 8 + [1, 2]
    assert taken[-1].stamp_ns == 49 - 7


def test_readings_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        readings([], 1)[0].joint_pos[0] = 1.0
