"""Two small environments that each ask for one ability: to remember, and to explore.

Importing this module registers `reverie/TMaze-v0` and `reverie/Maze-v0`.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

PUSH, KEPT = 0.1, 0.8  # cells per step that a full push adds, and the share of speed that stays
SPEED = PUSH / (1 - KEPT)  # is never exceeded, and below a wall's thickness, so none is passed
GAP = 1e-4  # left between the point and a wall, more than float32 rounds
PICTURE = 64
WALL, FREE, POINT = (40, 40, 40), (230, 230, 230), (200, 40, 40)

Step = tuple[np.ndarray, float, bool, bool, dict[str, Any]]


class TMaze(gym.Env[np.ndarray, Any]):
    """A corridor with a fork at its end; where to turn is said at its beginning only.

    After Bakker, "Reinforcement learning with long short-term memory" (NIPS 2001), with a corridor
    that is walked by itself, so that the one difficulty is to remember:

        step         0     1 .. length-1    length      length+1
        observation  cue   corridor         junction    end, with the reward
        action       -     -                the turn

    An observation is (cue, in the corridor, at the junction); the cue is -1 for left, 1 for right,
    0 when it is not shown. Without memory the return is the mean of 1 and `wrong` at best.

    Args:
        length: steps from the cue to the junction, 1 or more.
        discrete: choose 0 (left) or 1 (right); otherwise a number (1,) in [-1, 1], right from 0 on.
        wrong: reward of a wrong turn; a right one gives 1.

    Raises:
        ValueError: for a length below 1.
    """

    metadata = {"render_modes": []}

    def __init__(self, length: int = 10, discrete: bool = False, wrong: float = -1.0) -> None:
        if length < 1:
            raise ValueError(f"length {length}: allowed is 1 or more")
        self.length, self.wrong = length, wrong
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
        self.action_space = (
            gym.spaces.Discrete(2) if discrete else gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
        )
        self._discrete = discrete
        self._cue = self._step = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Show a cue, left or right alike often."""
        super().reset(seed=seed)
        self._cue, self._step = int(self.np_random.choice((-1, 1))), 0
        return np.array((self._cue, 1, 0), np.float32), {}

    def step(self, action: Any) -> Step:
        """Walk on; at the junction, turn."""
        self._step += 1
        if self._step <= self.length:
            here = (0, 0, 1) if self._step == self.length else (0, 1, 0)
            return np.array(here, np.float32), 0.0, False, False, {}
        right = int(action) == 1 if self._discrete else float(action[0]) >= 0
        reward = 1.0 if right == (self._cue > 0) else self.wrong
        return np.zeros(3, np.float32), reward, True, False, {}


