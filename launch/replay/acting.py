"""`reverie replay --mode act`: sends recorded actions to a twin, or to a body that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

from launch.realtime import confirm_hardware
from launch.replay.lives import Life
from launch.run_folder import Plan, write_json
from launch.trial import open_twin
from launch.video import captioned, write_video
from launch.worlds import TwinWorld
from robot.clock import RealClock, SteppedClock
from robot.config import ConfigError
from robot.policy.link import ZmqLink
from robot.policy.operator import Operator
from robot.policy.robot import Robot
from robot.policy.rollout import FixedPilot, Start, rollout
from robot.tasks import make_task
from robot.wire.keys import load_keys
from robot.wire.link import BodyLink
from robot.wire.streams import Endpoints
from robot.wire.transition import Transition
from sim.lockstep import LockstepLink

PICTURE = (360, 480)


class Recorded:
    """A policy that does what was done, whatever it sees.

    Args:
        steps: transitions, in order; the last ones of episodes, which have no action, are left out.
    """

    version = 0

    def __init__(self, steps: Sequence[Transition]) -> None:
        self._actions = [s.arrays["action"] for s in steps if not s.arrays["is_last"]]
        self._next = 0

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self._next >= len(self._actions)

    def initial(self) -> None:
        """Nothing is carried."""

    def act(self, carry: None, observation: Mapping[str, np.ndarray]) -> tuple[None, np.ndarray]:
        """The next recorded action (A,)."""
        self._next += 1
        return None, self._actions[self._next - 1]


@dataclass(frozen=True)
class Repeat:
    """What came of it. N steps that both have.

    Args:
        steps: N.
        same: of them, those whose every observed joint position is the same, bit for bit.
        joint_rms: root mean square distance of joint positions, rad or m.
        reward_then: mean per step.
        reward_now: mean per step.
        apart: (N,) distance of joint positions, root mean square over joints.
    """

    steps: int
    same: int
    joint_rms: float
    reward_then: float
    reward_now: float
    apart: np.ndarray


def compare(then: Sequence[Transition], now: Sequence[Transition]) -> Repeat:
    """How far a body went from what was recorded."""
    count = min(len(then), len(now))
    joints = [np.stack([s.arrays["joint_pos"] for s in steps[:count]]) for steps in (then, now)]
    apart = np.sqrt(np.square(joints[0].astype(float) - joints[1]).mean(axis=1))
    rewards = [float(np.mean([s.arrays["reward"] for s in steps[:count]])) for steps in (then, now)]
    return Repeat(
        steps=count,
        same=int((joints[0] == joints[1]).all(axis=1).sum()),
        joint_rms=float(np.sqrt(np.square(apart).mean())),
        reward_then=rewards[0],
        reward_now=rewards[1],
        apart=apart,
    )


def act_again(life: Life, twin: str, out: Path, yes: bool, keys: Path | None = None) -> int:
    """Act as a life did, with all limits of the body on, and report how far it went from it.

    Args:
        life: of a robot process.
        twin: engine, in lock-step and from the start that the run had; "" for the body that runs.
        out: folder of act.json, a plot, and on a twin a film.
        yes: do not ask before a body moves.
        keys: key file, where the body is on another computer.

    Returns:
        Exit code 0; that a body goes elsewhere is a result.

    Raises:
        ConfigError: when the log holds no action, or nobody confirms.
        TimeoutError: when no body answers.
    """
    then, console = list(life.steps()), Console()
    policy = Recorded(then)
    if policy.over:
        raise ConfigError(f"{life.files[0]}: holds no action")
    plan, states = life.plan, []
    if twin:
        plan = replace(plan, twin=twin, clock="lockstep")
        now = _on_twin(plan, life, policy, len(then), states)
    else:
        if not yes:
            confirm_hardware(plan, console)
        now = _on_body(plan, policy, len(then), keys)
    found = compare(then, now)
    out.mkdir(parents=True, exist_ok=True)
    hz = plan.control_hz
    plot(found, hz, out / "act.png")
    if states:
        _film(plan, now, states, out / "act")
    told = {k: v for k, v in asdict(found).items() if k != "apart"}
    write_json(out / "act.json", {**told, "files": [str(f) for f in life.files], "twin": twin})
    console.print(
        f"{found.steps} steps, {found.same} of them at the very joint positions of the log; "
        f"{found.joint_rms:.4f} apart (RMS); reward per step {found.reward_now:.2f}, "
        f"{found.reward_then:.2f} then. All figures: {out}",
        highlight=False,
    )
    return 0


def _on_twin(
    plan: Plan, life: Life, policy: Recorded, count: int, states: list[np.ndarray]
) -> list[Transition]:
    """Steps on a twin that starts as the run did; its engine states go to `states`."""
    links: list[LockstepLink] = []

    def kept(link: BodyLink) -> BodyLink:
        assert isinstance(link, LockstepLink), "a twin in lock-step"
        links.append(link)
        return link

    world, steps = TwinWorld(plan, life.drawn["episode"], kept), []
    try:
        for step in track(_live(world, policy, plan, world.revive), "acting", total=count):
            steps.append(step)
            states.append(links[0].twin.truth().state)
    finally:
        world.close()
    return steps


def _on_body(plan: Plan, policy: Recorded, count: int, keys: Path | None) -> list[Transition]:
    """Steps on the body that runs; its motors are stopped at the end."""
    with _linked(plan, keys) as link:
        robot = Robot(plan.robot, link, make_task(plan.robot, plan.seed))
        return list(track(_live(robot, policy, plan, lambda: None), "acting", total=count))


@contextmanager
def _linked(plan: Plan, keys: Path | None) -> Iterator[ZmqLink]:
    secret = None if keys is None else load_keys(keys)
    endpoints = Endpoints(plan.robot.robot, plan.robot.endpoints)
    link = ZmqLink(plan.robot, endpoints, RealClock(), secret)
    link.open()
    try:
        yield link
    finally:
        Operator(link, "replay").stop()
        link.close()


def _live(robot: Robot, policy: Recorded, plan: Plan, revive: Any) -> Iterator[Transition]:
    def between() -> bool:
        revive()
        return policy.over

    for step in rollout(robot, FixedPilot(policy), Start(plan.name, "replay"), between):
        yield step
        if policy.over:
            return


def plot(found: Repeat, hz: float, path: Path) -> None:
    """Draw how far the body was from what was recorded, over time."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.arange(found.steps) / hz, found.apart)
    axes.set_xlabel("seconds")
    axes.set_ylabel("distance of joints, RMS")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def _film(plan: Plan, steps: Sequence[Transition], states: list[np.ndarray], stem: Path) -> None:
    twin = open_twin(plan, SteppedClock())

    def pictures() -> Iterator[np.ndarray]:
        for step, state in zip(steps, states, strict=True):
            twin.show(state)
            said = f"step {step.index}   reward {float(step.arrays['reward']):.2f}"
            yield captioned(twin.render("chase", *PICTURE), [said, "recorded actions, again"])

    try:
        write_video(stem, track(pictures(), "drawing", total=len(states)), PICTURE, plan.control_hz)
    finally:
        twin.close()
