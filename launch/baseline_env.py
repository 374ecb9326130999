"""The environment of the model-free rivals: a twin's one unbroken life, seen as one vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from learner.model.encoders import pick
from robot.config import ConfigError, RobotConfig
from robot.policy.observe import robot_spec
from robot.tasks import make_task
from robot.wire.spec import Spec
from sim.gym import Observation, TwinEnv


class UnbrokenTwin(TwinEnv):
    """A twin whose episodes are marks of time in one life: a reset after one moves nothing.

    DayDreamer's SAC knows episodes of 250 steps and no resets on the A1 (its pytorch_sac/train.py).
    The next episode's first observation is the last one of the episode before, but for what the
    task says anew, such as a target. Only where the robot cannot go on, because its task is over
    for good or the safety layer has taken it, the reset places it.

    Attributes:
        placed: how often the twin was placed, the first time counted in.
    """

    placed = 0
    _last: tuple[Observation, dict[str, Any]] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin the next episode; seed and options count where the twin is placed."""
        if self._last is None:
            self.placed += 1
            self._last = super().reset(seed=seed, options=options)
            return self._last
        observation, info = self._last
        self._step = 0
        self._task.begin()
        verdict = self._task.judge(0)
        return {**observation, **verdict.observation}, {**info, "terms": dict(verdict.terms)}

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act for one control period."""
        made = super().step(action)
        observation, _, terminated, _, info = made
        self._last = None if terminated or info["state"] != "active" else (observation, info)
        return made


class UnbrokenLife(gym.Env[np.ndarray, np.ndarray]):
    """The same, seen as one vector.

    Args:
        config: the robot.
        engine: "mujoco" or "pybullet".
        seed: of the twin.
        keys: observation keys to join, in the order of their names.
        gain: what a typical deviation from a key's centre is scaled to; 0 leaves the numbers.

    Attributes:
        twin: the twin behind it.

    Raises:
        ConfigError: for a key that the robot does not sense, and for a picture.
    """

    def __init__(
        self, config: RobotConfig, engine: str, seed: int, keys: Sequence[str], gain: float
    ) -> None:
        specs = pick(robot_spec(config, make_task(config)).observation, keys)
        self._specs = {key: specs[key] for key in sorted(specs)}
        _refuse_pictures(self._specs)
        self._gain = gain
        self.twin = UnbrokenTwin(config, engine, seed)
        low, high = (
            self.join({key: getattr(spec.space, end) for key, spec in self._specs.items()})
            for end in ("low", "high")
        )
        self.observation_space = gym.spaces.Box(low, high, None, np.float32)
        self.action_space = self.twin.action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin the next episode where the robot is; the first one by placing it."""
        super().reset(seed=seed)
        observation, info = self.twin.reset(seed=seed, options=options)
        return self.join(observation), info

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Act for one control period."""
        observation, reward, terminated, truncated, info = self.twin.step(action)
        return self.join(observation), float(reward), terminated, truncated, info

    def close(self) -> None:
        """Release the twin; safe to call twice."""
        self.twin.close()

    def join(self, observation: Mapping[str, np.ndarray]) -> np.ndarray:
        """One vector (N,) float32 of what is observed."""
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
