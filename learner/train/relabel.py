"""Gives experience another reward, so that a task can be learnt that nobody knew of at the time.

Nothing is collected: a replay that is filled with relabelled steps teaches the reward head, and the
head teaches a behaviour in dreams (Plan2Explore, arXiv 2005.05960, zero-shot).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from learner.train.trainer import Trainer
from robot.wire.transition import Transition

# Judges one step by what was observed; called for all steps of a stream in their order.
Judge = Callable[[Transition], float]


def relabelled(steps: Iterable[Transition], judge: Judge) -> Iterator[Transition]:
    """The same steps with the reward that `judge` gives for arriving in each.

    Steps that are not valid are passed on as they are; they are never learnt from.

    Raises:
        ValueError: for a reward that is not finite, naming the step.
    """
    for step in steps:
        yield _rewarded(step, judge(step)) if step.valid else step


def _rewarded(step: Transition, reward: float) -> Transition:
    if not np.isfinite(reward):
        raise ValueError(f"reward {reward} of step {step.index}, run {step.run}: must be finite")
    return replace(step, arrays={**step.arrays, "reward": np.array(reward, np.float32)})


def refill(trainer: Trainer, steps: Iterable[Transition], judge: Judge) -> None:
    """Fill an empty replay with relabelled steps.

    Raises:
        ValueError: when the replay holds steps already, whose rewards would be of another task.
    """
    if len(trainer.replay):
        raise ValueError(f"the replay holds {len(trainer.replay)} steps; it must be empty")
    for step in relabelled(steps, judge):
        trainer.add(step)


def practise(trainer: Trainer, updates: int, done: Callable[[int], None] = lambda _: None) -> None:
    """Learn from what the replay holds, whether or not new experience allows it.

    Args:
        trainer: with enough in its replay.
        updates: how many to make.
        done: told the number of updates made after each.

    Raises:
        ValueError: when the replay has no chunk to draw.
        FloatingPointError: when a loss is no longer finite.
    """
    for made in range(1, updates + 1):
        trainer.update()
        done(made)
