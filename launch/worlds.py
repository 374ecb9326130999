"""What a run in lock-step takes place in: a robot's twin, or an environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from launch.environments import AnyPlan, EnvironmentPlan, environment_spec, make_environment
from launch.run_folder import Plan
from robot.clock import NS, SteppedClock
from robot.policy.operator import Operator
from robot.policy.robot import Robot, Tick
from robot.policy.rollout import World
from robot.tasks import make_task
from robot.wire.link import BodyLink
from robot.wire.spec import RobotSpec
from sim.actions import make_actions
from sim.lockstep import LockstepLink
from sim.observations import Observations
from sim.scene import make_twin

Wrap = Callable[[BodyLink], BodyLink]
STILL = {"p50": 0.0, "p99": 0.0, "p999": 0.0, "max": 0.0}


class LockstepWorld(World, Protocol):
    """A world whose time stands still while nobody acts."""

    def now_ns(self) -> int:
        """Its time."""
        ...

    def terms(self) -> Mapping[str, float]:
        """What else is known of this step, by name, for the journal."""
        ...

    def revive(self) -> None:
        """Do what can be done for it to be ready again."""
        ...

    def spent(self, transitions: int, finished: int) -> int:
        """Steps, as a run's length counts them, of so many transitions and finished episodes."""
        ...

    def tally(self, transitions: int, finished: int) -> dict[str, int]:
        """Further counts of so many transitions, for the journal and the summary."""
        ...

    def loops(self, transitions: int) -> dict[str, Mapping[str, Any]]:
        """Reports of the loops that ran, for the summary."""
        ...

    def close(self) -> None:
        """Stop what moves and release it; safe to call twice."""
        ...


def bare(link: BodyLink) -> BodyLink:
    """The link itself."""
    return link


def open_world(plan: AnyPlan, episode: int, wrap: Wrap = bare) -> LockstepWorld:
    """The world of a plan, ready for an episode of that number.

    Args:
        plan: of the run.
        episode: number of the next one.
        wrap: put around the link to a robot, where there is one.
    """
    if isinstance(plan, EnvironmentPlan):
        return EnvironmentWorld(plan, episode)
    return TwinWorld(plan, episode, wrap)


class TwinWorld(Robot):
    """A robot on its twin; each opening begins at the start pose, with other noise.

    Args:
        plan: of the run.
        episode: number of the first one; the twin's noise and the task's targets follow from it.
        wrap: put around the link to the twin.
    """

    def __init__(self, plan: Plan, episode: int, wrap: Wrap = bare) -> None:
        config, seed = plan.robot, plan.seed + 1000 * episode
        self._control, self._clock = config.control, SteppedClock()
        twin = make_twin(plan.twin, config, self._clock, seed)
        twin.connect()
        twin.reset(config.twin.start, seed)
        link = wrap(LockstepLink(config, twin, self._clock))
        link.open()
        self._operator, self._lockstep = Operator(link), link
        super().__init__(config, link, make_task(config, seed))

    def now_ns(self) -> int:
        """Time on the twin's clock."""
        return self._clock.now_ns()

    def terms(self) -> Mapping[str, float]:
        """What the task says of this step."""
        return self.verdict.terms if self.verdict else {}

    def revive(self) -> None:
        """Resume a twin that has gone soft, as an operator would."""
        if self.state == "damping":
            self._operator.resume()

    def spent(self, transitions: int, finished: int) -> int:
        """Control ticks: every transition is one."""
        return transitions

    def tally(self, transitions: int, finished: int) -> dict[str, int]:
        """None."""
        return {}

    def loops(self, transitions: int) -> dict[str, Mapping[str, Any]]:
        """Policy and inner loop, neither of which can be late."""
        control = self._control
        inner = transitions * control.inner_hz // control.control_hz
        ticks = {"policy_loop": (control.control_hz, transitions)}
        ticks["inner_loop"] = (control.inner_hz, inner)
        return {name: _report(hz, count) for name, (hz, count) in ticks.items()}

    def close(self) -> None:
        """Stop the motors and release the twin."""
        self._lockstep.close()


def _report(hz: float, ticks: int) -> dict[str, Any]:
    return {"hz": float(hz), "ticks": ticks, "missed": 0, "jitter_us": STILL}


