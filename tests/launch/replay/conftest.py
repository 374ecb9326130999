"""Small runs to replay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from launch import cli

CONFIGS = Path(__file__).parents[3] / "hardware_configs"
SMALL = (
    *("learner.prefill=60", "learner.pretrain=2", "learner.batch=2", "learner.length=8"),
    *("learner.units=16", "learner.deter=16", "learner.layers=1", "learner.starts=4"),
    *("learner.stoch=2", "learner.classes=4", "learner.bins=15", "learner.sync_steps=10"),
    *("learner.depth=2", "learner.steps_per_update=20"),
)
Train = Callable[..., Path]


def train(run: Path, minutes: float, *changes: str, robot: str = "point_mass") -> Path:
    """A run in lock-step; the same folder again makes it longer."""
    words = [word for change in (*SMALL, *changes) for word in ("--set", change)]
    config = str(CONFIGS / f"{robot}.yaml")
    lockstep = ("--twin", "mujoco", "--clock", "lockstep")
    asked = ["train", config, "--minutes", str(minutes), "--run", str(run), *lockstep, *words]
    assert cli.main(asked) == 0
    return run


@pytest.fixture(scope="session")
def small() -> tuple[str, ...]:
    """Changes that make a system tiny."""
    return SMALL


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 160 steps, of which the process made the last 60 in a second life."""
    folder = tmp_path_factory.mktemp("replay") / "run"
    train(folder, 100 / 1200)
    return train(folder, 160 / 1200)


@pytest.fixture(scope="session")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 80 steps that sees pictures."""
    folder = tmp_path_factory.mktemp("replay") / "seeing"
    return train(
        folder, 80 / 1200, "cameras.front.observed=true", "learner.keys=[image_front, target]"
    )


@pytest.fixture(scope="session")
def glancing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 70 steps whose camera is logged, and not observed."""
    folder = tmp_path_factory.mktemp("replay") / "glancing"
    return train(folder, 70 / 1200, "cameras.front.logged=jpeg")


@pytest.fixture(scope="session")
def legs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 70 steps of a machine on legs."""
    folder = tmp_path_factory.mktemp("replay") / "legs"
    rates = ("control.inner_hz=500", "control.sensors_hz=100")
    return train(folder, 70 / 1200, *rates, robot="a1")
