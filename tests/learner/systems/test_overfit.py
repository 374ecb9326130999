"""One batch learnt by heart: whatever else is wrong, a sound model can do this."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from learner.systems import build_agent, make_settings
from learner.train.updates import Lesson
from robot.wire.spec import RobotSpec, box, image

ROWS, LENGTH, FREE = 2, 6, 0.5
ROBOT = RobotSpec({"camera": image(64, 64)}, box(-1, 1, (2,)), 20.0)
SMALL = (
    *(f"batch={ROWS}", f"length={LENGTH}", "deter=64", "hidden=32", "units=32", "stoch=8"),
    *("classes=8", "layers=1", "depth=8", "lr_model=2e-3", f"free_nats={FREE}"),
    *("bfloat16=false", "keys=[camera]"),
)


def scenes(rng: np.random.Generator) -> np.ndarray:
    """A square of any colour at any place in every picture, so that none can be foretold."""
    pictures = np.full((ROWS, LENGTH, 64, 64, 3), 30, np.uint8)
    for picture in pictures.reshape(-1, 64, 64, 3):
        y, x = rng.integers(0, 48, 2)
        picture[y : y + 16, x : x + 16] = rng.integers(100, 256, 3)
    return pictures


def chunk() -> dict[str, Tensor]:
    rng, flags = np.random.default_rng(0), np.zeros((ROWS, LENGTH), bool)
    first = flags.copy()
    first[:, 0] = True
    made = {
        "camera": scenes(rng),
        "action": rng.uniform(-1, 1, (ROWS, LENGTH, 2)).astype(np.float32),
        "reward": rng.normal(size=(ROWS, LENGTH)).astype(np.float32),
        **{"is_first": first, "is_last": flags, "is_terminal": flags},
    }
    return {key: torch.as_tensor(value) for key, value in made.items()}


def missed(model: Any, batch: dict[str, Tensor]) -> float:
    """Mean distance of reconstructed pixels from the true ones, both in [0, 1]."""
    with torch.no_grad():
        told = model.decoder(model.observe(batch).states.feat)["camera"]
    return float((told - batch["camera"] / 255).abs().mean())


def test_pictures_are_learnt_by_heart_and_told_by_the_latents():
    """Image loss falls to a tenth, while more than the free nats go through the latents."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    agent: Any = build_agent("dreamer_v2", ROBOT, make_settings("dreamer_v2", "cpu", SMALL))
    batch, history = chunk(), []
    before = missed(agent.model, batch)
    for _ in range(80):
        lesson = Lesson(batch)
        agent.updates[0](lesson)
        history.append({name: float(value) for name, value in lesson.metrics.items()})
    assert history[-1]["model/image"] < history[0]["model/image"] / 10
    assert history[-1]["model/kl"] > 2 * FREE >= 2 * history[0]["model/kl"]
    assert missed(agent.model, batch) < before / 4
