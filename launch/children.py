"""Child processes: started with the command line, stopped in order, never left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
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
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        self.starts += 1
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
        """Last line that it said."""
        lines = self.output.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"{self.name} said nothing"


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
