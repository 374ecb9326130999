"""Insight: what an agent's world model makes of its experience, looked at without touching it.

Chunks and noise have dice of their own, so that a run learns bit for bit what it would have learnt
unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from learner.agent import Agent
from learner.model.open_loop import Foretold, foretell
from learner.train.replay import Replay
from learner.train.sampling import EpisodeChunks, UniformChunks


@dataclass(frozen=True)
class Glance:
    """How much is looked at.

    Args:
        context: C, steps that the model observes (5 in Dreamer, arXiv 1912.01603, figure 4).
        horizon: H, steps that it then foretells (45 there).
        chunks: B, of experience.
        futures: K, dreams of each, over which predictions are averaged.
    """

    context: int = 5
    horizon: int = 45
    chunks: int = 12
    futures: int = 4

    @property
    def length(self) -> int:
        """T, steps of a chunk."""
        return self.context + self.horizon


def look(agent: Agent, replay: Replay, glance: Glance, seed: Sequence[int]) -> Foretold | None:
    """Let an agent's model foretell chunks of its experience; learning does not notice.

    Chunks lie within closed episodes where there are such that are long enough, and anywhere else.
    Rewards are told as the agent learns them, with what it subtracts; all else as it was sensed.

    Args:
        agent: whose model is looked into.
        replay: its experience.
        glance: how much.
        seed: of what is drawn; equal ones give equal looks.

    Returns:
        What was foretold, or None while no chunk is long enough.
    """
    rng = np.random.default_rng(seed)
    samplers = EpisodeChunks(prioritise_ends=False), UniformChunks()
    drawn = (replay.peek(sampler, rng, glance.chunks, glance.length) for sampler in samplers)
    chunks = next((found for found in drawn if found is not None), None)
    if chunks is None:
        return None
    batch = {key: torch.as_tensor(value) for key, value in chunks.items()}
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**63)))
        changed = batch
        for change in agent.diet.prepare:
            changed = change(changed)
        rewarded = {**batch, "reward": changed["reward"]}
        return foretell(agent.model, rewarded, glance.context, glance.futures)
