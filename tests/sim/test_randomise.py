"""Twins that differ by seed."""

from __future__ import annotations

import pytest

from robot.clock import SteppedClock
from robot.config import load_config
from sim.mujoco_body import MujocoBody
from sim.randomise import Ranges, randomise

CONFIG = load_config("hardware_configs/a1.yaml")


def test_equal_seeds_give_equal_twins_and_others_differ() -> None:
    assert randomise(CONFIG, 1) == randomise(CONFIG, 1)
    assert randomise(CONFIG, 1) != randomise(CONFIG, 2)


def test_only_the_twin_changes() -> None:
    changed = randomise(CONFIG, 1)
    assert changed.twin != CONFIG.twin
    assert changed.model_copy(update={"twin": CONFIG.twin}) == CONFIG


def test_every_figure_stays_in_its_range() -> None:
    ranges = Ranges()
    for seed in range(50):
        twin = randomise(CONFIG, seed).legged
        assert ranges.friction[0] <= twin.friction <= ranges.friction[1]
        assert 0 <= twin.payload_kg <= 2 and 0 <= twin.latency_ms <= 15
        assert 1.25 * 0.9 <= twin.gain_scale <= 1.25 * 1.1
        for name, link in twin.links.items():
            factor = link.mass_kg / CONFIG.twin.links[name].mass_kg
            assert 0.9 <= factor <= 1.1
            expected = CONFIG.twin.links[name].inertia_kg_m2[0] * factor
            assert link.inertia_kg_m2[0] == pytest.approx(expected)


def test_an_impossible_range_is_refused() -> None:
    with pytest.raises(ValueError, match="latency_ms"):
        randomise(CONFIG, 0, Ranges(latency_ms=(80.0, 90.0)))


def test_a_randomised_twin_runs_with_its_own_mass() -> None:
    config = randomise(CONFIG, 5)
    body = MujocoBody(config, SteppedClock())
    legs = sum(config.twin.links[name].mass_kg for name in ("hip", "thigh", "calf"))
    trunk = config.twin.links["trunk"].mass_kg
    assert body.model.body_mass.sum() == pytest.approx(trunk + 4 * legs + config.legged.payload_kg)


def test_a_cart_on_a_rail_varies_too() -> None:
    config = load_config("hardware_configs/point_mass.yaml")
    drawn = [randomise(config, seed).twin for seed in range(20)]
    masses = [twin.links["cart"].mass_kg for twin in drawn]
    assert 0.9 <= min(masses) < 0.95 and 1.05 < max(masses) <= 1.1
    assert len({twin.latency_ms for twin in drawn}) == 20
    body = MujocoBody(randomise(config, 3), SteppedClock())
    assert body.model.body("cart").mass[0] == pytest.approx(masses[3])
