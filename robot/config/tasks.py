"""What a robot is rewarded for, in numbers; `robot/tasks/` says what they mean."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from robot.config.reading import Strict, chosen_by


class WalkTask(Strict):
    """Get up and walk forward (DayDreamer, arXiv 2206.14176)."""

    name: Literal["walk"]
    reward: Literal["published", "walk_upright"] = "published"
    episode_steps: int = Field(ge=1, default=250)
    target_velocity_m_s: float = Field(gt=0, default=0.3)
    velocity_window_s: float = Field(gt=0, default=0.15)
    contact_force_n: float = Field(gt=0, default=20.0)
    stand_height_m: float = Field(gt=0, default=0.24)


class ReachTask(Strict):
    """Move the joints to a target, another one in each episode.

    Args:
        margin: distance from the target at which the reward ends, as a share of the range that
            actions reach.
    """

    name: Literal["reach"]
    episode_steps: int = Field(ge=1, default=50)
    margin: float = Field(gt=0, le=1, default=0.25)


TaskConfig = Annotated[
    Annotated[WalkTask, Tag("walk")] | Annotated[ReachTask, Tag("reach")],
    Discriminator(chosen_by("name")),
]
