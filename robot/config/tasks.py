"""What a robot is rewarded for, in numbers; `robot/tasks/` says what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from robot.config.joints import Joint
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


class PickPlaceTask(Strict):
    """Carry objects from one bin to another (DayDreamer, arXiv 2206.14176).

    Args:
        gripper: its joint; `closed` is the stop at which its fingers meet.
        across: joint that tells over which bin the gripper is, such as an arm's base.
        bins: where each begins and ends along `across`, in that joint's unit.
        empty_share: of the gripper's range at both ends, in which it holds nothing (1.5% there).
        grip_share: of the gripper's greatest effort, with which it presses on what it holds.
        still_share: of its greatest speed, up to which it has stopped.
    """

    name: Literal["pick_place"]
    episode_steps: int = Field(ge=1, default=100)
    gripper: str
    closed: Literal["lower", "upper"] = "upper"
    across: str
    bins: dict[str, tuple[float, float]] = Field(min_length=2)
    empty_share: float = Field(gt=0, lt=0.5, default=0.015)
    grip_share: float = Field(gt=0, le=1, default=0.1)
    still_share: float = Field(gt=0, le=1, default=0.02)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        end, before = float("-inf"), ""
        for name, (low, high) in sorted(self.bins.items(), key=lambda one: one[1]):
            if low >= high:
                raise ValueError(f"bins.{name} {[low, high]} must be two growing positions")
            if low <= end:
                raise ValueError(
                    f"bins.{name} begins at {low}, where bins.{before} goes on to {end}"
                )
            end, before = high, name
        return self

    def misfit(self, joints: Mapping[str, Joint]) -> str:
        """What a robot of these joints lacks for it, "" for nothing."""
        for key, name in (("gripper", self.gripper), ("across", self.across)):
            if name not in joints:
                return f"task.{key}: unknown joint '{name}'; joints has {', '.join(joints)}"
        if self.gripper == self.across:
            return f"task.across is {self.across}, the gripper; allowed is another joint"
        reach = joints[self.across].action_range
        for name, ends in self.bins.items():
            if not reach[0] <= ends[0] < ends[1] <= reach[1]:
                allowed = f"within [{reach[0]:g}, {reach[1]:g}], as actions reach"
                return f"task.bins.{name} is {list(ends)}; allowed is {allowed}"
        return ""


TaskConfig = Annotated[
    Annotated[WalkTask, Tag("walk")]
    | Annotated[ReachTask, Tag("reach")]
    | Annotated[PickPlaceTask, Tag("pick_place")],
    Discriminator(chosen_by("name")),
]
