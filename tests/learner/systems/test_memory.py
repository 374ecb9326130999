"""Who remembers in the T-maze: PlaNet's model, and its rival without a memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from learner.systems import build_agent, make_settings
from learner.train.updates import Lesson
from robot.wire.spec import RobotSpec, box
from sim.mazes import TMaze

CORRIDOR, ROWS = 6, 32
ROBOT = RobotSpec({"vector": box(-1, 1, (3,))}, box(-1, 1, (1,)), 20.0)
SMALL = (
    *(f"batch={ROWS}", f"length={CORRIDOR + 2}", "deter=32", "hidden=32", "units=32", "stoch=8"),
    *("layers=1", "free_nats=1", "reward_scale=100", "lr=3e-3", "bfloat16=false"),
)
RIGHT = np.ones(1, np.float32)


def always_right() -> dict[str, np.ndarray]:
    """Both lives (2, T, ...) of who turns right whatever the cue: one is paid 1, the other -1."""
    lives: dict[float, tuple[list, list]] = {}
    for seed in range(20):
        maze = TMaze(CORRIDOR)
        seen, rewards, ended = [maze.reset(seed=seed)[0]], [0.0], False
        while not ended:
            observation, reward, ended, *_ = maze.step(RIGHT)
            seen.append(observation)
            rewards.append(reward)
        lives[rewards[-1]] = seen, rewards
    assert lives.keys() == {1.0, -1.0}
    seen, rewards = (np.array(part, np.float32) for part in zip(*lives.values(), strict=True))
    return {"vector": seen, "reward": rewards}


def batches(rows: int, seed: int) -> Any:
    """Batches (B, T, ...) of such lives; actions in the corridor, which lead nowhere, vary."""
    rng, lives = np.random.default_rng(seed), always_right()
    flags = np.zeros((rows, CORRIDOR + 2), bool)
    first, last = flags.copy(), flags.copy()
    first[:, 0], last[:, -1] = True, True
    while True:
        drawn = rng.integers(2, size=rows)
        action = rng.uniform(-1, 1, (rows, CORRIDOR + 2, 1)).astype(np.float32)
        action[:, CORRIDOR] = RIGHT
        made = {key: life[drawn] for key, life in lives.items()}
        made |= {"action": action, "is_first": first, "is_last": last, "is_terminal": last}
        yield {key: torch.as_tensor(value) for key, value in made.items()}


def surprise(model: Any, batch: dict[str, Tensor]) -> float:
    """Mean squared error of the last reward, which is 1 for who guesses, and 0 for who knows."""
    with torch.no_grad():
        foretold = model.reward(model.observe(batch).states.feat)[:, -1]
    return float((foretold - batch["reward"][:, -1]).square().mean())


@pytest.mark.slow
def test_a_cue_is_kept_by_the_rssm_and_lost_by_the_ssm():
    torch.set_num_threads(1)
    found = {}
    for kind in ("rssm", "ssm"):
        torch.manual_seed(0)
        settings = make_settings("planet", "cpu", [*SMALL, f"dynamics={kind}"])
        agent: Any = build_agent("planet", ROBOT, settings)
        for _, batch in zip(range(300), batches(ROWS, seed=0), strict=False):
            agent.updates[0](Lesson(batch))
        found[kind] = surprise(agent.model, next(batches(500, seed=1)))
    assert found["rssm"] < 0.1 and found["ssm"] > 0.8
