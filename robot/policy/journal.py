"""The journal of a run: what became of each episode, for people and for the summary."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from robot.wire.transition import Transition

LOG_NAME = "robot"  # name of the robot process's log
EPISODES = "/episodes"  # topic of that log on which the journal's lines are kept


class Journal:
    """Adds up rewards and the task's terms, and closes a line with each episode.

    Args:
        control_hz: steps per second of robot time.
        episodes: lines of an earlier part of the run.
    """

    def __init__(self, control_hz: float, episodes: list[dict[str, Any]] | None = None) -> None:
        self.control_hz = control_hz
        self.episodes = list(episodes or [])
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._steps = 0

    def add(self, step: Transition, terms: Mapping[str, float]) -> dict[str, Any] | None:
        """Take in one step and the task's terms; the episode's line when it closes it.

        A line holds robot_minutes at its end, steps, return, mean_reward, and the mean of each
        term, the totals of all reward variants among them.
        """
        self._steps += 1
        self._sums["return"] += float(step.arrays["reward"])
        for name, value in terms.items():
            self._sums[name] += value
        if not step.arrays["is_last"]:
            return None
        line = self._close(step)
        self.episodes.append(line)
        return line

    def robot_minutes(self, steps: int) -> float:
        """Minutes of robot time that `steps` take."""
        return steps / self.control_hz / 60

    def _close(self, step: Transition) -> dict[str, Any]:
        steps, sums = self._steps, dict(self._sums)
        self._steps = 0
        self._sums.clear()
        total = sums.pop("return")
        return {
            "robot_minutes": round(self.robot_minutes(step.index + 1), 4),
            "steps": steps,
            "return": round(total, 3),
            "mean_reward": round(total / steps, 4),
            "weights_version": step.weights_version,
            **{name: round(value / steps, 4) for name, value in sums.items()},
        }
