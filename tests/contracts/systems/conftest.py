"""Robots of every kind, every system in its smallest, and experience that fits both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from learner.agent import Agent
from learner.systems import SYSTEMS, build_agent, make_settings
from robot.wire.spec import RobotSpec, box, discrete, image

ROWS, LENGTH = 2, 4
JOINTS, GYRO = {"joints": box(-2, 2, (3,))}, {"gyro": box(-1, 1, (2,))}
COLOUR, RANGE = {"camera": image(64, 64)}, {"range": image(64, 64, 1)}
SEES: dict[str, dict[str, Any]] = {
    "vectors": JOINTS | GYRO,
    "pictures": COLOUR,
    "depth": RANGE,
    "colour with depth": {"camera": image(64, 64, 4)},
    "all": JOINTS | GYRO | COLOUR | RANGE,
}
DOES = {"moves": box(-1, 1, (2,)), "choices": discrete(3)}

SHARED = (
    *("batch=2", f"length={LENGTH}", "deter=16", "units=12", "stoch=4", "horizon=3"),
    "bfloat16=false",
)
DREAMER = ("layers=1", "depth=2", "starts=0")
CLASSES, PLAIN = ("classes=4",), ("hidden=12", "ends=true", "free_nats=0")
SMALLEST: dict[str, tuple[str, ...]] = {
    "reverie": (*DREAMER, *CLASSES, "bins=11", "mirror=false"),
    "world_models": ("head_layers=1", "population=4", "rollouts=2", "evolve_after=0"),
    "daydreamer": (*DREAMER, *CLASSES, "hidden=12"),
    "planet": (*PLAIN, "layers=1", "depth=2", "candidates=8", "iterations=1", "overshooting=2"),
    "dreamer_v1": (*DREAMER, *PLAIN),
    "dreamer_v2": (*DREAMER, *PLAIN, *CLASSES),
    "dreamer_v3": (*DREAMER, *CLASSES, "hidden=8", "blocks=4", "bins=11"),
    "dreamer_v3_2023": (*DREAMER, *CLASSES, "bins=11"),
    "plan2explore": (*DREAMER, *CLASSES, "hidden=12", "look=3", "members=2", "member_units=8"),
}

Make = Callable[..., Agent]
Experience = Callable[..., dict[str, np.ndarray]]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tiny networks are slower on more."""
    torch.set_num_threads(1)


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> str:
    """Name of a system."""
    return request.param


@pytest.fixture(params=DOES)
def does(request: pytest.FixtureRequest) -> str:
    """What a robot does: a key of `DOES`."""
    return request.param


@pytest.fixture(params=SEES)
def sees(request: pytest.FixtureRequest) -> str:
    """What a robot sees: a key of `SEES`."""
    return request.param


@pytest.fixture
def robot() -> Callable[[str, str], RobotSpec]:
    """A robot that sees and does as it is said."""
    return lambda sees, does: RobotSpec(SEES[sees], DOES[does], 20.0)


@pytest.fixture
def make(robot: Callable[[str, str], RobotSpec]) -> Make:
    """Build a system in its smallest for a robot that sees and does as it is said."""

    def build(system: str, sees: str, does: str, *changes: str, seed: int = 0) -> Agent:
        torch.manual_seed(seed)
        keys = f"keys=[{', '.join(SEES[sees])}]"
        settings = make_settings(system, "cpu", [*SHARED, *SMALLEST[system], keys, *changes])
        return build_agent(system, robot(sees, does), settings)

    return build


@pytest.fixture
def experience() -> Experience:
    """Chunks (B, T, ...) of anything; one ends in the middle."""

    def made(sees: str, does: str, seed: int = 0) -> dict[str, np.ndarray]:
        rng, found = np.random.default_rng(seed), {}
        for key, spec in SEES[sees].items():
            shape = (ROWS, LENGTH, *spec.shape)
            values = rng.integers(0, 256, shape) if spec.is_image else rng.normal(size=shape)
            found[key] = values.astype(spec.dtype)
        action, count = DOES[does], ROWS * LENGTH
        moves = rng.uniform(-1, 1, (count, action.shape[0]))
        chosen = np.eye(action.shape[0])[rng.integers(action.shape[0], size=count)]
        actions = (chosen if action.is_discrete else moves).astype(np.float32)
        found["action"] = actions.reshape(ROWS, LENGTH, -1)
        found["reward"] = rng.normal(size=(ROWS, LENGTH)).astype(np.float32)
        for key in ("is_first", "is_last", "is_terminal"):
            found[key] = np.zeros((ROWS, LENGTH), bool)
        found["is_first"][:, 0] = found["is_first"][1, 2] = True
        found["is_last"][1, 1] = found["is_terminal"][1, 1] = True
        return found

    return made
