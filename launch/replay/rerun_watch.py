"""A log as a file for rerun, with what a model thinks and imagines of it beside what was recorded.

To what `reverie export --to rerun` writes come, where the run has a checkpoint:

    thought/value           the critic's, in rewards as the agent learns them
    thought/surprise_nats   KL of what the model believes with the observation to without it
    thought/ahead           steps since imagination last saw an observation
    imagined/reward         that imagination expects
    imagined/KEY            each number of a vector that it decodes
    imagined/camera/NAME    pictures that it decodes

and an arrangement for rerun's viewer: cameras, imagination, and plots of the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rerun.blueprint as rrb  # pyright: ignore[reportMissingImports]

from launch.exchange.outline import Outline
from launch.exchange.rerun_write import RerunWriter, times_of
from launch.exchange.source import Source
from launch.replay.footage import camera_of
from launch.replay.minds import Mind, Thought
from robot.wire.transition import Transition


class WatchWriter(RerunWriter):
    """Writes episodes, and thoughts on them, to one .rrd file.

    Args:
        path: of the file.
        source: of the log.
        outline: of the log.
        mind: that watches; without one there are no thoughts.
    """

    def __init__(self, path: Path, source: Source, outline: Outline, mind: Mind | None) -> None:
        super().__init__(path, source, outline)
        self._mind = mind
        self.recording.send_blueprint(arrangement(mind is not None))

    def add(self, steps: Sequence[Transition]) -> None:
        """Write one episode."""
        super().add(steps)
        if self._mind is not None:
            self._think(steps, list(self._mind.follow(steps)))

    def _think(self, steps: Sequence[Transition], told: Sequence[Thought]) -> None:
        at, times = self.at(steps[0].stream), times_of(steps)
        lines = {
            "thought/value": [thought.value for thought in told],
            "thought/surprise_nats": [thought.surprise for thought in told],
            "thought/ahead": [thought.ahead for thought in told],
            "imagined/reward": [thought.reward for thought in told],
        }
        for name, line in lines.items():
            self.plot(at + name, times, np.array(line))
        for key, first in told[0].imagined.items():
            values = np.stack([thought.imagined[key] for thought in told])
            if first.ndim == 3:
                self.show(f"{at}imagined/camera/{camera_of(key)}", steps, values)
            else:
                self.plot(f"{at}imagined/{key}", times, values)


def arrangement(thinks: bool) -> rrb.Blueprint:
    """Pictures on the left, figures over time on the right."""
    pictures = [rrb.Spatial2DView(origin="camera", name="camera")]
    plots = {"reward": ["/reward"], "joints": ["/observation/joint_pos"], "action": ["/action"]}
    if thinks:
        pictures.append(rrb.Spatial2DView(origin="imagined/camera", name="imagined"))
        plots |= {
            "reward": ["/reward", "/imagined/reward"],
            "value": ["/thought/value"],
            "surprise, nats": ["/thought/surprise_nats"],
            "joints": ["/observation/joint_pos", "/imagined/joint_pos"],
        }
    views = [rrb.TimeSeriesView(name=name, contents=paths) for name, paths in plots.items()]
    sides = rrb.Vertical(*pictures), rrb.Vertical(*views)
    return rrb.Blueprint(rrb.Horizontal(*sides, column_shares=[1, 2]), collapse_panels=True)
