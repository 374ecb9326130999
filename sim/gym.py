"""Gymnasium environments: a twin behind the same filter, limits, task and reward as a robot.

Importing this module registers `reverie/A1Walk-v0` and `reverie/PointMassReach-v0`;
`gymnasium.make("sim.gym:reverie/A1Walk-v0")` imports it. The mapping of observations and actions is
`robot.policy.observe`, the one place where it is written down: so an environment and a robot
process cannot differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from robot.clock import SteppedClock
from robot.config import RobotConfig, load_config
from robot.policy.observe import ActionMap, Observer
from robot.tasks import make_task
from robot.tasks.interface import Verdict
from robot.wire.link import Sample
from robot.wire.messages import Command
from sim.lockstep import LockstepLink
from sim.scene import make_twin

CONFIGS = Path(__file__).resolve().parent.parent / "hardware_configs"
A1, POINT_MASS = CONFIGS / "a1.yaml", CONFIGS / "point_mass.yaml"
PICTURE = (240, 320)

Observation = dict[str, Any]  # arrays; Gymnasium types the values of a Dict space no closer


class TwinEnv(gym.Env[Observation, np.ndarray]):
    """One robot in lock-step; an episode is the task's, and starts with the twin placed anew.

    Observations are a Dict with the keys of the robot's spec; actions are in [-1, 1] and stand for
    joint positions. An episode is truncated where the task ends it, and where the safety layer has
    taken the robot from the agent (`info["state"]` is then not "active").

    Args:
        config: a robot's configuration, or the path of its YAML file.
        engine: "mujoco" or "pybullet".
        seed: of the first episode when `reset` names none.
        render_mode: None or "rgb_array".

    Raises:
        ConfigError: for a configuration that cannot be used.
        ValueError: for an unknown engine, naming those that exist.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(
        self,
        config: RobotConfig | str | Path = A1,
        engine: str = "mujoco",
        seed: int = 0,
        render_mode: str | None = None,
    ) -> None:
        self.config = config if isinstance(config, RobotConfig) else load_config(config)
        self.render_mode = render_mode
        self._clock = SteppedClock()
        self._link = LockstepLink(
            self.config, make_twin(engine, self.config, self._clock, seed), self._clock
        )
        self._actions = ActionMap(self.config)
        self._task = make_task(self.config)
        self._observer = Observer(self.config, self._task)
        self._seed: int | None = seed
        self._step = self._sequence = 0
        spec = self._observer.spec
        self.observation_space = gym.spaces.Dict(
            {key: part.space for key, part in spec.observation.items()}
        )
        self.action_space = spec.action.space
        self.metadata = {**TwinEnv.metadata, "render_fps": self.config.control.control_hz}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Place the twin at `twin.start`, or at `options["start"]`, and let the body get ready.

        Raises:
            ValueError: for an unknown start, naming those that exist.
        """
        super().reset(seed=self._seed if seed is None else seed)
        self._seed = None
        start = (options or {}).get("start", self.config.twin.start)
        drawn = int(self.np_random.integers(2**31))
        self._link.restart(start, drawn)
        # Anew: a task's estimates know nothing of being carried elsewhere.
        self._task = make_task(self.config, drawn)
        self._task.begin()
        self._step = 0
        observation, _, info = self._observe()
        return observation, info

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act for one control period."""
        now_ns = self._clock.now_ns()
        self._link.send(Command(self._sequence, now_ns, now_ns, self._actions.position(action)))
        self._sequence += 1
        self._step += 1
        observation, verdict, info = self._observe()
        lost = info["state"] != "active"
        truncated = (verdict.is_last or lost) and not verdict.is_terminal
        return observation, verdict.reward, verdict.is_terminal, truncated, info

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """(240, 320, 3) RGB bytes from the camera that follows the robot."""
        if self.render_mode != "rgb_array":
            return None
        return self._link.twin.render("chase", *PICTURE)

    def close(self) -> None:
        """Release the twin; safe to call twice."""
        self._link.close()

    def _observe(self) -> tuple[Observation, Verdict, dict[str, Any]]:
        samples = self._link.next_tick()
        for sample in samples:
            self._task.sense(sample.reading)
        verdict = self._task.judge(self._step)
        observation = self._observer.observe(samples[-1], verdict.observation, self._pictures())
        return observation, verdict, self._info(samples[-1], verdict)

    def _pictures(self) -> dict[str, np.ndarray]:
        return {name: picture for name, (_, picture) in self._link.frames().items()}

    def _info(self, sample: Sample, verdict: Verdict) -> dict[str, Any]:
        status = sample.status
        return {"state": status.state, "reason": status.reason, "terms": dict(verdict.terms)}


gym.register("reverie/A1Walk-v0", entry_point="sim.gym:TwinEnv")
gym.register(
    "reverie/PointMassReach-v0", entry_point="sim.gym:TwinEnv", kwargs={"config": POINT_MASS}
)
