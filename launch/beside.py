"""Films of several episodes beside each other, and single frames of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np

from launch.study import Outcome
from launch.trial import Episode, open_twin
from launch.video import captioned
from robot.body.interface import Twin
from robot.clock import SteppedClock

TILE = (240, 320)
ACROSS = 3
FILM_HZ = 10.0
FILM_S = 10.0
FRAMES = 8


@dataclass(frozen=True)
class Scene:
    """One tile of a film.

    Args:
        title: said in the picture.
        outcome: that the episode is of.
        episode: what is shown.
    """

    title: str
    outcome: Outcome
    episode: Episode


def size_of(scenes: Sequence[Scene]) -> tuple[int, int]:
    """(H, W) of a film of these scenes."""
    across = min(ACROSS, len(scenes))
    return ceil(len(scenes) / across) * TILE[0], across * TILE[1]


def frames_of(scenes: Sequence[Scene]) -> int:
    """Length of a film of these scenes, in pictures."""
    hz = scenes[0].outcome.plan.control_hz
    longest = max(len(scene.episode.states) for scene in scenes)
    return max(1, ceil(min(longest / hz, FILM_S) * min(FILM_HZ, hz)))


def beside(scenes: Sequence[Scene]) -> Iterator[np.ndarray]:
    """Pictures (H, W, 3) RGB bytes, ten per second of what happened, for at most ten seconds.

    An episode that ends before the others stays as it ended.
    """
    hz = scenes[0].outcome.plan.control_hz
    with ExitStack() as stack:
        twins = [_open(scene.outcome, stack) for scene in scenes]
        for picture in range(frames_of(scenes)):
            step = round(picture * hz / min(FILM_HZ, hz))
            pairs = zip(twins, scenes, strict=True)
            yield grid([_tile(twin, scene, step) for twin, scene in pairs])


def grid(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Tiles (h, w, 3) in rows of at most three, (H, W, 3); the last row is filled with black."""
    across = min(ACROSS, len(tiles))
    missing = -len(tiles) % across
    filled = [*tiles, *[np.zeros_like(tiles[0])] * missing]
    rows = [np.concatenate(filled[i : i + across], axis=1) for i in range(0, len(filled), across)]
    return np.concatenate(rows, axis=0)


def strip(outcome: Outcome, episode: Episode) -> list[tuple[float, np.ndarray]]:
    """Frames of an episode, evenly spread: seconds, and (h, w, 3) RGB bytes."""
    steps = np.linspace(0, len(episode.states) - 1, FRAMES).round().astype(int)
    with ExitStack() as stack:
        twin = _open(outcome, stack)
        return [
            (float(step / outcome.plan.control_hz), _draw(twin, episode.states[step]))
            for step in steps
        ]


def as_webp(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) as WebP."""
    done, data = cv2.imencode(
        ".webp", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, 80]
    )
    if not done:
        raise OSError("OpenCV cannot write WebP here")
    return data.tobytes()


def _open(outcome: Outcome, stack: ExitStack) -> Twin:
    twin = open_twin(outcome.plan, SteppedClock(), outcome.condition.perturbations)
    stack.callback(twin.close)
    return twin


def _draw(twin: Twin, state: np.ndarray) -> np.ndarray:
    twin.show(state)
    return twin.render("chase", *TILE)


def _tile(twin: Twin, scene: Scene, step: int) -> np.ndarray:
    step = min(step, len(scene.episode.states) - 1)
    first, *_ = scene.outcome.yardstick.caption(scene.episode, step)
    picture = _draw(twin, scene.episode.states[step])
    return captioned(picture, [scene.title, first])
