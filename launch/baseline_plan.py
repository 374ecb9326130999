"""What decides a rival's run: its numbers, with where they come from, and the robot's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field

from launch.run_folder import Plan
from learner.train.settings import Count, Keys, Positive, Share
from robot.config import ConfigError, Strict, apply_change, check_config, load_config


class RivalSettings(Strict):
    """Numbers that every rival has.

    Args:
        keys: observation keys that are read, joined in the order of their names.
        gain: what a typical deviation is scaled to; 0 leaves the numbers as they are (DayDreamer).
        lr: step size of Adam.
        batch: transitions per gradient.
        units: width of each hidden layer.
        layers: number of those, in every network.
        gamma: discount per step.
        device: what computes; "auto" takes a GPU where there is one.
        checkpoint_s: seconds between two checkpoints.
    """

    keys: Keys = ("imu", "joint_pos")
    gain: float = Field(default=0.0, ge=0)
    lr: Positive = 3e-4
    batch: Count = 64
    units: Count = 64
    layers: Count = 2
    gamma: Share = 0.99
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_s: Positive = 60.0


class SacSettings(RivalSettings):
    """DayDreamer's SAC for the A1 (its pytorch_sac, config/agent/sac.yaml and config/train.yaml).

    One update per step, the target entropy is minus the number of actions, and both actor and
    temperature are updated every time, as there.

    Args:
        capacity: steps kept in replay.
        prefill: random steps before the first update.
        tau: share of the critic that its slow copy takes over at once.
        target_every: updates between two such takings-over; so many steps, then so many updates.
        temperature: at the start.
    """

    lr: Positive = 1e-4
    batch: Count = 1024
    units: Count = 1024
    capacity: int = Field(default=1_000_000, ge=100)
    prefill: int = Field(default=10_000, ge=1)
    tau: Share = 0.005
    target_every: Count = 2
    temperature: Positive = 0.1


class PpoSettings(RivalSettings):
    """The defaults of Stable-Baselines3, with which DayDreamer ran PPO on the UR5 (its ppo.py).

    Args:
        rollout: steps between two rounds of training.
        epochs: passes over a rollout.
        lam: of the generalised advantage.
        clip: of the ratio of probabilities.
        entropy: weight of the entropy.
        value: weight of the critic's loss.
        clip_norm: largest norm of a gradient.
    """

    rollout: int = Field(default=2048, ge=2)
    epochs: Count = 10
    lam: Share = 0.95
    clip: Positive = 0.2
    entropy: float = Field(default=0.0, ge=0)
    value: Positive = 0.5
    clip_norm: Positive = 0.5


# `cpu` is the same algorithm in small: SAC's published widths and batch (arXiv 1812.05905, table
# 1), and as little random play as the small presets of the learning systems have.
PRESETS: Mapping[str, Mapping[str, RivalSettings]] = {
    "sac": {"paper": SacSettings(), "cpu": SacSettings(batch=256, units=256, prefill=1000)},
    "ppo": {"paper": PpoSettings()},
}


def rival_settings(rival: str, preset: str, changes: Sequence[str] = ()) -> RivalSettings:
    """Settings of a rival's preset with `key=value` changes.

    Raises:
        ConfigError: for an unknown rival, preset or key, or a value out of range.
    """
    if rival not in PRESETS:
        raise ConfigError(f"baseline: unknown '{rival}'; there are {', '.join(PRESETS)}")
    presets = PRESETS[rival]
    if preset not in presets:
        raise ConfigError(f"--preset {preset}: {rival} has {', '.join(presets)}")
    data = presets[preset].model_dump()
    for change in changes:
        apply_change(data, change)
    return check_config(type(presets[preset]), data, f"--set learner ({rival})")


@dataclass(frozen=True)
class RivalPlan(Plan):
    """Everything that decides a rival's run; the settings are a rival's, not a system's."""

    settings: RivalSettings  # pyright: ignore[reportIncompatibleVariableOverride]


def rival_plan(
    rival: str, config: Path, twin: str, preset: str, seed: int, changes: Sequence[str]
) -> RivalPlan:
    """Check everything that decides a run.

    Args:
        rival: "sac" or "ppo".
        config: the robot's YAML file.
        twin: "mujoco" or "pybullet".
        preset: of the rival's settings.
        seed: of everything that is random.
        changes: `key=value`; keys that begin with `learner.` are the rival's, others the robot's.

    Raises:
        ConfigError: naming the key, the value and what is allowed.
    """
    if twin == "pybullet" and find_spec("pybullet") is None:
        raise ConfigError("--twin pybullet: PyBullet is not installed here; take --twin mujoco")
    mine = [c.removeprefix("learner.") for c in changes if c.startswith("learner.")]
    robot = load_config(config, [c for c in changes if not c.startswith("learner.")])
    return RivalPlan(
        robot, rival_settings(rival, preset, mine), rival, preset, twin, "lockstep", seed
    )
