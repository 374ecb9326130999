"""Moments of a log: each step, what there was to see, and what a model thinks of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from launch.replay.footage import Painter, Pictures, camera_of, footage
from launch.replay.lives import Life
from launch.replay.minds import NO_THOUGHT, Mind, Thought, read_mind
from robot.wire.transition import Transition


@dataclass(frozen=True)
class Moment:
    """A step, and what there is to see and to think of it.

    Args:
        step: of the log.
        seen: pictures of cameras, by name.
        thought: the model's, if there is one.
    """

    step: Transition
    seen: Pictures
    thought: Thought


def moments(life: Life, run: Path) -> Iterator[Moment]:
    """All steps of a life, in order, with what the run's newest checkpoint thinks of them.

    Raises:
        ConfigError: when the log does not say enough, or the checkpoint is of another run.
    """
    agent = read_mind(run, life.any_plan)
    mind = None if agent is None else Mind(agent)
    for step, seen in footage(life):
        yield Moment(step, seen, NO_THOUGHT if mind is None else mind.watch(step))


def views(moment: Moment, painter: Painter) -> dict[str, np.ndarray]:
    """Pictures (H, W, C) of a moment by what they show: each camera's, and its imagination."""
    step, thought = moment.step, moment.thought
    word = f"imagined, {thought.ahead} ahead" if thought.ahead else "as understood"
    imagined = {camera_of(key): picture for key, picture in thought.pictures.items()}
    shown: dict[str, np.ndarray | None] = {}
    for name, picture in moment.seen.items():
        shown[name] = picture
        if name in imagined:
            shown[f"{name} {word}"] = imagined[name]
    if not moment.seen or not imagined:
        shown[painter.name] = painter.paint(step)
    if not imagined:
        shown[word] = painter.imagine(step, thought)
    return {name: picture for name, picture in shown.items() if picture is not None}
