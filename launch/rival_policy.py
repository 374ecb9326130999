"""What a model-free rival has learnt, as a policy like any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from launch.baseline import MISSING
from launch.baseline_env import UnbrokenLife
from launch.baseline_plan import PRESETS, RivalPlan, rival_settings
from launch.run_folder import RunFolder
from learner.train.checkpoint import Checkpoints
from robot.config import ConfigError, RobotConfig, check_config
from robot.policy.interface import Policy

NAMED = ("system", "preset", "twin", "clock", "seed")  # keys of a plan that are plain


def is_rivals(data: Mapping[str, Any]) -> bool:
    """Whether a saved plan is that of a rival's run."""
    return data.get("system") in PRESETS


def read_rival_plan(folder: RunFolder) -> RivalPlan:
    """The plan that a rival's run was made with.

    Raises:
        ConfigError: when it cannot be read, or Stable-Baselines3 is missing.
    """
    if find_spec("stable_baselines3") is None:
        raise ConfigError(f"{folder.path}: is a rival's run; {MISSING}")
    data, source = folder.saved_plan(("robot", "settings", *NAMED)), str(folder.plan_file)
    usual = rival_settings(data["system"], data["preset"])
    return RivalPlan(
        robot=check_config(RobotConfig, data["robot"], source),
        settings=check_config(type(usual), data["settings"], source),
        **{key: data[key] for key in NAMED},
    )


@dataclass(frozen=True)
class RivalPolicy:
    """A rival's policy by its mode.

    Args:
        model: of Stable-Baselines3.
        life: joins observations as the rival learnt them; its twin is not used.
        version: updates that it has learnt from.
    """

    model: Any
    life: UnbrokenLife
    version: int

    def initial(self) -> None:
        """Nothing is carried."""

    def act(self, carry: None, observation: Mapping[str, np.ndarray]) -> tuple[None, np.ndarray]:
        """The mode (A,) of the policy."""
        action, _ = self.model.predict(self.life.join(observation), deterministic=True)
        return None, np.asarray(action, np.float32)


def read_rival_policy(folder: RunFolder, plan: RivalPlan) -> tuple[Policy[None], dict[str, Any]]:
    """The policy of a rival's newest checkpoint, and what is told of it.

    Raises:
        ConfigError: when there is none yet, or it is of another configuration.
    """
    from launch.baseline_models import make_model, read_policy

    saved = Checkpoints(folder.checkpoints, configuration=plan.as_dict()).load()
    if saved is None:
        raise ConfigError(f"no policy at {folder.checkpoints}: the run has not learnt anything yet")
    steps, tensors, state = saved
    life = UnbrokenLife(plan.robot, plan.twin, plan.seed, plan.settings.keys, plan.settings.gain)
    try:
        small = plan.settings.model_copy(update={"capacity": 100})  # no replay is needed
        model = make_model(small, life, plan.seed)
        read_policy(model, tensors)
    finally:
        life.close()
    about = {"version": steps, "updates": state["updates"], "sha256": ""}
    return RivalPolicy(model, life, state["updates"]), about
