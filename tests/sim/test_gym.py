"""The Gymnasium environments."""

from __future__ import annotations

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from robot.config import ConfigError, load_config
from sim.faults import FaultyBody
from sim.gym import TwinEnv
from sim.scene import ENGINES

A1, POINT_MASS = "hardware_configs/a1.yaml", "hardware_configs/point_mass.yaml"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["A1Walk-v0", "PointMassReach-v0"])
def test_the_environment_passes_gymnasiums_own_checks_without_a_warning(
    name: str, engine: str
) -> None:
    pytest.importorskip(engine)
    env = gym.make(f"sim.gym:reverie/{name}", engine=engine, render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


def test_an_episode_ends_by_time_after_its_steps_and_never_terminates() -> None:
    env = TwinEnv(load_config(A1, ["task.episode_steps=20"]))
    env.reset(seed=0)
    ends = [env.step(np.zeros(12, np.float32))[2:4] for _ in range(20)]
    assert ends == [(False, False)] * 19 + [(False, True)]


def test_equal_seeds_give_equal_episodes() -> None:
    def episode(seed: int) -> tuple[list[float], np.ndarray]:
        env = TwinEnv()
        env.reset(seed=seed)
        env.action_space.seed(0)
        steps = [env.step(env.action_space.sample()) for _ in range(20)]
        return [step[1] for step in steps], steps[-1][0]["joint_pos"]

    rewards, angles = episode(3)
    again, same = episode(3)
    assert rewards == again
    np.testing.assert_array_equal(angles, same)
    assert episode(4)[0] != rewards


def test_reset_takes_another_start_and_the_reward_tells_standing_from_lying() -> None:
    env = TwinEnv()
    env.reset(seed=0, options={"start": "on_back"})
    stand = np.array([env.config.poses["stand"][name] for name in env.config.joints])
    action = env._actions.action(stand).astype(np.float32)
    lying = env.step(action)[1]
    observation, _ = env.reset(seed=0, options={"start": "folded"})
    assert observation["gravity"][2] > 0.95
    for _ in range(60):
        _, standing, *_ = env.step(action)
    assert lying == pytest.approx(5.0, abs=0.2)
    assert standing > 8.5
    with pytest.raises(ValueError, match="unknown start"):
        env.reset(options={"start": "flying"})


def test_a_robot_that_the_safety_layer_took_ends_the_episode() -> None:
    env = TwinEnv()
    twin = FaultyBody(env._link.twin, env._clock)
    env._link.twin = twin
    env.reset(seed=0)
    assert env.step(np.zeros(12, np.float32))[3] is False
    twin.sensed["temperature"] = np.full(12, 90.0)
    *_, truncated, info = env.step(np.zeros(12, np.float32))
    assert truncated and info["state"] == "damping" and "90" in info["reason"]


def test_an_observed_camera_is_part_of_the_observation() -> None:
    env = TwinEnv(load_config(A1, ["cameras.front.observed=true"]))
    observation, _ = env.reset(seed=0)
    assert observation["image_front"].std() > 5
    env.close()


def test_bad_arguments_are_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="unknown twin 'gazebo'; there are mujoco, pybullet"):
        TwinEnv(engine="gazebo")
    with pytest.raises(ConfigError, match="no robot configuration at nowhere.yaml"):
        TwinEnv("nowhere.yaml")


def test_the_point_mass_has_a_start_and_a_target_by_seed_and_others_after_each_reset() -> None:
    def places(*seeds: int | None) -> list[tuple[float, float]]:
        env = TwinEnv(load_config(POINT_MASS, ["twin.noise={joint_pos_m: 0}"]))
        seen = [env.reset(seed=seed)[0] for seed in seeds]
        return [(round(float(o["joint_pos"][0]), 4), float(o["target"][0])) for o in seen]

    first = places(1, None, None)
    assert places(1, None, None) == first and places(2)[0] != first[0]
    assert len({start for start, _ in first}) == len({target for _, target in first}) == 3


def test_the_point_mass_is_seen_by_its_camera_on_request() -> None:
    env = TwinEnv(load_config(POINT_MASS, ["cameras.front.observed=true", "twin.start=home"]))
    observation, _ = env.reset(seed=0)
    assert observation["image_front"].shape == (64, 64, 3)
    before = observation["image_front"]
    for _ in range(10):
        observation = env.step(np.ones(1, np.float32))[0]
    assert np.abs(observation["image_front"].astype(int) - before).max() > 50
    env.close()