class EnvironmentWorld:
    """An environment; each episode's seed follows from the plan's and its number.

    Args:
        plan: of the run.
        episode: number of the first one.
        drawn: whether `picture` can draw it.

    Attributes:
        spec: what is observed and done.
        no_action: zeros.
        tick: the present step.
        step: position in the episode, from 0.
    """

    def __init__(self, plan: EnvironmentPlan, episode: int = 0, drawn: bool = False) -> None:
        self._plan, self._rules, self._episode = plan, plan.environment, episode
        self._environment: gym.Env = make_environment(plan.environment, drawn)
        self._observations = Observations(self._environment.observation_space)
        self._actions = make_actions(self._environment.action_space)
        self.spec: RobotSpec = environment_spec(self._environment, self._rules.action_repeat)
        self.no_action = np.zeros(self.spec.action.shape, np.float32)
        self._clock = SteppedClock()
        self._period_ns = round(NS / self.spec.control_hz)
        self.step = self._lived = 0
        self.tick = Tick()
        self._next: dict[str, np.ndarray] = {}
        self._applied = self.no_action

    def ready(self) -> bool:
        """Always."""
        return True

    def reset(self) -> dict[str, np.ndarray]:
        """Begin the next episode."""
        seed = np.random.SeedSequence((self._plan.seed, self._episode)).generate_state(1)[0]
        self._episode += 1
        self.step = self._lived = 0
        self._applied = self.no_action
        seen, _ = self._environment.reset(seed=int(seed))
        self._next = self._arrays(seen, 0.0, last=False, terminal=False)
        return self._observe()

    def act(self, action: np.ndarray) -> np.ndarray:
        """Act for `action_repeat` steps, or until the episode ends; what was really done, (A,).

        An action of a wrong shape, or not finite, is replaced by the last one.
        """
        if action.shape == self.no_action.shape and np.isfinite(action).all():
            self._applied = self._actions.sound(action)
        given = self._actions.undo(self._applied)
        total, last, terminal = 0.0, False, False
        seen: Any = None
        for _ in range(self._rules.action_repeat):
            seen, reward, terminal, cut, _ = self._environment.step(given)
            total += float(reward)
            self._lived += 1
            last = terminal or cut or self._lived == self._rules.time_limit
            if last:
                break
        self._next = self._arrays(seen, total, last, terminal)
        return self._applied

    def observe(self) -> dict[str, np.ndarray]:
        """What the last action led to."""
        self.step += 1
        self._clock.advance(self._period_ns)
        return self._observe()

    def picture(self) -> np.ndarray | None:
        """What the environment draws of itself, (H, W, 3) RGB bytes; None where it cannot."""
        try:
            picture = self._environment.render()
        # Some need what is not installed, such as pygame; some have nothing to show.
        except (gym.error.DependencyNotInstalled, NotImplementedError):
            return None
        return picture if isinstance(picture, np.ndarray) and picture.ndim == 3 else None

    def now_ns(self) -> int:
        """Time in the environment."""
        return self._clock.now_ns()

    def terms(self) -> Mapping[str, float]:
        """None."""
        return {}

    def revive(self) -> None:
        """Nothing is to be done."""

    def spent(self, transitions: int, finished: int) -> int:
        """Environment steps: the last transition of an episode has no action.

        A repeat that an episode's end cut short counts whole, as in published curves.
        """
        return (transitions - finished) * self._rules.action_repeat

    def tally(self, transitions: int, finished: int) -> dict[str, int]:
        """Environment steps and agent steps."""
        steps = self.spent(transitions, finished)
        return {"env_steps": steps, "agent_steps": transitions - finished}

    def loops(self, transitions: int) -> dict[str, Mapping[str, Any]]:
        """The policy's loop; there is no other."""
        return {"policy_loop": _report(self.spec.control_hz, transitions)}

    def close(self) -> None:
        """Release the environment."""
        self._environment.close()

    def _observe(self) -> dict[str, np.ndarray]:
        now_ns = self.now_ns()
        self.tick = Tick(now_ns, True, {"tick": now_ns})
        return {**self._next, "is_first": np.array(self.step == 0)}

    def _arrays(
        self, seen: Any, reward: float, last: bool, terminal: bool
    ) -> dict[str, np.ndarray]:
        if not np.isfinite(reward):
            raise ValueError(f"{self._plan.name}: gave the reward {reward}")
        return {
            **self._observations(seen),
            "reward": np.array(reward, np.float32),
            "is_last": np.array(bool(last)),
            "is_terminal": np.array(bool(terminal)),
        }
