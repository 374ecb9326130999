"""Tasks of the DeepMind Control Suite as environments."""

from __future__ import annotations

from ctypes.util import find_library

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from robot.config import ConfigError
from sim.dmc import DeepMindControl

pytest.importorskip("dm_control", reason="an extra, which has no wheels for this Python")


def lived(env: DeepMindControl, seed: int, steps: int) -> np.ndarray:
    """Rewards and observations of random actions from a seed."""
    first, _ = env.reset(seed=seed)
    rng, rows = np.random.default_rng(0), [np.concatenate([*map(np.ravel, first.values()), [0.0]])]
    for _ in range(steps):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        seen, reward, *_ = env.step(action)
        rows.append(np.concatenate([*map(np.ravel, seen.values()), [reward]]))
    return np.array(rows)


@pytest.mark.parametrize("name", ["cartpole-swingup", "ball_in_cup-catch"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_they_keep_gymnasiums_rules(name: str) -> None:
    check_env(DeepMindControl(name), skip_render_check=True)


def test_a_seed_decides_an_episode_whatever_was_before() -> None:
    env = DeepMindControl("finger-spin")
    first = lived(env, 3, 30)
    lived(env, 4, 10)
    assert (lived(env, 3, 30) == first).all()
    assert (lived(DeepMindControl("finger-spin"), 3, 30) == first).all()
    assert (lived(env, 4, 30) != first).any()


def test_observations_and_rewards_are_the_suites_own() -> None:
    from dm_control import suite

    env = suite.load("walker", "walk", task_kwargs={"random": 5})
    step, expected, rng = env.reset(), [], np.random.default_rng(0)
    for _ in range(21):
        parts = [np.ravel(value) for value in step.observation.values()]
        expected.append(np.concatenate([*parts, [step.reward or 0.0]]))
        step = env.step(rng.uniform(-1, 1, 6).astype(np.float32))
    ours = lived(DeepMindControl("walker-walk"), 5, 20)
    assert ours.shape == (21, 25)
    np.testing.assert_allclose(ours, np.array(expected), rtol=1e-6, atol=1e-6)


def test_the_time_limit_truncates_and_does_not_terminate() -> None:
    env = DeepMindControl("pendulum-swingup")
    env.reset(seed=0)
    for step in range(1, 1001):
        _, _, terminated, truncated, _ = env.step(np.zeros(1, np.float32))
        assert not terminated
        assert truncated == (step == 1000)


def test_a_discount_of_zero_is_a_true_end(monkeypatch: pytest.MonkeyPatch) -> None:
    env = DeepMindControl("pendulum-swingup")
    env.reset(seed=0)
    monkeypatch.setattr(env._env.task, "get_termination", lambda physics: 0.0)
    _, _, terminated, truncated, _ = env.step(np.zeros(1, np.float32))
    assert terminated and not truncated


def test_the_control_rate_is_told() -> None:
    assert DeepMindControl("walker-walk").metadata["render_fps"] == pytest.approx(40)
    assert DeepMindControl("cartpole-swingup").metadata["render_fps"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("name", "named"),
    [("walker-fly", "walker-stand, walker-walk, walker-run"), ("crab-walk", "acrobot-swingup")],
)
def test_an_unknown_task_is_refused(name: str, named: str) -> None:
    with pytest.raises(ConfigError, match=f"dmc:{name}: unknown.*; there are .*{named}"):
        DeepMindControl(name)


@pytest.mark.slow
@pytest.mark.skipif(not (find_library("EGL") or find_library("OSMesa")), reason="no OpenGL here")
def test_a_picture_shows_the_scene_as_it_is() -> None:
    env = DeepMindControl("cartpole-swingup", render_mode="rgb_array")
    env.reset(seed=0)
    pictures = []
    for _ in range(2):
        picture = env.render()
        assert isinstance(picture, np.ndarray) and picture.shape == (64, 64, 3)
        pictures.append(picture)
        for _ in range(30):
            env.step(np.ones(1, np.float32))
    assert pictures[0].dtype == np.uint8 and pictures[0].std() > 10
    assert (pictures[0] != pictures[1]).any()
    assert DeepMindControl("cartpole-swingup").render() is None
