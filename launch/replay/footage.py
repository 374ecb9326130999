"""What there is to see at each step of a log: its cameras' pictures, or a drawing of what was felt.

observed by the policy          the very picture of the step
logged, but not observed        the newest picture that the log had by then, from `/frames/NAME`
a robot without any             its twin in the pose that joints and gravity tell
an environment without any      the environment itself, which lives each episode again
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from launch.environments import EnvironmentPlan
from launch.exchange.snapshots import Snapshot
from launch.replay.lives import Life, decoded
from launch.replay.minds import Thought
from launch.replay.poses import posed
from launch.run_folder import Plan
from launch.trial import open_twin
from launch.worlds import EnvironmentWorld
from robot.clock import SteppedClock
from robot.config import ConfigError
from robot.wire.log.names import FRAMES, TRANSITIONS
from robot.wire.transition import Transition

Pictures = dict[str, np.ndarray]  # (H, W, C) bytes by the name of a camera
IMAGE = "image"


def footage(life: Life) -> Iterator[tuple[Transition, Pictures]]:
    """Every step of a life with the pictures that cameras gave, in order.

    Raises:
        ConfigError: when a record is damaged.
    """
    plan, newest = life.any_plan, Pictures()
    cameras = {} if isinstance(plan, EnvironmentPlan) else plan.robot.cameras
    topics = [f"{FRAMES}/{name}" for name in cameras]
    for record in life.records(TRANSITIONS, *topics):
        if record.topic == TRANSITIONS:
            step = decoded(record, Transition)
            yield step, newest | observed(step)
        else:
            try:
                snapshot = Snapshot.read(record)
                newest = newest | {snapshot.camera: snapshot.opened()}
            except ValueError as error:
                where = f"byte {record.end} of its file"
                raise ConfigError(f"the picture that ends at {where}: {error}") from error


def observed(step: Transition) -> Pictures:
    """Pictures that a step itself holds."""
    return {camera_of(key): value for key, value in step.arrays.items() if is_picture(key, value)}


def is_picture(key: str, value: np.ndarray) -> bool:
    """Whether an observation is one."""
    return key.startswith(IMAGE) and value.ndim == 3 and value.dtype == np.uint8


def camera_of(key: str) -> str:
    """Name of the camera whose pictures have this observation key."""
    return key.removeprefix(f"{IMAGE}_")


class Painter(Protocol):
    """Draws what no camera saw."""

    @property
    def name(self) -> str:
        """Of its pictures, for a reader."""
        ...

    def paint(self, step: Transition) -> np.ndarray | None:
        """What a step was like, (H, W, 3) RGB bytes; None where nothing is known of it."""
        ...

    def imagine(self, step: Transition, thought: Thought) -> np.ndarray | None:
        """What a model imagines instead, the same; None where it does not tell."""
        ...

    def close(self) -> None:
        """Release what it draws with."""
        ...


def make_painter(life: Life, side: int) -> Painter:
    """The painter for a life.

    Args:
        life: of a robot process.
        side: height and width of pictures of robots, pixels.
    """
    plan = life.any_plan
    return Repeater(plan) if isinstance(plan, EnvironmentPlan) else PosePainter(plan, side)


class PosePainter:
    """Draws a robot's twin in the pose that its own sensors tell.

    Args:
        plan: of the run.
        side: height and width of a picture, pixels.
    """

    name = "as felt"

    def __init__(self, plan: Plan, side: int) -> None:
        self._robot, self._side = plan.robot, side
        # A machine has no engine of its own.
        self._twin = open_twin(replace(plan, twin=plan.twin or "mujoco"), SteppedClock())

    def paint(self, step: Transition) -> np.ndarray | None:
        """The pose that joints and gravity tell."""
        return self._draw(step.arrays)

    def imagine(self, step: Transition, thought: Thought) -> np.ndarray | None:
        """The pose that the model decodes."""
        return self._draw(thought.imagined)

    def close(self) -> None:
        """Close the twin."""
        self._twin.close()

    def _draw(self, seen: Mapping[str, np.ndarray]) -> np.ndarray | None:
        if "joint_pos" not in seen:
            return None
        self._twin.show(posed(self._robot, seen))
        return self._twin.render("chase", self._side, self._side)


class Repeater:
    """Lets an environment live each episode again, with the actions that were taken.

    Equal seeds and actions give equal episodes; one whose beginning is not in the log, or that
    shows something else this time, is not drawn.

    Args:
        plan: of the run.
    """

    name = "lived again"

    def __init__(self, plan: EnvironmentPlan) -> None:
        self._plan, self._world, self._action = plan, None, np.zeros(0)
        self._follows = False

    def paint(self, step: Transition) -> np.ndarray | None:
        """What the environment draws at this step."""
        try:
            shown = self._live(step)
        except ConfigError:  # it cannot be made with drawings
            return None
        self._follows &= all(
            np.array_equal(value, step.arrays[key], equal_nan=True) for key, value in shown.items()
        )
        return self._world.picture() if self._follows and self._world else None

    def imagine(self, step: Transition, thought: Thought) -> np.ndarray | None:
        """Nothing: an environment cannot be put into a state that it never had."""
        return None

    def close(self) -> None:
        """Close the environment."""
        if self._world is not None:
            self._world.close()

    def _live(self, step: Transition) -> dict[str, np.ndarray]:
        if step.arrays["is_first"]:
            self.close()
            self._world = EnvironmentWorld(self._plan, step.episode, drawn=True)
            shown = self._world.reset()
            self._follows = True
        elif self._world is None or not self._follows:
            return {}
        else:
            self._world.act(self._action)
            shown = self._world.observe()
        self._action = step.arrays["applied"]
        return shown
