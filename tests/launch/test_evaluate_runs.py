"""Several runs under several conditions: figures, films and a page, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import cv2
import numpy as np
import pytest
import safetensors.torch

from launch import cli
from launch.candidates import read_candidate, short_names
from launch.compose import plan_spec
from launch.conditions import Condition
from launch.evaluate import run_evaluate
from launch.run_folder import Plan, RunFolder
from launch.study import try_candidate
from launch.train import make_plan
from launch.trial import Trial, trial_plan, try_policy
from learner.systems import build_agent
from robot.config import ConfigError
from robot.wire.weights import Weights
from sim.perturb import Perturbation

CART = Path("hardware_configs/point_mass.yaml")
SMALL = ("units=16", "deter=16", "stoch=4", "classes=4", "bins=11", "batch=2", "length=4")
FEW = Trial(episodes=2, seconds=1.5)
WORDS = ["push=1,command_latency=50"]


def small_plan(seed: int) -> Plan:
    changes = [f"learner.{change}" for change in SMALL]
    return make_plan(CART, "mujoco", "lockstep", "reverie", "cpu", seed, changes)


def saved(path: Path, seed: int) -> Path:
    """Folder of a run whose policy has learnt nothing yet."""
    folder, plan = RunFolder(path), small_plan(seed)
    folder.claim(plan)
    spec = plan_spec(plan)
    agent = build_agent(plan.system, spec, plan.settings.acting())
    folder.write_weights(Weights(agent.policy_weights(), 3, spec.fingerprint(), updates=7))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    return [saved(root / name, seed) for seed, name in enumerate(("a", "b"))]


@pytest.fixture(scope="module")
def out(runs: list[Path]) -> Path:
    assert run_evaluate(runs, FEW, perturb=WORDS) == 0
    return runs[0].parent / "evaluation"


@pytest.fixture(scope="module")
def study(out: Path) -> dict[str, Any]:
    (found,) = json.loads((out / "evaluation.json").read_text())["studies"]
    return found


def test_every_run_lives_through_every_condition(study: dict) -> None:
    assert (study["task"], study["question"]) == ("point_mass reach", "Does it reach?")
    assert [run["name"] for run in study["runs"]] == ["a", "b"]
    assert [row["name"] for row in study["conditions"]] == ["clean", "push=1", "command_latency=50"]
    for row in study["conditions"]:
        assert [run["name"] for run in row["runs"]] == ["a", "b"]
        assert [[e["seed"] for e in run["episodes"]] for run in row["runs"]] == [[0, 1]] * 2
    scores = [row["score"]["mean"] for row in study["conditions"]]
    assert len(set(scores)) == 3  # perturbations did happen


def test_figures_of_a_condition_follow_from_its_episodes(study: dict) -> None:
    random, target = study["reference"]["random"], study["reference"]["target"]
    assert 0 < random < target < 1
    for row in study["conditions"]:
        means = [mean(e["score"] for e in run["episodes"]) for run in row["runs"]]
        assert row["score"]["mean"] == pytest.approx(mean(means), abs=2e-4)
        assert row["score"]["spread"] == pytest.approx(pstdev(means), abs=2e-4)
        episodes = [e["score"] for run in row["runs"] for e in run["episodes"]]
        assert min(episodes) - 1e-3 <= row["score"]["low"] <= row["score"]["mean"]
        assert row["score"]["mean"] <= row["score"]["high"] <= max(episodes) + 1e-3
        share = (mean(means) - random) / (target - random)
        assert row["normalised"]["mean"] == pytest.approx(share, abs=2e-3)
        assert row["passed"]["mean"] == 0.0 and row["gate"]["passes"] is False


def test_a_score_is_that_of_the_same_policy_tried_by_hand(study: dict, runs: list[Path]) -> None:
    (candidate,) = [read_candidate(runs[1], FEW)]
    shoved = Trial(episodes=2, seconds=1.5, perturbations=(Perturbation("push", 1.0),))
    plan = trial_plan(candidate.plan, shoved)
    episodes = try_policy(plan, candidate.policy(plan, 0), shoved)
    scores = [float(np.mean(episode.terms["reach"])) for episode in episodes]
    told = [e["score"] for e in study["conditions"][1]["runs"][1]["episodes"]]
    assert told == pytest.approx(scores, abs=1e-4)


def test_films_show_runs_and_conditions_beside_each_other_in_one_page(out: Path) -> None:
    films = {"point_mass_runs.webm": (240, 640), "point_mass_conditions.webm": (240, 960)}
    assert {path.name for path in out.iterdir()} == {"evaluation.json", "report.html", *films}
    for name, size in films.items():
        film = cv2.VideoCapture(str(out / name))
        frames = [film.read()[1] for _ in range(15)]
        assert frames[14].shape == (*size, 3)
        assert np.abs(frames[14].astype(int) - frames[0]).max() > 50  # it moves
    page = (out / "report.html").read_text()
    assert page.count("data:video/webm;base64,") == 2
    assert page.count("data:image/webp;base64,") == 8


def test_names_are_as_short_as_tells_runs_apart(tmp_path: Path) -> None:
    assert short_names([tmp_path / "x/0", tmp_path / "y/0"]) == ["x/0", "y/0"]
    assert short_names([tmp_path / "x/0", tmp_path / "x/1"]) == ["0", "1"]
    with pytest.raises(ConfigError, match="is given twice"):
        short_names([tmp_path, tmp_path / "."])


def test_what_cannot_be_compared_is_refused_before_anything_is_tried(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", *map(str, runs), "--out", str(tmp_path / "o"), "--perturb"]
    for perturb, said in (
        ("shove=1", "unknown 'shove'; there are push"),
        ("light=0.5", "no camera of this robot is observed"),
        ("sensor_latency=30+sensor_latency=30", "twin.latency_ms: Input should be less than"),
    ):
        assert cli.main([*words, perturb]) == 2
        assert said in capsys.readouterr().err
    assert cli.main(["evaluate"]) == 2
    assert not (tmp_path / "o").exists()


def test_weights_of_another_version_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(saved(tmp_path / "old", 0))
    spec = plan_spec(small_plan(0))
    folder.write_weights(Weights({"gone": np.zeros(1, np.float32)}, 1, spec.fingerprint()))
    assert cli.main(["evaluate", str(folder.path)]) == 2
    assert "this version of reverie cannot use them" in capsys.readouterr().err


@pytest.mark.slow
def test_a_rival_is_tried_with_the_very_network_that_it_saved(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    run = tmp_path / "ppo"
    small = ("units=8", "batch=4", "epochs=1", "rollout=8")
    sets = [word for change in small for word in ("--set", f"learner.{change}")]
    words = ["baseline", "ppo", str(CART), "--minutes", "0.014", "--run", str(run)]
    assert cli.main([*words, *sets, "--set", "learner.keys=[joint_pos,target]"]) == 0
    candidate = read_candidate(run, FEW)
    outcome = try_candidate(candidate, Condition(), FEW)
    policy = candidate.policy(outcome.plan, 0)
    newest = run / "checkpoints" / (run / "checkpoints/latest").read_text().strip()
    tensors = safetensors.torch.load_file(newest / "tensors.safetensors")
    seen = {"joint_pos": np.array([0.1], np.float32), "target": np.array([-0.2], np.float32)}
    x = np.array([0.1, -0.2], np.float32)
    for layer in ("mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net"):
        weight, bias = (tensors[f"policy/{layer}.{part}"].numpy() for part in ("weight", "bias"))
        x = weight @ x + bias
        x = np.tanh(x) if layer != "action_net" else x
    _, action = policy.act(policy.initial(), seen)
    np.testing.assert_allclose(action, np.clip(x, -1, 1), atol=1e-5)
    assert len(outcome.episodes) == 2 and outcome.scores.std() > 0
    assert cli.main(["evaluate", str(run), "--episodes", "1", "--seconds", "1.5"]) == 0
    assert (run / "evaluation/report.html").exists()
