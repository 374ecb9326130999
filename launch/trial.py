"""Lets a saved policy act on a twin, by its mode and in lock-step, and keeps what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from pydantic import ValidationError

from launch.compose import PolicyMaker, plan_spec
from launch.environments import AnyPlan
from launch.gait import Gait, measure
from launch.run_folder import Plan, RunFolder
from launch.witness import WitnessedTwin
from learner.agent import AgentPolicy
from learner.behaviour.noise import ModeNoise
from learner.train.weights import load_weights
from robot.body.interface import Twin
from robot.clock import SteppedClock
from robot.config import ConfigError, RobotConfig, WalkTask, apply_change, check_config
from robot.policy.interface import Policy
from robot.policy.robot import Robot
from robot.policy.rollout import FixedPilot, Start, rollout
from robot.tasks import make_task
from robot.wire.weights import Weights
from sim.lockstep import LockstepLink
from sim.perturb import Perturbation, perturbed_config, perturbed_twin
from sim.scene import ENGINES, make_twin

WALK_S = 30.0  # of uninterrupted walking


@dataclass(frozen=True)
class Trial:
    """How a policy is tried.

    Args:
        twin: engine; "" for that of the run, and MuJoCo for a run on hardware.
        episodes: how many, each without any interruption.
        seconds: length of each; half a minute of walking, or an episode of another task, unless
            given.
        start: how each begins; as the twin's first start unless given.
        seed: of the first episode's start and sensor noise; each further one has the next.
        changes: `key=value` changes of the robot, such as twin.friction=0.4.
        perturbations: what happens to the twin.
    """

    twin: str = ""
    episodes: int = 10
    seconds: float | None = None
    start: str = ""
    seed: int = 0
    changes: tuple[str, ...] = ()
    perturbations: tuple[Perturbation, ...] = ()

    def check(self) -> None:
        """Refuse what cannot be tried.

        Raises:
            ConfigError: naming the option, the value and what is allowed.
        """
        if self.twin not in ("", *ENGINES):
            raise ConfigError(f"--twin {self.twin}: allowed is {' or '.join(ENGINES)}")
        if not 1 <= self.episodes <= 1000:
            raise ConfigError(f"--episodes {self.episodes}: allowed is 1 to 1000")
        if self.seconds is not None and not 1 <= self.seconds <= 3600:
            raise ConfigError(f"--seconds {self.seconds:g}: allowed is 1 to 3600")

    def on(self, robot: RobotConfig) -> Trial:
        """The same, with start and length as this robot has them.

        Raises:
            ConfigError: for a start that it has not, naming those that it has.
        """
        start = self.start or robot.twin.starts[0]
        if start not in robot.twin.starts:
            raise ConfigError(f"--start {start}: allowed is {', '.join(robot.twin.starts)}")
        task = robot.task
        own_s = task.episode_steps / robot.control.control_hz
        usual_s = WALK_S if isinstance(task, WalkTask) else own_s
        return replace(self, start=start, seconds=self.seconds or usual_s)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; perturbations by name, and only where there are any."""
        said = {k: v for k, v in asdict(self).items() if k != "perturbations"}
        names = [str(one) for one in self.perturbations]
        return {**said, "perturbations": names} if names else said


@dataclass(frozen=True)
class Episode:
    """What happened in one episode. N control steps.

    Args:
        seed: of its start and noise.
        terms: what the task said of each step, by name: both rewards, and estimates.
        states: (N, 7 + J) of the twin at each step, enough to draw it.
        valid: (N,) whether the body followed commands.
        body: safety state at the end.
        gait: how the robot walked, by the truth.
    """

    seed: int
    terms: Mapping[str, np.ndarray]
    states: np.ndarray
    valid: np.ndarray
    body: str
    gait: Gait


