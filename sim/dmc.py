"""The tasks of the DeepMind Control Suite as Gymnasium environments (arXiv 1801.00690).

Needs dm_control, the extra `dmc`.
"""

# dm_control ships without type stubs.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import os
from ctypes.util import find_library
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np

from robot.config import ConfigError
from robot.config.extras import how_to_install
from robot.config.spelling import did_you_mean

# Camera 0, but for quadrupeds one that sees their legs, as in wrappers.py of Dreamer's code.
CAMERAS = {"quadruped": 2}
DRAWN_BY = {"egl": "EGL", "osmesa": "OSMesa"}

Observation = dict[str, np.ndarray]


class DeepMindControl(gym.Env[Observation, np.ndarray]):
    """One task of the suite: seeded by each reset, truncated by its time limit.

    Args:
        name: DOMAIN-TASK, such as walker-walk or ball_in_cup-catch.
        render_mode: None or "rgb_array".
        size: side of a picture in pixels.

    Raises:
        ConfigError: for an unknown name, saying which there are, and where dm_control is missing.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}

    def __init__(self, name: str, render_mode: str | None = None, size: int = 64) -> None:
        domain, _, task = name.partition("-")
        self._env = _load(domain, task)
        self._camera, self._size = CAMERAS.get(domain, 0), size
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": 1 / self._env.control_timestep()}
        action = self._env.action_spec()
        self.action_space = gym.spaces.Box(
            action.minimum.astype(np.float32), action.maximum.astype(np.float32)
        )
        self.observation_space = gym.spaces.Dict(
            {
                key: gym.spaces.Box(-np.inf, np.inf, spec.shape, np.float32)
                for key, spec in self._env.observation_spec().items()
            }
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; equal seeds begin equally."""
        super().reset(seed=seed)
        if seed is not None:
            self._env.task.random.seed(seed % 2**32)
        return _floats(self._env.reset().observation), {}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act for one control step; only a discount of 0 is a true end."""
        step = self._env.step(action)
        terminated = bool(step.last() and step.discount == 0)
        truncated = bool(step.last() and not terminated)
        return _floats(step.observation), float(step.reward), terminated, truncated, {}

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """(size, size, 3) RGB bytes from the camera that Dreamer chose."""
        if self.render_mode != "rgb_array":
            return None
        return self._env.physics.render(self._size, self._size, camera_id=self._camera)

    def close(self) -> None:
        """Release the physics; safe to call twice."""
        self._env.close()


def _floats(observation: dict[str, Any]) -> Observation:
    return {key: np.asarray(value, np.float32) for key, value in observation.items()}


def _load(domain: str, task: str) -> Any:
    found = [name for name, library in DRAWN_BY.items() if find_library(library)]
    # Said before dm_control is imported: it looks for a screen otherwise, and warns of its lack.
    os.environ.setdefault("MUJOCO_GL", found[0] if found else "disable")
    try:
        from dm_control import suite
        from dm_control.mujoco.wrapper.mjbindings import sizes
    except ImportError as error:
        raise ConfigError(
            f"dmc:{domain}-{task}: needs dm_control: {how_to_install('dmc')} ({error})"
        ) from error
    _forget_fields_that_mujoco_lacks(sizes.array_sizes)
    tasks = [f"{d}-{t}" for d, t in suite.ALL_TASKS]
    if (domain, task) not in suite.ALL_TASKS:
        near = [name for name in tasks if name.startswith(f"{domain}-")] or tasks
        meant = did_you_mean(f"{domain}-{task}", tasks)
        raise ConfigError(f"dmc:{domain}-{task}: unknown{meant}; there are {', '.join(near)}")
    return suite.load(domain, task, task_kwargs={"random": 0})


def _forget_fields_that_mujoco_lacks(sizes: dict[str, dict[str, Any]]) -> None:
    """Let dm_control run on a newer MuJoCo than it was made for.

    dm_control 1.0.50 names every array of MuJoCo 3's model and data, to make them accessible by
    the names of their elements. MuJoCo 4 has renamed nine, all of deformable bodies, which the
    suite has none of; without them its tasks run, with the same numbers as on MuJoCo 3.17.
    """
    for struct, kind in (("mjmodel", mujoco.MjModel), ("mjdata", mujoco.MjData)):
        for field in [name for name in sizes[struct] if not hasattr(kind, name)]:
            del sizes[struct][field]
