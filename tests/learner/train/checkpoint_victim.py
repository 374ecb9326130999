"""Saves checkpoints in child processes that are killed at every point, and says what was left.

Run as `python checkpoint_victim.py FOLDER POINTS TIMED`: the first POINTS children kill themselves
at the n-th file operation of a save, TIMED more are killed from outside after growing times. One
line of JSON per child. Nothing here uses more than one thread, so that forking is sound.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
from pathlib import Path

import torch

from learner.train.checkpoint import Checkpoints

OPERATIONS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.scandir", "os.listdir"}


def tensors(step: int) -> dict[str, torch.Tensor]:
    """Tensors that say in every element which save they belong to."""
    return {"weights": torch.full((20_000,), float(step)), "step": torch.tensor(step)}


def save_one(folder: Path, step: int) -> None:
    Checkpoints(folder, keep=2).save(step, tensors(step), {"step": step})


def die_at(point: int) -> None:
    """Have this process killed just before its `point`-th file operation from now."""
    seen = 0

    def count(event: str, _: object) -> None:
        nonlocal seen
        if event in OPERATIONS:
            seen += 1
            if seen == point:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def child_dying_at(folder: Path, step: int, point: int) -> tuple[int, int]:
    """Let a child save `step` and die on the way; returns the last whole step and the signal."""
    child = os.fork()
    if child == 0:
        die_at(point)
        save_one(folder, step)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return (step if status == 0 else step - 1), os.WTERMSIG(status)


def child_killed_after(folder: Path, step: int, time_s: float) -> tuple[int, int]:
    """Let a child save one step after another and kill it; returns the last step it reported."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        while True:
            save_one(folder, step)
            os.write(told, b"%d\n" % step)
            step += 1
    os.close(told)
    words = os.read(heard, 100)
    select.select([], [], [], time_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while more := os.read(heard, 65536):
        words += more
    os.close(heard)
    return int(words.split()[-1]), os.WTERMSIG(status)


def report(folder: Path, whole: int, killed: int) -> int:
    found = Checkpoints(folder).load()
    assert found is not None
    step, loaded, state = found
    same = all(torch.equal(loaded[k], v) for k, v in tensors(step).items())
    line = {"whole": whole, "loaded": step, "killed": killed, "same": same, "state": state}
    print(json.dumps(line), flush=True)
    return step


def main(folder: Path, points: int, timed: int) -> None:
    torch.set_num_threads(1)
    rng = random.Random(0)
    save_one(folder, 1)
    step = 1
    for point in range(1, points + 1):
        step = report(folder, *child_dying_at(folder, step + 1, point))
    for _ in range(timed):
        step = report(folder, *child_killed_after(folder, step + 1, rng.uniform(0, 0.03)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
