"""Child processes: started with the command line, stopped in order, never left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STOP_S = 60.0
_PR_SET_PDEATHSIG = 1


class Child:
    """One process of a run.

    It is a session of its own, so that Ctrl-C reaches only its parent, which stops the motors
    first; should the parent die, the child is told to stop by the system (Linux).

    Args:
        name: for messages.
        command: arguments of `reverie`.
        output: file that its words are appended to.
    """

    def __init__(self, name: str, command: tuple[str, ...], output: Path) -> None:
        self.name, self.command, self.output = name, command, output
        self._starts_s: list[float] = []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        self._starts_s.append(time.monotonic())
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        with self.output.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "launch.cli", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """Exit code, negative the number of a signal that ended it; None while it runs."""
        return self._process.poll() if self._process is not None else None

    def starts_within(self, seconds: float) -> int:
        """How often it was started lately."""
        since_s = time.monotonic() - seconds
        return sum(start_s > since_s for start_s in self._starts_s)

    def stop(self) -> None:
        """Ask it to stop, wait until it has, and end it by force when it does not."""
        if self._process is None or not self.alive:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """Last line that it said, without the name of its command."""
        lines = self.output.read_text(errors="replace").strip().splitlines()
        said = lines[-1] if lines else f"{self.name} said nothing"
        return said.removeprefix(f"reverie {self.command[0]}: ")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
