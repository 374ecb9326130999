"""`reverie replay --mode watch`: a log at any speed, in the terminal or as a film."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import track
from rich.table import Table
from rich.text import Text

from launch.display import sparkline
from launch.replay.lives import Life
from launch.replay.minds import Mind, Thought, read_mind
from launch.replay.poses import posed
from launch.replay.strips import draw_strips, pane
from launch.trial import open_twin
from launch.video import captioned, write_video
from robot.clock import SteppedClock
from robot.config import ConfigError
from robot.policy.observe import image_key, observed_cameras
from robot.wire.transition import Transition

SIDE = 240  # pixels of each pane
SHOWN = 60  # newest rewards of the sparkline
NO_THOUGHT = Thought(float("nan"), float("nan"), {}, 0)


def thoughts(life: Life, run: Path, steps: Sequence[Transition]) -> Iterator[Thought]:
    """What the run's newest checkpoint thinks of each step; nothing where there is none."""
    agent = read_mind(run, life.plan)
    return repeat(NO_THOUGHT, len(steps)) if agent is None else Mind(agent).follow(steps)


def watch_in_terminal(life: Life, run: Path, speed: float, console: Console) -> int:
    """Show a life as it went.

    Args:
        life: of a robot process.
        run: folder in which its checkpoints may lie.
        speed: 1 as it was, 0 as fast as can be.
        console: where to.

    Returns:
        Exit code 0.
    """
    steps = list(life.steps())
    pause_s = 1 / (speed * life.plan.control_hz) if speed else 0.0
    rewards: list[float] = []
    with Live(console=console, refresh_per_second=20) as live:
        for step, thought in zip(steps, thoughts(life, run, steps), strict=True):
            rewards.append(float(step.arrays["reward"]))
            live.update(panel(life, step, thought, rewards))
            time.sleep(pause_s)
    return 0


def panel(
    life: Life, step: Transition, thought: Thought, rewards: Sequence[float]
) -> RenderableType:
    """One step, drawn."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", justify="right")
    table.add_column()
    rows = {
        "time": f"{step.index / life.plan.control_hz:.2f} s",
        "step": f"{step.step} of episode {step.episode}, {step.index} in all",
        "reward": f"{rewards[-1]:.3f}   {sparkline(list(rewards[-SHOWN:]))}",
        "weights": f"version {step.weights_version}",
        "learnt from": "yes" if step.valid else "no: the body did not follow",
    }
    if thought is not NO_THOUGHT:
        rows["value"], rows["surprise"] = f"{thought.value:.2f}", f"{thought.surprise:.2f} nats"
    for name, text in rows.items():
        table.add_row(name, Text(text))
    joints = ", ".join(f"{value:+.2f}" for value in step.arrays["joint_pos"])
    return Panel(Group(table, Text(f"joints {joints}", style="dim")), title=life.plan.name)


def film(life: Life, run: Path, out: Path, speed: float) -> Path:
    """Write a life as a film: what the camera saw, what was imagined, and strips of figures.

    Without a camera the twin is drawn in the poses that joints and gravity tell.

    Args:
        life: of a robot process.
        run: folder in which its checkpoints may lie.
        out: folder of watch.mp4.
        speed: 1 as it was.

    Raises:
        ConfigError: for a log without steps.
    """
    steps = list(life.steps())
    if not steps:
        raise ConfigError(f"{life.files[0]}: holds no step")
    out.mkdir(parents=True, exist_ok=True)
    told = list(track(thoughts(life, run, steps), "thinking", total=len(steps)))
    lines = {
        "reward": np.array([float(s.arrays["reward"]) for s in steps]),
        "value": np.array([t.value for t in told]),
        "surprise, nats": np.array([t.surprise for t in told]),
    }
    strips = draw_strips(lines, life.plan.control_hz, SIDE)
    views = [
        _view(step, thought, seen)
        for step, thought, seen in zip(steps, told, _seen(life, steps), strict=True)
    ]
    width = views[0].shape[1] + strips.width
    frames = (
        np.concatenate([view, strips.at(index)], axis=1)
        for index, view in enumerate(track(views, "drawing"))
    )
    return write_video(out / "watch", frames, (SIDE, width), life.plan.control_hz * (speed or 1.0))


def _view(step: Transition, thought: Thought, seen: np.ndarray) -> np.ndarray:
    """Panes of one step side by side, (SIDE, W, 3)."""
    said = [f"step {step.index}", f"reward {float(step.arrays['reward']):.2f}"]
    panes = [captioned(pane(seen, SIDE), said)]
    for picture in thought.imagined.values():
        word = f"imagined, {thought.ahead} ahead" if thought.ahead else "as understood"
        panes.append(captioned(pane(picture, SIDE), [word]))
    return np.concatenate(panes, axis=1)


def _seen(life: Life, steps: Sequence[Transition]) -> Iterator[np.ndarray]:
    """(H, W, C) of each step: the first camera's, else the twin in the pose that is known."""
    key = next((image_key(name) for name in observed_cameras(life.plan.robot)), "")
    if key in steps[0].arrays:
        yield from (step.arrays[key] for step in steps)
        return
    twin = open_twin(life.plan, SteppedClock())
    try:
        for step in steps:
            twin.show(posed(life.plan.robot, step.arrays))
            yield twin.render("chase", SIDE, SIDE)
    finally:
        twin.close()
