"""What a body is: the seam between the inner loop and hardware or its twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robot.wire.messages import Reading


@dataclass(frozen=True, slots=True)
class MotorCommand:
    """What the motors shall do until the next command: tau = kp (position - q) - kd (dq) + torque.

    All (J,), rad, N m / rad, N m s / rad, N m; m for rad and N for N m where a joint slides. Zero
    gains and torque leave the robot limp.
    """

    position: np.ndarray
    kp: np.ndarray
    kd: np.ndarray
    torque: np.ndarray


class Body(Protocol):
    """Hardware, or a twin of it. Every method returns within a fraction of the inner period."""

    def connect(self) -> None:
        """Open the device; after it `read` gives real values and the motors are limp."""
        ...

    def read(self) -> Reading:
        """Return the latest sample; its stamp tells how old it is."""
        ...

    def write(self, command: MotorCommand) -> None:
        """Give the motors a command; it holds until the next."""
        ...

    def stop(self) -> None:
        """Make the motors safe (damping) without further commands."""
        ...

    def close(self) -> None:
        """Release the device; safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class Truth:
    """True state of a twin, which no real robot knows: for tests and reports, never for a reward.

    A machine that is bolted down has its base where others have their trunk.

    Args:
        position: (3,) m, trunk origin in the world.
        quaternion: (4,) wxyz.
        velocity: (3,) m/s, trunk origin, world frame.
        foot_height: (F,) m, of the lowest point of each foot above the floor.
        foot_contact: (F,) whether each foot touches the floor.
        body_contact: whether trunk, hip or thigh touches the floor.
        state: engine state, enough to show the same picture in another process.
    """

    position: np.ndarray
    quaternion: np.ndarray
    velocity: np.ndarray
    foot_height: np.ndarray
    foot_contact: np.ndarray
    body_contact: bool
    state: np.ndarray


class Twin(Body, Protocol):
    """A simulated body: also moves time, starts anew, is pushed, and tells the truth."""

    def advance(self) -> None:
        """Simulate one inner period with the last command; readings are stamped with this time."""
        ...

    def reset(self, start: str, seed: int) -> None:
        """Place the robot in one of the starts of its configuration's `twin`.

        Raises:
            ValueError: for another start, naming those that exist.
        """
        ...

    def push(self, impulse_n_s: np.ndarray) -> None:
        """Apply a (3,) impulse in N s, world frame, to its root link over the next 0.1 s."""
        ...

    def truth(self) -> Truth:
        """Tell the true state."""
        ...

    def show(self, state: np.ndarray) -> None:
        """Take over the engine state of another process's twin, for drawing it."""
        ...

    def render(self, camera: str, height: int, width: int) -> np.ndarray:
        """(H, W, 3) RGB bytes from "front" (the robot's own) or "chase" (follows it)."""
        ...

    def depth(self, camera: str, height: int, width: int) -> np.ndarray:
        """(H, W) m along the camera's view to what `render` shows."""
        ...


class Camera(Protocol):
    """A source of pictures, read by a camera process of its own."""

    def connect(self) -> None:
        """Open the device."""
        ...

    def read(self) -> tuple[int, np.ndarray]:
        """Wait for the next frame: capture stamp in ns and (H, W, C) bytes, RGB."""
        ...

    def close(self) -> None:
        """Release the device; safe to call twice."""
        ...
