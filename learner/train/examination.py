"""Examines an agent on experience that it is not taught, and leaves it as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from learner.agent import Agent
from learner.train.replay import Replay
from learner.train.sampling import UniformChunks
from learner.train.updates import Lesson, Update

MODEL = "model/"
Chunks = Mapping[str, np.ndarray]


def questions(replay: Replay, count: int, shape: tuple[int, int], seed: int) -> list[Chunks]:
    """Draw chunks to be asked about again and again; learning does not notice.

    Args:
        replay: experience.
        count: how many batches.
        shape: B and T of each.
        seed: equal ones draw the same.

    Returns:
        Batches (B, T, ...); none where no chunk is so long.
    """
    rng = np.random.default_rng(seed)
    drawn = [replay.peek(UniformChunks(), rng, *shape) for _ in range(count)]
    return [chunks for chunks in drawn if chunks is not None]


def examine(agent: Agent, batches: Sequence[Chunks], seed: int) -> dict[str, float]:
    """Mean losses of the world model on batches, by name, and their sum as "loss".

    Each is counted once, whatever weight training gives it. Nothing is learnt: weights, running
    statistics and random numbers are afterwards what they were.

    Args:
        agent: is examined.
        batches: (B, T, ...) as a replay draws them.
        seed: of its chances; equal ones give equal losses.
    """
    sums: dict[str, float] = {}
    updates = [update for update in agent.updates if isinstance(update, Update)]
    with untouched(agent), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for batch in batches:
            losses, updates = _model_losses(agent, batch, updates)
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + loss / len(batches)
    return {**sums, "loss": sum(sums.values())}


@contextmanager
def untouched(agent: Agent) -> Iterator[None]:
    """Put running statistics back when done, and build no graphs meanwhile."""
    before = {name: buffer.clone() for name, buffer in agent.named_buffers()}
    try:
        with torch.no_grad():
            yield
    finally:
        for name, buffer in agent.named_buffers():
            buffer.copy_(before[name])


def prepared(agent: Agent, batch: Chunks) -> dict[str, Tensor]:
    """A batch as the agent learns from it: (B, T, ...) tensors."""
    tensors = {key: torch.as_tensor(value) for key, value in batch.items()}
    for change in agent.diet.prepare:
        tensors = change(tensors)
    return tensors


def _model_losses(
    agent: Agent, batch: Chunks, updates: Sequence[Update]
) -> tuple[dict[str, float], list[Update]]:
    """Losses of the model by name, and those of the updates that tell any."""
    lesson, losses, telling = Lesson(prepared(agent, batch)), {}, []
    for update in updates:
        update.loss(lesson)
        names = [n for n in lesson.metrics if n.startswith(MODEL) and n not in losses]
        losses |= {name: float(lesson.metrics[name]) for name in names}
        telling += [update] if names else []
    return {name.removeprefix(MODEL): loss for name, loss in losses.items()}, telling
