"""The loop of the robot process: take weights, choose, act, record, observe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from robot.policy.interface import Policy
from robot.policy.robot import Tick
from robot.wire.spec import RobotSpec
from robot.wire.transition import Transition


class Pilot(Protocol):
    """Whoever holds the policy, and may replace it between two steps."""

    def take(self) -> Policy[Any]:
        """Return the policy to use from now on; never waits."""
        ...

    def age_ns(self) -> int:
        """How long the present weights have been in use."""
        ...


class World(Protocol):
    """What a policy lives in: a robot (`robot.policy.robot`), or whatever can stand for one."""

    @property
    def spec(self) -> RobotSpec:
        """What is observed and done."""
        ...

    @property
    def no_action(self) -> np.ndarray:
        """(A,) what stands in the place of an action at an episode's end."""
        ...

    @property
    def tick(self) -> Tick:
        """The present step: whether it may be learnt from, and its times."""
        ...

    @property
    def step(self) -> int:
        """Position in the episode, from 0."""
        ...

    def ready(self) -> bool:
        """Whether an episode can begin; when not, some time is spent waiting."""
        ...

    def reset(self) -> dict[str, np.ndarray]:
        """Start an episode; what is sensed at its first step, with reward and flags."""
        ...

    def act(self, action: np.ndarray) -> np.ndarray:
        """Do something; what was really done, (A,) float32."""
        ...

    def observe(self) -> dict[str, np.ndarray]:
        """Wait for the next step; what is sensed then, with reward and flags."""
        ...


@dataclass(frozen=True)
class Start:
    """Where a run's stream goes on: after a restart, behind what the log holds.

    Args:
        robot: id of the robot.
        run: id of the run.
        index: of the next transition.
        episode: number of the next episode.
    """

    robot: str
    run: str
    index: int = 0
    episode: int = 0


def rollout(
    robot: World, pilot: Pilot, start: Start, stop: Callable[[], bool]
) -> Iterator[Transition]:
    """Live one episode after the other and yield every step, in order and without gaps.

    Each transition is yielded after its action was sent and before the next tick is waited for, so
    that whoever records it uses the time in between. An episode that is cut short by leaving the
    loop simply ends: the next one begins with `is_first`.

    Args:
        robot: to observe and to act with, or a world without one.
        pilot: asked for its policy before every step.
        start: where the stream goes on.
        stop: looked at between two episodes, and while the body cannot follow.
    """
    stream = _Stream(robot, start)
    while not stop():
        if not robot.ready():
            continue
        policy = pilot.take()
        observation, carry = robot.reset(), policy.initial()
        while not observation["is_last"]:
            policy, carry = _exchange(policy, carry, pilot.take())
            carry, action = policy.act(carry, observation)
            applied = robot.act(action)
            chosen = {"action": _sound(action, applied), "applied": applied}
            yield stream.transition({**observation, **chosen}, policy.version, pilot.age_ns())
            observation = robot.observe()
        nothing = {"action": robot.no_action, "applied": robot.no_action}
        yield stream.transition({**observation, **nothing}, policy.version, pilot.age_ns())
        stream.episode += 1


def _exchange(policy: Policy[Any], carry: Any, new: Policy[Any]) -> tuple[Policy[Any], Any]:
    """Swap to another policy; newer weights of the same kind go on with the same carry."""
    if type(new) is type(policy):
        return new, carry
    return new, new.initial()


def _sound(action: np.ndarray, applied: np.ndarray) -> np.ndarray:
    """The chosen action as it was sampled, or what was applied when it was refused.

    It may leave [-1, 1]: a world model must see the very action that a policy's gradient will
    pass through in its dreams (DayDreamer stores the sample too); `applied` is the clipped one.
    """
    if action.shape != applied.shape or not np.isfinite(action).all():
        return applied
    return action.astype(np.float32)


class _Stream:
    """Numbers the transitions of a run."""

    def __init__(self, robot: World, start: Start) -> None:
        self.robot, self.start = robot, start
        self.index, self.episode = start.index, start.episode

    def transition(
        self, arrays: Mapping[str, np.ndarray], version: int, weights_age_ns: int
    ) -> Transition:
        """Bind this step's arrays to its place in the stream."""
        tick = self.robot.tick
        index, self.index = self.index, self.index + 1
        return Transition(
            robot=self.start.robot,
            run=self.start.run,
            index=index,
            episode=self.episode,
            step=self.robot.step,
            weights_version=version,
            valid=tick.valid,
            arrays=arrays,
            stamps_ns=dict(tick.stamps_ns),
            ledger_ns={**tick.ledger_ns, "weights_age": weights_age_ns},
        )


class Log(Protocol):
    """Where transitions are kept first."""

    def append(self, transition: Transition) -> None:
        """Keep one transition; returns when it is safe to tell others of it."""
        ...


class Uplink(Protocol):
    """How transitions reach the learner."""

    def send(self, transition: Transition) -> None:
        """Queue one transition; never waits."""
        ...


class Recorder:
    """Keeps every step: in the log first, which is the truth, then on its way to the learner."""

    def __init__(self, log: Log, uplink: Uplink) -> None:
        self._log, self._uplink = log, uplink

    def record(self, transition: Transition) -> None:
        """Keep one transition, then send it."""
        self._log.append(transition)
        self._uplink.send(transition)


class FixedPilot:
    """A pilot whose policy never changes, such as for evaluation."""

    def __init__(self, policy: Policy[Any]) -> None:
        self._policy = policy

    def take(self) -> Policy[Any]:
        """Return the policy."""
        return self._policy

    def age_ns(self) -> int:
        """Return 0: nothing newer is awaited."""
        return 0
