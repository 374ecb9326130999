"""The environment of the model-free rivals: a twin's one unbroken life, seen as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from learner.model.encoders import pick
from robot.config import ConfigError, RobotConfig
from robot.policy.observe import robot_spec
from robot.tasks import make_task
from robot.wire.spec import Spec
from sim.gym import Observation, TwinEnv

ENDLESS = 2**62


class UnbrokenLife(gym.Env[np.ndarray, np.ndarray]):
    """A twin whose episodes are marks of time in one life: a reset after one moves nothing.

    DayDreamer's SAC knows episodes of 250 steps and no resets on the A1 (its pytorch_sac/train.py).
    An episode ends truncated, never terminated by its length, and the next one's first observation
    is its last. Only where the robot cannot go on, because its task is over for good or the safety
    layer has taken it, the next reset places it anew.

    Args:
        config: the robot.
        engine: "mujoco" or "pybullet".
        seed: of the twin.
        keys: observation keys to join, in the order of their names.
        gain: what a typical deviation from a key's centre is scaled to; 0 leaves the numbers.

    Attributes:
        placed: how often the twin was placed, the first time counted in.

    Raises:
        ConfigError: for a key that the robot does not sense, and for a picture.
    """

    def __init__(
        self, config: RobotConfig, engine: str, seed: int, keys: Sequence[str], gain: float
    ) -> None:
        specs = pick(robot_spec(config, make_task(config)).observation, keys)
        self._specs = {key: specs[key] for key in sorted(specs)}
        _refuse_pictures(self._specs)
        endless = config.task.model_copy(update={"episode_steps": ENDLESS})
        self._twin = TwinEnv(config.model_copy(update={"task": endless}), engine, seed)
        self._gain = gain
        self._episode_steps = config.task.episode_steps
        self._step = 0
        self._last: tuple[np.ndarray, dict[str, Any]] | None = None
        self.placed = 0
        low, high = (
            self._join({key: getattr(spec.space, end) for key, spec in self._specs.items()})
            for end in ("low", "high")
        )
        self.observation_space = gym.spaces.Box(low, high, None, np.float32)
        self.action_space = self._twin.action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin the next episode where the robot is; the first one by placing it.

        Seed and options count where it is placed.
        """
        super().reset(seed=seed)
        self._step = 0
        if self._last is None:
            observation, info = self._twin.reset(seed=seed, options=options)
            self._last = self._join(observation), info
            self.placed += 1
        return self._last

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Act for one control period."""
        seen, reward, terminated, lost, info = self._twin.step(action)
        observation = self._join(seen)
        self._step += 1
        self._last = None if terminated or lost else (observation, info)
        truncated = (lost or self._step >= self._episode_steps) and not terminated
        return observation, float(reward), terminated, truncated, info

    def close(self) -> None:
        """Release the twin; safe to call twice."""
        self._twin.close()

    def _join(self, observation: Observation) -> np.ndarray:
        parts = [observation[key] for key in self._specs]
        if self._gain:
            parts = [
                (part - spec.centre) / spec.scale * self._gain
                for part, spec in zip(parts, self._specs.values(), strict=True)
            ]
        return np.concatenate(parts, dtype=np.float32)


def _refuse_pictures(specs: dict[str, Spec]) -> None:
    for key, spec in specs.items():
        if spec.is_image:
            raise ConfigError(f"learner.keys: {key} is a picture; allowed here are vectors")
