"""Puts the parts of a run together; the one place where robot, twin and learner meet."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from launch.environments import AnyPlan, EnvironmentPlan
from launch.logs.places import find_log
from learner.agent import Agent, AgentPolicy
from learner.behaviour.noise import Noise, SmoothNoise
from learner.systems import SYSTEMS, build_agent, make_settings
from learner.train.replay import Replay
from learner.train.settings import Settings
from learner.train.trainer import Trainer
from robot.config import ConfigError, RobotConfig
from robot.policy.observe import robot_spec
from robot.tasks import make_task
from robot.wire.index import LogIndex
from robot.wire.spec import RobotSpec
from robot.wire.transition import FLAGS
from robot.wire.weights import Weights

log = logging.getLogger(__name__)


def plan_spec(plan: AnyPlan) -> RobotSpec:
    """What the plan's robot, or what stands for one, senses and does."""
    if isinstance(plan, EnvironmentPlan):
        return plan.spec
    return robot_spec(plan.robot, make_task(plan.robot))


def learner_settings(
    robot: RobotConfig, system: str, preset: str, changes: Sequence[str]
) -> Settings:
    """Settings of a system for a robot: the preset, what the robot asks for, what the user says.

    Raises:
        ConfigError: for a key that no system has, or a value out of range.
    """
    every = {key for s in SYSTEMS.values() for p in s.presets.values() for key in _keys(p)}
    unknown = [key for key in robot.learner if key not in every]
    if unknown:
        raise ConfigError(f"learner: no system has a setting '{unknown[0]}'")
    mine = _keys(make_settings(system, preset))
    asked = [f"{key}={json.dumps(v)}" for key, v in robot.learner.items() if key in mine]
    return make_settings(system, preset, [*asked, *changes])


def _keys(settings: Settings) -> set[str]:
    return set(type(settings).model_fields)


def make_trainer(plan: AnyPlan, change: Callable[[Agent], Agent] = lambda agent: agent) -> Trainer:
    """The learner's side: agent, replay and trainer, seeded; computes on one thread.

    One thread is as fast as two at these sizes, leaves a core to the robot, and is deterministic.

    Args:
        plan: of the run.
        change: adds parts to the agent before it learns.
    """
    torch.set_num_threads(1)
    torch.manual_seed(plan.seed)
    spec = plan_spec(plan)
    settings = plan.settings
    agent = change(build_agent(plan.system, spec, settings))
    replay = Replay(spec, settings.capacity, agent.sampler, plan.seed, agent.keys)
    log.info("replay will take at most %.0f MB", replay.bytes_bound / 1e6)
    for path in (plan.begun_from or {}).get("logs", ()):
        _inherit(replay, Path(path), (*agent.keys, "action", "reward", *FLAGS))
    return Trainer(agent, replay, settings, spec.fingerprint())


def _inherit(replay: Replay, path: Path, keys: Sequence[str]) -> None:
    """Begin with the newest experience of another run, as much as there is room for."""
    with LogIndex(find_log(path).files) as index:
        for step in index.transitions(max(0, len(index) - replay.capacity), keys=keys):
            replay.add(step)


@dataclass
class PolicyMaker:
    """Builds policies from weights, for one robot process.

    The network is built once; newer weights are copied into it, between two steps.

    Args:
        plan: of the run.
        noise: where the policy's randomness comes from.
    """

    plan: AnyPlan
    noise: Noise

    def __post_init__(self) -> None:
        torch.set_num_threads(1)
        settings = self.plan.settings.acting()
        self._agent: Agent = build_agent(self.plan.system, plan_spec(self.plan), settings)

    def untrained(self) -> Weights:
        """Weights before any learning: what all others must look like."""
        return Weights(self._agent.policy_weights(), 0, plan_spec(self.plan).fingerprint())

    def untrained_policy(self) -> AgentPolicy:
        """Policy before any learning."""
        return AgentPolicy(self._agent, self.noise)

    def __call__(self, weights: Weights) -> AgentPolicy:
        """Policy with these weights.

        Raises:
            ValueError: when a name or a shape does not fit, naming it.
        """
        self._agent.load_policy_weights(weights.arrays)
        self.noise.scale = self.plan.settings.noise_scale(weights.updates)
        return AgentPolicy(self._agent, self.noise, weights.version)


def exploring(plan: AnyPlan) -> PolicyMaker:
    """Policies that explore, with noise from the plan's seed."""
    return PolicyMaker(plan, SmoothNoise(plan.seed + 1, plan.settings.noise_correlation))
