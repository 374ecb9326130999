"""Evaluation of a saved policy: figures from the truth, a film, a plot; and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from launch.compose import plan_spec
from launch.evaluate import median_episode, run_evaluate
from launch.run_folder import Plan, RunFolder
from launch.trial import Episode, Trial, read_weights, run_trial, trial_plan
from learner.systems import build_agent, make_settings
from robot.config import ConfigError, load_config
from robot.wire.weights import Weights, WeightsError

A1 = Path(__file__).parents[2] / "hardware_configs/a1.yaml"
SMALL = ("units=16", "deter=16", "stoch=4", "classes=4", "bins=11", "batch=2", "length=4")
SHORT = Trial(episodes=2, seconds=1.0)


def small_plan() -> Plan:
    settings = make_settings("reverie", "cpu", SMALL)
    return Plan(load_config(A1), settings, "reverie", "cpu", "mujoco", "lockstep", 0)


def untrained(plan: Plan) -> Weights:
    spec = plan_spec(plan)
    agent = build_agent(plan.system, spec, plan.settings.acting())
    return Weights(agent.policy_weights(), 3, spec.fingerprint(), updates=7)


def saved(path: Path) -> Path:
    """Folder of a run whose policy has learnt nothing yet."""
    folder, plan = RunFolder(path), small_plan()
    folder.claim(plan)
    folder.write_weights(untrained(plan))
    return folder.path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return saved(tmp_path / "run")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that was evaluated once."""
    run = saved(tmp_path_factory.mktemp("evaluated") / "run")
    before = {path.name for path in run.iterdir()}
    assert run_evaluate([run], SHORT) == 0
    assert {path.name for path in run.iterdir()} - before == {"evaluation"}
    return run


def test_an_evaluation_writes_figures_a_readable_film_and_a_plot(evaluated: Path):
    out = evaluated / "evaluation"
    told = json.loads((out / "evaluation.json").read_text())
    film = cv2.VideoCapture(str(out / told["video"]))
    frames = int(film.get(cv2.CAP_PROP_FRAME_COUNT))
    assert (frames, film.get(cv2.CAP_PROP_FPS)) == (21, 20.0)  # 20 steps and the last state
    picture = film.read()[1]
    assert picture.shape == (360, 480, 3) and picture.std() > 10
    assert cv2.imread(str(out / "evaluation.png")) is not None
    assert told["weights"]["version"] == 3 and told["weights"]["updates"] == 7
    assert (told["trial"]["twin"], told["trial"]["start"]) == ("mujoco", "standing")
    assert [episode["seed"] for episode in told["episodes"]] == [0, 1]
    assert told["gate"]["passes"] is False  # an untrained policy does not walk
    assert told["gate"]["episodes_passed"] == 0


def test_overall_figures_are_the_means_of_the_episodes(evaluated: Path):
    told = json.loads((evaluated / "evaluation/evaluation.json").read_text())
    first, second = told["episodes"]
    overall = told["overall"]
    for name in ("published", "walk_upright"):
        returns = [first["return"][name], second["return"][name]]
        assert overall["return"][name] == pytest.approx(np.mean(returns), abs=1e-3)
        assert overall["mean_reward"][name] == pytest.approx(np.mean(returns) / 21, abs=1e-3)
    for name in ("up", "height_m", "forward_m_s", "body_contact_share"):
        assert overall[name] == pytest.approx((first[name] + second[name]) / 2, abs=1e-4)
    # One tick to hear the body, one to begin, 20 steps; the soft start before is not counted.
    assert first["seconds"] == pytest.approx(1.1)
    assert set(first["feet"]) == {"FR", "FL", "RR", "RL"}
    assert first["body"] == "active" and first["invalid_steps"] == 0
    assert 0.15 < first["height_m"] < 0.35 and first["up"] > 0.8  # it began on its feet


def test_results_go_where_they_are_wanted(run: Path):
    out = run.parent / "elsewhere"
    assert run_evaluate([run], replace(SHORT, episodes=1), out) == 0
    assert {path.name for path in out.iterdir()} == {
        "evaluation.json",
        "evaluation.mp4",
        "evaluation.png",
        "report.html",
        "report.webm",
    }
    assert not (run / "evaluation").exists()


