"""The command that plays logs back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from launch.waiting import loading


@dataclass(frozen=True)
class Replay:
    """Play a log back: watch it, verify it bit for bit, or act it again.

    Example: reverie replay runs/mine --mode verify

    Args:
        log: a file, a folder of log files, or a run's folder.
        mode: watch shows it; verify feeds the recorded sensors through today's robot process, with
            the recorded weights, seeds and clock, and exits with 0 only when every action is the
            same; act sends the recorded actions to a twin, or to the body that runs.
        show: where watch shows it: in the terminal, as a film, or as a file for rerun.
        speed: of watching; 1 as it was, 0 as fast as can be.
        life: which process's part, where several wrote the log; -1 is the newest.
        twin: engine that acts, in lock-step; without one a body that runs (`reverie body`).
        out: folder of what is written; beside the log, named replay, unless given.
        keys: key file, where the body is on another computer.
        yes: do not ask before a body moves.
        json: of verify, print one JSON object as the last line.
    """

    log: Annotated[Positional[Path], arg(metavar="LOG")]
    mode: Literal["watch", "verify", "act"] = "watch"
    show: Literal["terminal", "video", "rerun"] = "terminal"
    speed: float = 1.0
    life: int = -1
    twin: Literal["", "mujoco", "pybullet"] = ""
    out: Path | None = None
    keys: Path | None = None
    yes: bool = False
    json: bool = False

    def __call__(self) -> int:
        """Run it."""
        with loading("replaying"):
            from launch.replay.run import run_act_again, run_verify, run_watch

        if self.mode == "verify":
            return run_verify(self.log, self.json)
        if self.mode == "act":
            return run_act_again(self.log, self.life, self.twin, self.out, self.yes, self.keys)
        return run_watch(self.log, self.life, self.show, self.speed, self.out)
