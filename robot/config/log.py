"""How a run's log is kept: it decides nothing that the robot does."""

from __future__ import annotations

from pydantic import Field

from robot.config.reading import Strict


class LogConfig(Strict):
    """What goes into the log, and how much of it may lie in one file or stay.

    The defaults are ours: an A1 writes 12 MB in a minute without a camera, so a file holds an hour.

    Args:
        raw: whether sensors, commands, ticks and pictures are kept, and their copies for viewers;
            without them a run cannot be replayed, and what is learnt from is kept all the same.
        file_mb: size at which the log goes on in another file.
        file_minutes: time after which it does.
        reserve_mb: room on the disk that is left to transitions; below it nothing raw is kept.
        weights_mb: room for weights that drove the robot; beyond it older ones are thinned out. 0
            keeps none, null all.
    """

    raw: bool = True
    file_mb: float = Field(gt=0, default=1024.0)
    file_minutes: float = Field(gt=0, default=60.0)
    reserve_mb: float = Field(ge=0, default=256.0)
    weights_mb: float | None = Field(ge=0, default=1024.0)