def episodes_of(plan: Plan, trial: Trial) -> list[Episode]:
    plan = trial_plan(plan, trial)
    return list(run_trial(plan, untrained_once(plan), trial))


WEIGHTS: dict[str, Weights] = {}


def untrained_once(plan: Plan) -> Weights:
    return WEIGHTS.setdefault("small", untrained(plan))


def test_the_same_trial_gives_the_same_episodes_to_the_last_bit():
    first, again = (episodes_of(small_plan(), SHORT) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.states, other.states)
        np.testing.assert_array_equal(one.terms["published"], other.terms["published"])
        assert one.gait == other.gait
    assert not np.array_equal(first[0].states, first[1].states)  # other noise in each episode


def test_another_twin_start_and_friction_are_really_used():
    usual = episodes_of(small_plan(), replace(SHORT, episodes=1))[0]
    lying = episodes_of(small_plan(), replace(SHORT, episodes=1, start="on_back"))[0]
    assert usual.gait.up > 0.8 and lying.gait.up < 0
    assert lying.gait.body_contact_share > 0.5
    slippery = replace(SHORT, episodes=1, changes=("twin.friction=0.05",))
    assert not np.array_equal(episodes_of(small_plan(), slippery)[0].states, usual.states)
    pytest.importorskip("pybullet")
    bullet = episodes_of(small_plan(), replace(SHORT, episodes=1, twin="pybullet"))[0]
    assert bullet.gait.up > 0.8 and not np.array_equal(bullet.states, usual.states)


def test_an_episode_is_not_interrupted_where_training_would_begin_a_new_one():
    plan = small_plan()
    task = plan.robot.task.model_copy(update={"episode_steps": 5})
    plan = replace(plan, robot=plan.robot.model_copy(update={"task": task}))
    (episode,) = episodes_of(plan, replace(SHORT, episodes=1))
    assert len(episode.states) == 21


def test_a_run_on_hardware_is_tried_on_mujoco():
    assert trial_plan(replace(small_plan(), twin=""), SHORT).twin == "mujoco"
    assert trial_plan(replace(small_plan(), twin="pybullet"), SHORT).twin == "pybullet"


def test_the_film_shows_the_middle_episode():
    (real,) = episodes_of(small_plan(), replace(SHORT, episodes=1))

    def episode(seed: int, reward: float) -> Episode:
        return replace(real, seed=seed, terms={"published": np.full(3, reward)})

    ranked = [episode(0, 9.0), episode(1, 5.0), episode(2, 7.0), episode(3, 8.0)]
    assert median_episode(ranked).seed == 2


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (Trial(twin="gazebo"), "--twin gazebo: allowed is mujoco or pybullet"),
        (Trial(start="flying"), "--start flying: allowed is standing"),
        (Trial(episodes=0), "--episodes 0: allowed is 1 to 1000"),
        (Trial(seconds=0.0), "--seconds 0: allowed is 1 to 3600"),
        (Trial(changes=("twin.mass=3",)), "--set: unknown key twin.mass; allowed here: start"),
    ],
)
def test_a_trial_that_cannot_be_is_refused_before_anything_is_written(
    run: Path, trial: Trial, said: str
):
    with pytest.raises(ConfigError, match=said):
        run_evaluate([run], trial)
    assert not (run / "evaluation").exists()


def test_a_run_without_a_policy_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="no run at"):
        run_evaluate([tmp_path / "none"], SHORT)
    folder = RunFolder(tmp_path / "fresh")
    folder.claim(small_plan())
    with pytest.raises(ConfigError, match="has not learnt anything yet"):
        run_evaluate([folder.path], SHORT)


def test_a_policy_of_another_robot_or_a_damaged_one_is_refused(run: Path):
    folder = RunFolder(run)
    plan = folder.read_plan()
    folder.write_weights(replace(untrained(plan), spec="0123456789abcdef"))
    with pytest.raises(ConfigError, match="learnt for spec 0123456789abcdef"):
        read_weights(folder, plan)
    data = bytearray(folder.weights.read_bytes())
    data[-5] ^= 1
    folder.weights.write_bytes(data)
    with pytest.raises(WeightsError, match="weights.safetensors"):
        read_weights(folder, plan)
