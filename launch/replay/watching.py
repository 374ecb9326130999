"""`reverie replay --mode watch`: a log at any speed, in the terminal or as a film."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

import numpy as np
from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress import Progress

from launch.replay.footage import Painter, make_painter
from launch.replay.lives import Life
from launch.replay.moments import Moment, moments, views
from launch.replay.panels import panel
from launch.replay.strips import draw_strips, pane
from launch.video import captioned, write_video
from robot.config import ConfigError
from robot.wire.log.names import TRANSITIONS

SIDE = 240  # pixels of each pane
BAND = 22  # above it, with what it shows
SHOWN = 60  # newest rewards of the sparkline
PAGE_S = 30.0  # of the log that the strips of a film show at once
FILM_HZ = 60.0  # more pictures per second nobody sees
LOOK_S = 0.05  # between two pictures in the terminal


def watch_in_terminal(life: Life, run: Path, speed: float, console: Console) -> int:
    """Show a life as it went.

    What cannot be shown in time is left out, so that the log goes as fast as was asked for.

    Args:
        life: of a robot process.
        run: folder in which its checkpoints may lie.
        speed: 1 as it was, 0 as fast as can be.
        console: where to.

    Returns:
        Exit code 0.
    """
    plan, moment = life.any_plan, None
    rewards: list[float] = []
    each_s = 1 / (speed * plan.control_hz) if speed else 0.0

    def drawn(moment: Moment) -> RenderableType:
        pictures = views(moment, by) if console.color_system else {}
        return panel(plan, moment, pictures, rewards)

    with Live(console=console, auto_refresh=False) as live, closing(make_painter(life, SIDE)) as by:
        began_s = shown_s = time.monotonic()
        for count, moment in enumerate(moments(life, run), start=1):
            rewards = [*rewards[1 - SHOWN :], float(moment.step.arrays["reward"])]
            if (now_s := time.monotonic()) >= shown_s + LOOK_S:
                live.update(drawn(moment), refresh=True)
                shown_s = now_s
            time.sleep(max(0.0, began_s + count * each_s - time.monotonic()))
        if moment is not None:
            live.update(drawn(moment), refresh=True)
    return 0


def film(life: Life, run: Path, out: Path, speed: float) -> Path:
    """Write a life as a film: what was seen, what was imagined, and strips of figures.

    Only one page of it is in memory at once.

    Args:
        life: of a robot process.
        run: folder in which its checkpoints may lie.
        out: folder of watch.mp4.
        speed: 1 as it was.

    Raises:
        ConfigError: for a log without steps.
    """
    hz, told = life.any_plan.control_hz, moments(life, run)
    first = next(told, None)
    if first is None:
        raise ConfigError(f"{life.files[0]}: holds no step")
    out.mkdir(parents=True, exist_ok=True)
    rate = hz * (speed or 1.0)
    every = math.ceil(rate / FILM_HZ)
    with Progress(transient=True) as progress, closing(make_painter(life, SIDE)) as painter:
        steps = sum(1 for _ in life.records(TRANSITIONS))
        told = progress.track(chain([first], told), steps, description="drawing")
        frames = islice(_frames(told, painter, hz), 0, None, every)
        began = next(frames)
        return write_video(
            out / "watch", chain([began], frames), (began.shape[0], began.shape[1]), rate / every
        )


def _frames(told: Iterable[Moment], painter: Painter, hz: float) -> Iterator[np.ndarray]:
    """(H, W, 3) of each moment, all of one size."""
    left, width = iter(told), 0
    while page := list(islice(left, round(PAGE_S * hz))):
        strips = draw_strips(_lines(page), hz, SIDE + BAND, page[0].step.index)
        for place, moment in enumerate(page):
            panes = [titled(picture, name) for name, picture in views(moment, painter).items()]
            frame = np.concatenate([*panes, strips.at(place)], axis=1)
            width = width or frame.shape[1]
            yield _as_wide(frame, width, strips.width)


def titled(picture: np.ndarray, name: str) -> np.ndarray:
    """A pane (SIDE + BAND, SIDE, 3) with its name above."""
    return captioned(np.pad(pane(picture, SIDE), ((BAND, 0), (0, 0), (0, 0))), [name])


def _as_wide(frame: np.ndarray, width: int, strips: int) -> np.ndarray:
    """A frame as wide as the first one was: a camera may come late, or a drawing fail."""
    if frame.shape[1] == width:
        return frame
    done = np.zeros((frame.shape[0], width, 3), np.uint8)
    views = frame[:, : frame.shape[1] - strips][:, : width - strips]
    done[:, : views.shape[1]], done[:, width - strips :] = views, frame[:, -strips:]
    return done


def _lines(page: list[Moment]) -> dict[str, np.ndarray]:
    return {
        "reward": np.array([_reward(moment) for moment in page]),
        "value": np.array([moment.thought.value for moment in page]),
        "surprise, nats": np.array([moment.thought.surprise for moment in page]),
    }


def _reward(moment: Moment) -> float:
    return float(moment.step.arrays["reward"])
