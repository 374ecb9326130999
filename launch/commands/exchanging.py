"""Commands that give logs to other people's tools, and take theirs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg


@dataclass(frozen=True)
class Export:
    """Give a log to other people's tools.

    Example: reverie export runs/mine --to lerobot mine-lerobot

    Args:
        log: a run's folder, a folder of log files, or one file.
        out: folder or file to make.
        to: lerobot, a LeRobotDataset v3.0; rerun, a file that ends in .rrd; arrays, an npz file
            per episode as Gymnasium has them; daydreamer, an npz file per episode as its replay
            keeps them; minari, one of its data sets.
        pictures: of lerobot: video, small films; lossless, films that are exact; png, exact too,
            and read by whatever shows pictures.
        hz: steps per second, where the log does not say.
        task: words for what was done, where the log does not say.
    """

    log: Annotated[Positional[Path], arg(metavar="LOG")]
    out: Annotated[Positional[Path], arg(metavar="OUT")]
    to: Literal["lerobot", "rerun", "arrays", "daydreamer", "minari"]
    pictures: Literal["video", "lossless", "png"] = "video"
    hz: float | None = None
    task: str = ""

    def __call__(self) -> int:
        """Run it."""
        from launch.exchange import export

        wanted = export.Export(self.log, self.to, self.out, self.pictures, self.hz, self.task)
        return export.run_export(wanted)
