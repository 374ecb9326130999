"""The command that takes in recordings of other robots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from launch.commands.options import Changes


@dataclass(frozen=True)
class Import:
    """Turn recordings of any robot into a log: CSV, Parquet, npz, DayDreamer's, LeRobot's.

    Example: reverie logs import go2.csv --map hardware_configs/maps/go2_sysid.yaml --out runs/go2

    Args:
        files: recordings; a folder stands for the npz files in it, or is a LeRobotDataset v3.0.
        out: folder of the log, which must not be there yet.
        map: YAML file that says what the columns mean; DayDreamer's and LeRobot's need none.
        changes: change one key of the map, such as control_hz=100.
        hz: decisions per second of DayDreamer's episodes, which do not tell it.
        robot: name of their robot.
    """

    files: Annotated[Positional[tuple[Path, ...]], arg(metavar="FILE...")]
    out: Path
    map: Path | None = None
    changes: Changes = ()
    hz: float | None = None
    robot: str = ""

    def __call__(self) -> int:
        """Run it."""
        from launch.importing.run import run_import

        return run_import(self.files, self.out, self.map, self.changes, self.hz, self.robot)
