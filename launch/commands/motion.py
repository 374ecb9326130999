"""The command that learns a robot's motion from a log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from launch.commands.options import Changes, Seed
from launch.waiting import loading


@dataclass(frozen=True)
class Dynamics:
    """Learn a log's motion, and tell how far ahead it can be foretold.

    Linear models learn it too, to compare with.

    Example: reverie dynamics runs/go2 --updates 2000 --out docs/results/go2_dynamics.json

    Args:
        log: a log, imported or our own, or a run's folder.
        out: JSON file for the figures; the picture gets its name.
        system: whose world model learns; only that is trained, no behaviour.
        preset: its settings.
        updates: training steps of the world model; 0 leaves it out.
        history: states and actions that the longer linear model looks at.
        keys: of the observation; every vector unless given.
        seed: of everything that is random.
        changes: change one setting of the system; learner.KEY.
    """

    log: Annotated[Positional[Path], arg(metavar="LOG")]
    out: Path
    system: str = "reverie"
    preset: str = "cpu"
    updates: int = 2000
    history: int = 5
    keys: tuple[str, ...] = ()
    seed: Seed = 0
    changes: Changes = ()

    def __call__(self) -> int:
        """Run it."""
        with loading("learning"):
            from launch.dynamics.run import Study, run_dynamics
        from launch.whole import check_can_write

        check_can_write(self.out, "--out")
        study = Study(
            self.system,
            self.preset,
            self.changes,
            self.updates,
            self.history,
            self.keys,
            self.seed,
        )
        return run_dynamics(self.log, study, self.out)
