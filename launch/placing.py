"""What policies of the pick-and-place task are judged by: objects per minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launch.gait import Check, at_least
from launch.run_folder import Plan
from launch.trial import Episode
from robot.tasks.pick_place import GRASPED, PLACED

# DayDreamer (arXiv 2206.14176), section 4: its UR5 moves 2.5 objects a minute after 8 hours.
PUBLISHED_PER_MINUTE = 2.5
EVENTS = ("placed", "grasped", "dropped")


class Placing:
    """Judges by how often objects were grasped, dropped, and placed in another bin."""

    question = "Does it place?"
    trained_for = "pick_place"
    rewards: tuple[str, ...] = ("pick_place",)
    plotted: Mapping[str, str] = {"pick_place": "reward of each step"}

    def __init__(self, plan: Plan) -> None:
        self._steps_per_minute = 60 * plan.control_hz

    def figures(self, episodes: Sequence[Episode]) -> dict[str, Any]:
        """Each event's number per minute."""
        steps = sum(len(episode.terms["placed"]) for episode in episodes)
        minutes = steps / self._steps_per_minute
        counts = {k: sum(float(one.terms[k].sum()) for one in episodes) for k in EVENTS}
        return {f"{name}_per_minute": round(n / minutes, 4) for name, n in counts.items()}

    def gate(self, episodes: Sequence[Episode]) -> list[Check]:
        """Whether it is as quick as the published robot."""
        placed = self.figures(episodes)["placed_per_minute"]
        return [at_least("objects placed per minute", placed, PUBLISHED_PER_MINUTE)]

    def target(self, episodes: Sequence[Episode]) -> tuple[float, str]:
        """What as many objects as the published robot's earn, each grasped and placed once."""
        per_step = PUBLISHED_PER_MINUTE * (GRASPED + PLACED) / self._steps_per_minute
        return per_step, f"{PUBLISHED_PER_MINUTE:g} objects a minute, none dropped"

    def caption(self, episode: Episode, step: int) -> list[str]:
        """What was earned, and how much of each event there was so far."""
        so_far = {name: int(episode.terms[name][: step + 1].sum()) for name in EVENTS}
        return [
            f"reward {episode.terms['pick_place'][step]:+.0f}",
            "   ".join(f"{name} {count}" for name, count in so_far.items()),
        ]
