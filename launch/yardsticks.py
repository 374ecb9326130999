"""What the policies of a task are judged by, once they were tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from launch.compose import plan_spec
from launch.gait import Check, at_least, pool, walking_gate
from launch.placing import Placing
from launch.run_folder import Plan
from launch.trial import Episode, Trial, try_policy
from robot.config import PickPlaceTask, WalkTask
from robot.tasks.reach import straight
from robot.tasks.walk import Score
from robot.wire.spec import Spec

SHARE = 0.9
BEST_WALK = Score(1, 1, 1, 1, 1).total


class Yardstick(Protocol):
    """Judges what happened in one or several episodes.

    Attributes:
        question: that the gate answers.
        trained_for: name of the reward that was learnt.
        rewards: terms that are rewards; the first ranks episodes.
        plotted: terms to draw, with their labels.
    """

    question: str
    trained_for: str
    rewards: tuple[str, ...]
    plotted: Mapping[str, str]

    def figures(self, episodes: Sequence[Episode]) -> dict[str, Any]:
        """What is told of the episodes beside their rewards, JSON-ready."""
        ...

    def gate(self, episodes: Sequence[Episode]) -> list[Check]:
        """Whether the policy can do it."""
        ...

    def target(self, episodes: Sequence[Episode]) -> tuple[float, str]:
        """First reward per step of doing the task as well as can be, and what that is in words."""
        ...

    def caption(self, episode: Episode, step: int) -> list[str]:
        """Two lines for a picture of this step."""
        ...


def yardstick_of(plan: Plan, trial: Trial) -> Yardstick:
    """The yardstick of a plan's task, for episodes that were tried so."""
    if isinstance(plan.robot.task, PickPlaceTask):
        return Placing(plan)
    return Walking(plan) if isinstance(plan.robot.task, WalkTask) else Reaching(plan, trial)


class Walking:
    """Judges walks by the twin's truth: posture, speed and every foot's steps."""

    question = "Does it walk?"
    rewards: tuple[str, ...] = ("published", "walk_upright")
    plotted: Mapping[str, str] = {
        "published": "published reward per step",
        "walk_upright": "walk_upright reward per step",
        "forward_m_s": "forward speed, m/s",
    }

    def __init__(self, plan: Plan) -> None:
        self.trained_for = plan.robot.walk.reward
        self._feet = list(plan.robot.legs)

    def figures(self, episodes: Sequence[Episode]) -> dict[str, Any]:
        """How it walked."""
        figures = asdict(pool([episode.gait for episode in episodes]))
        per_foot = zip(self._feet, figures.pop("feet"), strict=True)
        return {**_rounded(figures), "feet": {name: _rounded(foot) for name, foot in per_foot}}

    def gate(self, episodes: Sequence[Episode]) -> list[Check]:
        """Whether this is walking."""
        return walking_gate(pool([episode.gait for episode in episodes]))

    def target(self, episodes: Sequence[Episode]) -> tuple[float, str]:
        """Every part of the published reward at its best."""
        return BEST_WALK, "walking at the target speed in the standing pose, every part at its best"

    def caption(self, episode: Episode, step: int) -> list[str]:
        """Rewards, speed and posture."""
        terms = {name: values[step] for name, values in episode.terms.items()}
        _, x, y, _ = episode.states[step, 3:7]
        return [
            f"reward {terms['published']:.2f}   forward {terms['forward_m_s']:+.2f} m/s",
            f"up {1 - 2 * (x * x + y * y):+.2f}   height {episode.states[step, 2]:.2f} m   "
            f"walk_upright {terms['walk_upright']:.2f}",
        ]


class Reaching:
    """Judges reaching by what going straight to the target earns, from and to the same places."""

    question = "Does it reach?"
    trained_for = "reach"
    rewards: tuple[str, ...] = ("reach",)
    plotted: Mapping[str, str] = {
        "reach": "reward per step",
        "distance": "distance, share of the range",
    }

    def __init__(self, plan: Plan, trial: Trial) -> None:
        policy = Straight(plan_spec(plan).observation["target"])
        best = try_policy(plan, policy, trial)
        self._best = {episode.seed: float(episode.terms["reach"].sum()) for episode in best}

    def figures(self, episodes: Sequence[Episode]) -> dict[str, Any]:
        """Share of the best return, and how far from the target the last step is."""
        earned = sum(float(episode.terms["reach"].sum()) for episode in episodes)
        best = sum(self._best[episode.seed] for episode in episodes)
        last = np.mean([episode.terms["distance"][-1] for episode in episodes])
        figures = {"best_return": best / len(episodes), "share_of_best": earned / best}
        return _rounded({**figures, "last_distance": float(last)})

    def gate(self, episodes: Sequence[Episode]) -> list[Check]:
        """Whether it earns nearly what is to be earned."""
        share = self.figures(episodes)["share_of_best"]
        return [at_least("return, share of going straight", share, SHARE)]

    def target(self, episodes: Sequence[Episode]) -> tuple[float, str]:
        """What going straight to the same targets earns."""
        steps = sum(len(episode.terms["reach"]) for episode in episodes)
        best = sum(self._best[episode.seed] for episode in episodes)
        return best / steps, "going straight to the same targets"

    def caption(self, episode: Episode, step: int) -> list[str]:
        """Reward and distance."""
        terms = {name: values[step] for name, values in episode.terms.items()}
        return [f"reward {terms['reach']:.2f}", f"distance {terms['distance']:.1%} of the range"]


class Straight:
    """The policy that Reaching compares with.

    Args:
        target: spec of the target.
    """

    version = 0

    def __init__(self, target: Spec) -> None:
        self._target = target

    def initial(self) -> None:
        """Nothing is carried."""

    def act(self, carry: None, observation: Mapping[str, np.ndarray]) -> tuple[None, np.ndarray]:
        """Go to the target."""
        return None, straight(observation["target"], self._target)


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}
