"""Perturbations: what each does to a twin, on both engines."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from robot.body.interface import MotorCommand, Twin
from robot.clock import SteppedClock
from robot.config import CameraConfig, RobotConfig, load_config
from sim.perturb import KINDS, Perturbation, perturbed_config, perturbed_twin
from sim.scene import make_twin

CART = load_config("hardware_configs/point_mass.yaml")
A1 = load_config("hardware_configs/a1.yaml")
ENGINES = ["mujoco", *(["pybullet"] if importlib.util.find_spec("pybullet") else [])]
TICK_NS = round(1e9 / CART.control.inner_hz)


def opened(engine: str, *perturbations: Perturbation) -> tuple[Twin, SteppedClock]:
    clock, config = SteppedClock(), perturbed_config(CART, perturbations)
    twin = perturbed_twin(make_twin(engine, config, clock), config, perturbations)
    twin.reset("home", 3)
    return twin, clock


def live(twin: Twin, clock: SteppedClock, ticks: int) -> np.ndarray:
    """True place of the cart after each tick, (N,) m."""
    places = []
    for _ in range(ticks):
        clock.advance(TICK_NS)
        twin.advance()
        places.append(float(twin.truth().state[7]))
    return np.array(places)


def limp() -> MotorCommand:
    return MotorCommand(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1))


def driven(force_n: float) -> MotorCommand:
    return MotorCommand(np.zeros(1), np.zeros(1), np.zeros(1), np.array([force_n]))


@pytest.mark.parametrize("engine", ENGINES)
def test_shoves_come_after_the_soft_start_and_every_two_seconds(engine: str) -> None:
    twin, clock = opened(engine, Perturbation("push", 0.3))
    twin.write(limp())
    first = round((CART.safety.rising_s + 1.0) * CART.control.inner_hz)
    places = live(twin, clock, first + 20)
    assert np.ptp(places[:first]) < 1e-4
    assert abs(places[-1] - places[first - 1]) > 1e-4
    twin.reset("home", 3)
    np.testing.assert_array_equal(live(twin, clock, first + 20), places)  # the same seed
    twin.reset("home", 4)
    assert live(twin, clock, first + 20)[-1] != places[-1]


def test_a_shove_gives_its_whole_impulse() -> None:
    given: list[np.ndarray] = []
    twin, clock = opened("mujoco", Perturbation("push", 0.3))
    inner = twin.inner  # pyright: ignore[reportAttributeAccessIssue]
    inner.push = given.append
    live(twin, clock, round(6 * CART.control.inner_hz))
    assert len(given) == 3  # at 1.5, 3.5 and 5.5 s
    np.testing.assert_allclose([np.linalg.norm(push) for push in given], 0.3)
    assert all(push[2] == 0 for push in given) and not np.allclose(given[0], given[1])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_heavier_cart_is_slower_by_newtons_law(engine: str) -> None:
    # Without friction a cart of mass m goes F t^2 / 2 m; only the ratio of both is looked at.
    gone = []
    for mass in (0.0, 1.0):
        twin, clock = opened(engine, Perturbation("payload", mass), Perturbation("friction", 0.01))
        twin.write(driven(2.0))
        gone.append(live(twin, clock, 12)[-1])
    assert gone[0] / gone[1] == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("engine", ENGINES)
def test_motors_obey_so_many_ticks_later(engine: str) -> None:
    delay_ms = 50.0
    ticks = 3  # at 60 Hz
    twin, clock = opened(engine)
    twin.write(driven(2.0))
    prompt = live(twin, clock, 12)
    twin, clock = opened(engine, Perturbation("command_latency", delay_ms))
    twin.write(limp())
    live(twin, clock, ticks + 1)
    twin.write(driven(2.0))
    late = live(twin, clock, 12 + ticks)
    np.testing.assert_allclose(late[ticks:], prompt, atol=1e-5)
    assert np.ptp(late[:ticks]) < 1e-6


def test_stopping_is_never_late() -> None:
    twin, clock = opened("mujoco", Perturbation("command_latency", 20.0))
    twin.write(driven(2.0))
    twin.stop()
    assert np.ptp(live(twin, clock, 100)) < 1e-6


def test_readings_come_later_with_their_old_stamps() -> None:
    twin, clock = opened("mujoco", Perturbation("sensor_latency", 50.0))
    live(twin, clock, 20)
    assert clock.now_ns() - twin.read().stamp_ns == 3 * TICK_NS


@pytest.mark.parametrize("engine", ENGINES)
def test_light_scales_every_picture_and_white_stays_white(engine: str) -> None:
    usual = opened(engine)[0].render("chase", 24, 32).astype(float)
    dark = opened(engine, Perturbation("light", 0.5))[0].render("chase", 24, 32)
    bright = opened(engine, Perturbation("light", 3.0))[0].render("chase", 24, 32)
    np.testing.assert_allclose(dark, usual / 2, atol=1)
    np.testing.assert_allclose(bright, np.minimum(usual * 3, 255), atol=2)


def test_a_loaded_walker_weighs_more_and_its_floor_is_what_was_asked_for() -> None:
    asked = Perturbation("payload", 2.0), Perturbation("friction", 0.3)
    twin = perturbed_config(A1, asked).twin
    assert (twin.payload_kg, twin.friction) == (2.0, 0.3)  # pyright: ignore
    assert perturbed_config(A1, ()).twin == A1.twin


def test_what_the_robot_process_reads_stays() -> None:
    every = [Perturbation(name, kind.strengths(A1)[0]) for name, kind in KINDS.items()]
    changed = perturbed_config(A1, every)
    assert changed.model_copy(update={"twin": A1.twin}) == A1


def seeing(config: RobotConfig) -> RobotConfig:
    cameras = {n: c.model_copy(update={"observed": True}) for n, c in config.cameras.items()}
    assert all(isinstance(camera, CameraConfig) for camera in cameras.values())
    return config.model_copy(update={"cameras": cameras})


@pytest.mark.parametrize("config", [A1, CART], ids=["legs", "rail"])
def test_usual_strengths_are_allowed_and_only_light_needs_a_camera(config: RobotConfig) -> None:
    for name, kind in KINDS.items():
        strengths = kind.strengths(config)
        assert len(strengths) >= 3
        assert all(kind.least <= strength <= kind.most for strength in strengths)
        for strength in strengths:
            perturbed_config(config, [Perturbation(name, strength)])
        assert bool(kind.obstacle(config)) == (name == "light")
        assert not kind.obstacle(seeing(config))