class Maze(gym.Env[np.ndarray, np.ndarray]):
    """A point that is pushed through rooms in a row, each with a door to the next one only.

    Rooms lie in a grid and are joined like a snake: the first row to the right, the next one back.
    An episode starts in the middle of room 0. An observation is (x, y, vx, vy) in cells and cells
    per step, y down; an action (2,) in [-1, 1] pushes. Walls stop the point. There is no reward,
    unless a room is the goal: then each step that ends in it gives 1.

    Args:
        rows: of rooms.
        columns: of rooms.
        size: cells along a room's side, 2 or more; walls are one cell thick, doors two wide.
        goal: number of the room that pays; None for no reward.
        render_mode: None or "rgb_array".

    Attributes:
        walls: (H, W) of cells, whether each is wall.

    Raises:
        ValueError: for a maze without rooms, rooms that are too small, or an unknown goal.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self,
        rows: int = 2,
        columns: int = 3,
        size: int = 4,
        goal: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        if rows < 1 or columns < 1 or size < 2:
            raise ValueError(f"{rows} x {columns} rooms of {size}: allowed is 1 x 1 of 2, or more")
        if goal is not None and not 0 <= goal < rows * columns:
            raise ValueError(f"goal {goal}: allowed is 0 to {rows * columns - 1}, or None")
        self.rows, self.columns, self.size, self.goal = rows, columns, size, goal
        self.render_mode = render_mode
        self.walls = self._build()
        height, width = self.walls.shape
        high = np.array((width, height, SPEED, SPEED), np.float32)
        low = np.array((0, 0, -SPEED, -SPEED), np.float32)
        self.observation_space = gym.spaces.Box(low, high, None, np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._position, self._velocity = np.zeros(2), np.zeros(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Place the point at rest near the middle of room 0."""
        super().reset(seed=seed)
        self._position = 1 + self.size / 2 + self.np_random.uniform(-0.5, 0.5, 2)
        self._velocity = np.zeros(2)
        return self._observation(), {}

    def step(self, action: np.ndarray) -> Step:
        """Push the point and move it by one step, first along x, then along y."""
        self._velocity = KEPT * self._velocity + PUSH * np.clip(action, -1, 1)
        for axis in (0, 1):
            self._move(axis)
        reward = float(self.goal is not None and self.room(self._position) == self.goal)
        return self._observation(), reward, False, False, {}

    def room(self, position: np.ndarray) -> int:
        """Number of the room in which (x, y) lies; -1 for a door."""
        column, x = divmod(int(position[0]) - 1, self.size + 1)
        row, y = divmod(int(position[1]) - 1, self.size + 1)
        if x == self.size or y == self.size:
            return -1
        return row * self.columns + (column if row % 2 == 0 else self.columns - 1 - column)

    def coverage(self, positions: np.ndarray) -> float:
        """Share of all free cells in which at least one of the positions (N, 2 or more) lies."""
        visited = np.zeros_like(self.walls)
        x, y = positions[:, :2].astype(int).T
        visited[y, x] = True
        return float((visited & ~self.walls).sum() / (~self.walls).sum())

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """(64, 64, 3) RGB bytes of the whole maze from above."""
        if self.render_mode != "rgb_array":
            return None
        height, width = self.walls.shape
        scale = max(height, width) / PICTURE
        x = ((np.arange(PICTURE) + 0.5) * scale).astype(int)
        walls = np.pad(self.walls, ((0, x[-1] + 1), (0, x[-1] + 1)), constant_values=True)
        picture = np.where(walls[np.ix_(x, x)][..., None], WALL, FREE).astype(np.uint8)
        column, row = (self._position / scale).astype(int)
        picture[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = POINT
        return picture

    def _build(self) -> np.ndarray:
        pitch = self.size + 1
        walls = np.ones((self.rows * pitch + 1, self.columns * pitch + 1), bool)
        middle = self.size // 2
        for row in range(self.rows):
            top = 1 + row * pitch
            for column in range(self.columns):
                left = 1 + column * pitch
                walls[top : top + self.size, left : left + self.size] = False
            door = slice(top + middle - 1, top + middle + 1)
            walls[door, pitch : self.columns * pitch : pitch] = False
            if row < self.rows - 1:
                last = 1 + (0 if row % 2 else self.columns - 1) * pitch + middle
                walls[top + self.size, last - 1 : last + 1] = False
        return walls

    def _move(self, axis: int) -> None:
        """Move along one axis, as far as the next wall."""
        wanted = self._position.copy()
        wanted[axis] += self._velocity[axis]
        x, y = wanted.astype(int)
        if self.walls[y, x]:
            back = self._velocity[axis] < 0
            wanted[axis] = int(wanted[axis]) + (1 + GAP if back else -GAP)
            self._velocity[axis] = 0.0
        self._position = wanted

    def _observation(self) -> np.ndarray:
        return np.concatenate((self._position, self._velocity), dtype=np.float32)


gym.register("reverie/TMaze-v0", entry_point="sim.mazes:TMaze")
gym.register("reverie/Maze-v0", entry_point="sim.mazes:Maze", max_episode_steps=200)