def trial_plan(plan: Plan, trial: Trial) -> Plan:
    """The plan of a run, changed to what a trial asks for.

    Raises:
        ConfigError: naming what is not allowed.
    """
    trial.check()
    data = plan.robot.model_dump(mode="json")
    for change in trial.changes:
        apply_change(data, change)
    robot = check_config(RobotConfig, data, "--set")
    steps = round((trial.on(robot).seconds or 0) * robot.control.control_hz)
    task = robot.task.model_copy(update={"episode_steps": steps})
    robot = _perturbed(robot.model_copy(update={"task": task}), trial)
    twin = trial.twin or plan.twin or "mujoco"
    return replace(plan, robot=robot, twin=twin, clock="lockstep", seed=trial.seed)


def _perturbed(robot: RobotConfig, trial: Trial) -> RobotConfig:
    try:
        return perturbed_config(robot, trial.perturbations)
    except ValidationError as error:
        names = "+".join(map(str, trial.perturbations))
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"]))
        raise ConfigError(f"--perturb {names}: twin.{key}: {fault['msg']}") from error


def read_weights(folder: RunFolder, plan: AnyPlan) -> Weights:
    """The latest policy of a run.

    Raises:
        ConfigError: when there is none yet, or it was learnt for another robot.
        WeightsError: when the file is damaged.
    """
    weights = load_weights(folder.weights)
    if weights is None:
        raise ConfigError(f"no policy at {folder.weights}: the run has not learnt anything yet")
    if weights.spec != (mine := plan_spec(plan).fingerprint()):
        raise ConfigError(
            f"{folder.weights}: learnt for spec {weights.spec}; this robot has {mine}"
        )
    return weights


def run_trial(plan: Plan, weights: Weights, trial: Trial) -> Iterator[Episode]:
    """Run the episodes one by one, all on one twin; equal arguments give equal episodes.

    Raises:
        ConfigError: when the weights are those of another version of the learning system.
    """
    return try_policy(plan, mode_policy(plan, weights, trial.seed), trial)


def mode_policy(plan: Plan, weights: Weights, seed: int) -> AgentPolicy:
    """The policy that always takes the mode of what it would sample.

    Raises:
        ConfigError: when the weights are those of another version of the learning system.
    """
    try:
        return PolicyMaker(plan, ModeNoise(seed))(weights)
    except ValueError as error:
        raise ConfigError(f"this version of {plan.system} cannot use them: {error}") from error


def try_policy(plan: Plan, policy: Policy[Any], trial: Trial) -> Iterator[Episode]:
    """Run the episodes with any policy."""
    trial = trial.on(plan.robot)
    clock = SteppedClock()
    twin = WitnessedTwin(open_twin(plan, clock, trial.perturbations), plan.robot)
    link = LockstepLink(plan.robot, twin, clock)
    try:
        for seed in range(trial.seed, trial.seed + trial.episodes):
            link.restart(trial.start, seed)
            twin.forget()
            yield _live(plan.robot, link, twin, policy, seed)
    finally:
        link.close()


def open_twin(plan: Plan, clock: SteppedClock, perturbations: Sequence[Perturbation] = ()) -> Twin:
    """The plan's twin, disturbed; the plan holds what they change of its configuration.

    Raises:
        ConfigError: where its engine is not installed.
    """
    try:
        twin = make_twin(plan.twin, plan.robot, clock, plan.seed)
    except ImportError as error:
        raise ConfigError(f"--twin {plan.twin}: {error}") from error
    return perturbed_twin(twin, plan.robot, perturbations)


def _live(
    config: RobotConfig, link: LockstepLink, twin: WitnessedTwin, policy: Policy, seed: int
) -> Episode:
    """One episode, by the very loop that the robot process runs."""
    robot = Robot(config, link, make_task(config, seed))
    terms: list[Mapping[str, float]] = []
    states, valid = [], []
    start = Start(config.robot, "trial")
    for step in rollout(robot, FixedPilot(policy), start, lambda: len(terms) > 0):
        assert robot.verdict is not None
        terms.append(robot.verdict.terms)
        states.append(twin.truth().state)
        valid.append(step.valid)
    return Episode(
        seed=seed,
        terms={name: np.array([t[name] for t in terms]) for name in terms[0]},
        states=np.array(states),
        valid=np.array(valid),
        body=robot.state,
        gait=measure(twin.motion()),
    )
