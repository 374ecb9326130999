"""Environments as worlds: what a policy is shown and told, step by step."""

from __future__ import annotations

from itertools import islice
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from launch.environments import EnvironmentPlan, folder_name, make_environment, plan_environment
from launch.train import make_any_plan
from launch.worlds import EnvironmentWorld
from learner.agent import AgentPolicy
from robot.config import ConfigError
from robot.policy.random import RandomPolicy
from robot.policy.rollout import FixedPilot, Start, rollout
from robot.wire.codec import encode
from robot.wire.transition import RESERVED, Transition

NS = 1_000_000_000


class Counting(gym.Env[dict[str, Any], np.ndarray]):
    """Counts its steps; the reward is the count; ends at `end`, truly or not."""

    metadata = {"render_modes": [], "render_fps": 50}

    def __init__(self, end: int = 5, truly: bool = True) -> None:
        self.end, self.truly, self.count = end, truly, 0
        self.told: list[float] = []
        count = gym.spaces.Box(0.0, 100.0, (), np.float64)
        self.observation_space = gym.spaces.Dict({"count": count, "drawn": gym.spaces.Discrete(10)})
        self.action_space = gym.spaces.Box(-2.0, 2.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[dict, dict]:
        super().reset(seed=seed)
        self.count, self.drawn = 0, int(self.np_random.integers(10))
        return {"count": np.float64(0), "drawn": self.drawn}, {}

    def step(self, action: np.ndarray) -> tuple[dict, float, bool, bool, dict]:
        self.count += 1
        self.told.append(float(action[0]))
        over = self.count == self.end
        seen = {"count": np.float64(self.count), "drawn": self.drawn}
        return seen, float(self.count), over and self.truly, over and not self.truly, {}


gym.register("test/Counting-v0", entry_point=lambda **options: Counting(**options))


def plan(target: str = "gym:test/Counting-v0", *changes: str, seed: int = 0) -> EnvironmentPlan:
    return plan_environment(target, "reverie", "cpu", seed, changes)


def live(made: EnvironmentPlan, count: int, episode: int = 0) -> list[Transition]:
    """The first steps of random play, each checked against the spec."""
    world = EnvironmentWorld(made, episode)
    pilot = FixedPilot(RandomPolicy(world.spec, seed=1))
    steps = list(islice(rollout(world, pilot, Start("w", "r"), lambda: False), count))
    for step in steps:
        assert set(step.arrays) == {*world.spec.observation, *RESERVED}
        for key, spec in world.spec.observation.items():
            spec.check(key, step.arrays[key])
        for key in ("action", "applied"):
            world.spec.action.check(key, step.arrays[key])
        assert encode(step)
    world.close()
    return steps


def column(steps: list[Transition], key: str) -> list[float]:
    return [step.arrays[key].item() for step in steps]


def test_an_episode_has_its_flags_where_they_belong() -> None:
    steps = live(plan(), 8)
    assert column(steps, "count") == [0, 1, 2, 3, 4, 5, 0, 1]
    assert column(steps, "reward") == [0, 1, 2, 3, 4, 5, 0, 1]
    assert column(steps, "is_first") == [1, 0, 0, 0, 0, 0, 1, 0]
    assert column(steps, "is_last") == [0, 0, 0, 0, 0, 1, 0, 0]
    assert column(steps, "is_terminal") == [0, 0, 0, 0, 0, 1, 0, 0]
    assert [s.step for s in steps] == [0, 1, 2, 3, 4, 5, 0, 1]
    assert [s.episode for s in steps] == [0] * 6 + [1] * 2
    assert all(s.valid for s in steps)
    assert not steps[5].arrays["action"].any()


def test_a_time_limit_is_last_and_not_terminal() -> None:
    for changes in (("env.options.truly=false",), ("env.options.end=9", "env.time_limit=5")):
        steps = live(plan("gym:test/Counting-v0", *changes), 6)
        assert column(steps, "is_last") == [0, 0, 0, 0, 0, 1]
        assert column(steps, "is_terminal") == [0] * 6


def test_actions_are_repeated_and_their_rewards_added() -> None:
    made = plan("gym:test/Counting-v0", "env.action_repeat=2")
    steps = live(made, 4)
    assert column(steps, "count") == [0, 2, 4, 5]  # the last repeat is cut by the end
    assert column(steps, "reward") == [0, 3, 7, 5]
    world = EnvironmentWorld(made)
    assert world.spec.control_hz == 25 and made.steps_hz == 50
    world.reset()
    applied = world.act(np.array([0.25], np.float32))
    inner = world._environment.unwrapped
    assert isinstance(inner, Counting)
    assert inner.told == [0.5, 0.5] and applied.tolist() == [0.25]
    assert world.act(np.array([7.0], np.float32)).tolist() == [1.0]
    assert world.act(np.array([np.nan], np.float32)).tolist() == [1.0]
    assert inner.told == [0.5, 0.5, 2.0, 2.0, 2.0]


def test_environment_steps_are_counted_without_the_last_of_an_episode() -> None:
    world = EnvironmentWorld(plan("gym:test/Counting-v0", "env.action_repeat=2"))
    assert world.spent(8, 2) == 12  # two whole episodes of three actions each
    assert world.tally(8, 2) == {"env_steps": 12, "agent_steps": 6}


def test_time_moves_by_the_period_of_decisions() -> None:
    steps = live(plan("gym:test/Counting-v0", "env.action_repeat=2"), 3)
    stamps = [step.stamps_ns["tick"] for step in steps]
    assert np.diff(stamps).tolist() == [NS // 25] * 2


def test_a_seed_decides_everything_and_an_episode_its_own() -> None:
    def stream(seed: int, episode: int = 0) -> list[bytes]:
        made = plan("gym:reverie/Maze-v0", "env.time_limit=4", seed=seed)
        return [encode(step) for step in live(made, 12, episode)]

    assert stream(0) == stream(0)
    assert stream(0) != stream(1)
    first = live(plan("gym:reverie/Maze-v0", "env.time_limit=4"), 12)
    later = live(plan("gym:reverie/Maze-v0", "env.time_limit=4"), 5, episode=1)
    assert (first[5].arrays["vector"] == later[0].arrays["vector"]).all()


def test_choices_are_one_hot_and_pictures_are_shown_beside_vectors() -> None:
    steps = live(plan("gym:reverie/TMaze-v0", "env.options.discrete=true"), 12)
    assert steps[0].arrays["action"].shape == (2,) and steps[0].arrays["action"].sum() == 1
    pictured = live(plan("gym:reverie/Maze-v0", "env.picture=true"), 3)
    assert pictured[0].arrays["image"].shape == (64, 64, 3)
    assert pictured[0].arrays["vector"].shape == (4,)


def test_what_is_not_finite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = EnvironmentWorld(plan())
    world.reset()
    monkeypatch.setattr(Counting, "step", lambda *_: ({}, float("nan"), False, False, {}))
    with pytest.raises(ValueError, match="gym:test/Counting-v0: gave the reward nan"):
        world.act(np.zeros(1, np.float32))


def test_a_plan_reads_all_keys_and_none_of_a_robots_numbers() -> None:
    made = plan()
    assert made.settings.model_dump()["keys"] == ("count", "drawn")
    assert made.settings.model_dump()["reward_offset"] == 0
    chosen = plan("gym:test/Counting-v0", "learner.keys=[count]", "learner.batch=3")
    assert chosen.settings.model_dump()["keys"] == ("count",)
    assert chosen.settings.batch == 3
    assert folder_name(made) == "gym-test-Counting-v0-reverie-0"
    assert made.run_id != chosen.run_id


def test_the_suites_actions_are_repeated_twice_unless_told_otherwise() -> None:
    pytest.importorskip("dm_control", reason="an extra, which has no wheels for this Python")
    assert plan("dmc:pendulum-swingup").environment.action_repeat == 2
    told = plan("dmc:pendulum-swingup", "env.action_repeat=4", "env.time_limit=100")
    steps = live(told, 27)
    assert column(steps, "is_last")[:26] == [0] * 25 + [1] and not any(column(steps, "is_terminal"))
    assert set(told.spec.observation) == {"orientation", "velocity"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("gym:Nope-v0",), "Environment `Nope` doesn't exist"),
        (("gym:reverie/TMaze-v0", "env.options.long=3"), "unexpected keyword argument 'long'"),
        (("gym:reverie/TMaze-v0", "env.options.length=0"), "length 0: allowed is 1 or more"),
        (("gym:reverie/TMaze-v0", "env.picture=true"), "render_mode"),
        (("gym:reverie/TMaze-v0", "env.repeat=2"), "unknown key repeat; allowed here: name"),
        (("gym:reverie/TMaze-v0", "env.action_repeat=0"), "action_repeat: got 0"),
        (("gym:reverie/TMaze-v0", "task.reward=x"), "has the keys learner.* and env.*"),
        (("gym:reverie/TMaze-v0", "learner.keys=[smell]"), "smell"),
        (("gym:Blackjack-v1",), "is a Tuple"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_what_cannot_be_run_is_refused_in_one_line(words: tuple[str, ...], named: str) -> None:
    target, *changes = words
    with pytest.raises(ConfigError) as refusal:
        make_any_plan(target, "", "", "reverie", "cpu", 0, changes)
    assert named in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("twin", "clock", "named"),
    [("mujoco", "", "which has none"), ("", "realtime", "allowed is lockstep")],
)
def test_an_environment_has_no_twin_and_one_clock(twin: str, clock: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make_any_plan("gym:test/Counting-v0", twin, clock, "reverie", "cpu", 0, ())


def test_a_system_that_cannot_choose_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    choosing = ("gym:reverie/TMaze-v0", "", "", "dreamer_v3", "cpu", 0)
    assert make_any_plan(*choosing, ("env.options.discrete=true",)).name == choosing[0]
    vector = (None, np.array((0.3, 0.9), np.float32))
    monkeypatch.setattr(AgentPolicy, "act", lambda *_: vector)
    with pytest.raises(ConfigError, match="--system dreamer_v3: cannot choose"):
        make_any_plan(*choosing, ("env.options.discrete=true",))
    assert make_any_plan(*choosing, ()).name == choosing[0]


def test_an_environment_that_draws_itself_differently_is_brought_to_size() -> None:
    made = plan("gym:reverie/Maze-v0", "env.picture=true")
    environment = make_environment(made.environment)
    seen, _ = environment.reset(seed=0)
    assert seen["image"].dtype == np.uint8 and seen["image"].shape == (64, 64, 3)
    assert (seen["image"] == (200, 40, 40)).all(-1).any()
