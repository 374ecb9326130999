"""Fixtures of the learner's tests: a real robot's spec, tiny systems and made-up experience."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch

from learner.agent import Agent
from learner.systems import build_agent, make_settings
from robot.config import load_config
from robot.policy.observe import robot_spec
from robot.tasks import make_task
from robot.wire.spec import RobotSpec

SHARED = ("batch=4", "length=6", "deter=16", "units=16", "stoch=4", "classes=4", "horizon=3")
TINY = {
    "reverie": (*SHARED, "starts=6", "bins=21", "depth=2"),
    "daydreamer": (*SHARED, "hidden=16", "layers=2", "depth=2"),
}
PRESETS = {"reverie": "cpu", "daydreamer": "paper"}

MakeAgent = Callable[..., Agent]
MakeBatch = Callable[..., dict[str, np.ndarray]]


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random numbers in every test, on one thread: networks are too small for more."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def spec() -> RobotSpec:
    """What the A1 senses and does."""
    config = load_config("hardware_configs/a1.yaml")
    return robot_spec(config, make_task(config))


@pytest.fixture
def tiny(spec: RobotSpec) -> MakeAgent:
    """Build a system in small, in float32 unless changed."""

    def build(name: str, *changes: str, seed: int = 0) -> Agent:
        torch.manual_seed(seed)
        all_changes = [*TINY[name], "bfloat16=false", *changes]
        return build_agent(name, spec, make_settings(name, PRESETS[name], all_changes))

    return build


@pytest.fixture
def batch(spec: RobotSpec) -> MakeBatch:
    """Make up experience of an agent's keys, (B, T, ...), as the replay gives it."""

    def build(agent: Agent, rows: int = 4, length: int = 6, seed: int = 0) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        shapes = {key: spec.observation[key].shape for key in agent.keys}
        made = {k: rng.uniform(-1, 1, (rows, length, *s)) for k, s in shapes.items()}
        made["action"] = rng.uniform(-1, 1, (rows, length, *spec.action.shape))
        made["reward"] = rng.uniform(3, 7, (rows, length))
        floats = {k: v.astype(np.float32) for k, v in made.items()}
        flags = {k: np.zeros((rows, length), bool) for k in ("is_first", "is_last", "is_terminal")}
        flags["is_first"][:, 0] = True
        return {**floats, **flags}

    return build


@pytest.fixture
def as_tensors() -> Callable[[Mapping[str, np.ndarray]], dict[str, torch.Tensor]]:
    """Turn a batch into tensors."""
    return lambda made: {k: torch.as_tensor(v) for k, v in made.items()}
