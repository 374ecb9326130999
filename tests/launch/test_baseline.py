"""What the model-free rivals live in and are set to, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from launch import cli
from launch.baseline_env import UnbrokenLife
from launch.baseline_plan import PpoSettings, SacSettings, rival_plan
from robot.config import ConfigError, RobotConfig, load_config
from robot.config.extras import how_to_install
from sim.faults import FaultyBody
from sim.gym import TwinEnv

A1 = Path(__file__).parents[2] / "hardware_configs/a1.yaml"
QUICK = (
    "task.episode_steps=3",
    "control.inner_hz=500",
    "control.sensors_hz=100",
    "safety.rising_s=0.1",
)
KEYS = ("joint_pos", "imu")  # joined in the order of their names


def config(*changes: str) -> RobotConfig:
    return load_config(A1, [*QUICK, *changes])


def life(gain: float = 0.0, *changes: str) -> UnbrokenLife:
    return UnbrokenLife(config(*changes), "mujoco", 0, KEYS, gain)


def actions(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, 12)).astype(np.float32)


def test_a_reset_moves_nothing_and_an_episode_ends_by_its_length_only() -> None:
    env, whole = life(), TwinEnv(config("task.episode_steps=99"))
    seen, first = env.reset(seed=5)[0], whole.reset(seed=5)[0]
    np.testing.assert_array_equal(seen, np.concatenate([first["imu"], first["joint_pos"]]))
    ends = []
    for action in actions(8):
        seen, reward, *flags, _ = env.step(action)
        expected, expected_reward, *_ = whole.step(action)
        ends.append(flags)
        if any(flags):
            seen = env.reset()[0]
        np.testing.assert_array_equal(
            seen, np.concatenate([expected["imu"], expected["joint_pos"]])
        )
        assert reward == expected_reward
    on, end = [False, False], [False, True]
    assert ends == [on, on, end, on, on, end, on, on]
    assert env.twin.placed == 1


def test_a_robot_that_the_safety_layer_took_is_placed_anew() -> None:
    env = life()
    twin = FaultyBody(env.twin._link.twin, env.twin._clock)
    env.twin._link.twin = twin
    env.reset(seed=0)
    twin.sensed["temperature"] = np.full(12, 90.0)
    *_, terminated, truncated, info = env.step(actions(1)[0])
    assert (terminated, truncated, info["state"]) == (False, True, "damping")
    twin.sensed.clear()
    env.reset()
    assert env.twin.placed == 2
    assert env.step(actions(1)[0])[4]["state"] == "active"


def test_a_reset_of_a_task_with_targets_moves_only_the_target() -> None:
    point_mass = load_config(A1.with_name("point_mass.yaml"), ["task.episode_steps=2"])
    env = UnbrokenLife(point_mass, "mujoco", 0, ("joint_pos", "joint_vel", "target"), 0.0)
    targets = [env.reset(seed=0)[0][2]]
    for _ in range(3):
        for action in np.array([[1.0], [-1.0]], np.float32):
            seen, *_, truncated, _ = env.step(action)
            assert seen[2] == targets[-1]
        assert truncated
        first, _ = env.reset()
        np.testing.assert_array_equal(first[:2], seen[:2])
        targets.append(first[2])
    assert len(set(targets)) == 4 and env.twin.placed == 1


def test_scaled_joint_angles_are_actions_times_the_gain() -> None:
    env = life(2.0)
    seen, _ = env.reset(seed=0, options={"start": "standing"})
    raw = life().reset(seed=0, options={"start": "standing"})[0]
    ranges = np.array([joint.action_range for joint in env.twin.config.joints.values()])
    low, high = ranges.T
    np.testing.assert_allclose(seen[4:], 2 * (2 * (raw[4:] - low) / (high - low) - 1), atol=1e-4)
    np.testing.assert_allclose(seen[:4], 2 * raw[:4] / np.array((1, 1, 4, 4)), atol=1e-6)
    assert env.observation_space.contains(seen)


@pytest.mark.parametrize(("key", "said"), [("smell", "joint_pos"), ("image_front", "vectors")])
def test_keys_that_cannot_be_read_are_refused(key: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refusal:
        UnbrokenLife(config("cameras.front.observed=true"), "mujoco", 0, (key,), 0.0)
    assert key in str(refusal.value)


def test_the_numbers_are_those_of_the_comparison() -> None:
    sac = rival_plan("sac", A1, "mujoco", "paper", 0, ()).settings
    assert isinstance(sac, SacSettings)
    assert (sac.lr, sac.batch, sac.units, sac.layers, sac.gamma) == (1e-4, 1024, 1024, 2, 0.99)
    assert (sac.tau, sac.target_every, sac.temperature) == (0.005, 2, 0.1)
    assert (sac.prefill, sac.capacity, sac.keys) == (10_000, 1_000_000, ("imu", "joint_pos"))
    ppo = rival_plan("ppo", A1, "mujoco", "paper", 0, ()).settings
    assert isinstance(ppo, PpoSettings)
    assert (ppo.lr, ppo.rollout, ppo.batch, ppo.epochs) == (3e-4, 2048, 64, 10)
    assert (ppo.gamma, ppo.lam, ppo.clip, ppo.value, ppo.clip_norm) == (0.99, 0.95, 0.2, 0.5, 0.5)


@pytest.mark.parametrize(
    ("rival", "preset", "change", "named"),
    [
        ("dqn", "paper", "learner.lr=1", ("dqn", "sac", "ppo")),
        ("sac", "tpu", "learner.lr=1", ("tpu", "paper", "cpu")),
        ("ppo", "cpu", "learner.lr=1", ("cpu", "paper")),
        ("sac", "paper", "learner.rollout=8", ("rollout", "capacity")),
        ("ppo", "paper", "learner.tau=1", ("tau", "rollout")),
        ("sac", "paper", "learner.batch=0", ("batch", "greater than or equal to 1")),
        ("sac", "paper", "task.episode_steps=0", ("episode_steps", "0")),
    ],
)
def test_bad_values_are_refused_by_name(
    rival: str, preset: str, change: str, named: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as refusal:
        rival_plan(rival, A1, "mujoco", preset, 0, [change])
    assert [word for word in named if word not in str(refusal.value)] == []


def test_a_missing_extra_is_one_line_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    assert cli.main(["baseline", "sac", str(A1)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("reverie baseline: ") and said.count("\n") == 1
    assert how_to_install("baselines") in said
    assert not list(tmp_path.iterdir())
