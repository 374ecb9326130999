"""Whole runs in an environment: the same bytes twice, resumed, reported and tried."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from launch import cli
from robot.policy.journal import LOG_NAME
from robot.wire.log import TRANSITIONS, LogReader
from robot.wire.transition import Transition

SMALL = (
    *("learner.prefill=20", "learner.pretrain=1", "learner.batch=2", "learner.length=6"),
    *("learner.units=8", "learner.deter=8", "learner.blocks=2", "learner.hidden=8"),
    *("learner.layers=1", "learner.starts=2", "learner.stoch=2", "learner.classes=2"),
    *("learner.bins=5", "learner.sync_steps=8", "learner.steps_per_update=8"),
    *("env.options.length=3", "env.options.discrete=true"),
)


def train(run: Path, steps: int = 48, *more: str) -> int:
    sets = [word for change in SMALL for word in ("--set", change)]
    said = ["train", "gym:reverie/TMaze-v0", "--system", "dreamer_v3", "--steps", str(steps)]
    return cli.main([*said, "--run", str(run), *sets, *more])


def stream(run: Path) -> list[bytes]:
    return [record.data for record in LogReader(run / "log", LOG_NAME).records(TRANSITIONS)]


def steps(run: Path) -> list[Transition]:
    return list(LogReader(run / "log", LOG_NAME).transitions())


def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 48 environment steps, which are twelve episodes; nobody may change it."""
    run = tmp_path_factory.mktemp("environment") / "run"
    assert train(run) == 0
    return run


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", str(finished), str(run)], check=True)
    return run


def test_a_run_has_the_length_that_was_asked_for(finished: Path) -> None:
    said = summary(finished)
    assert said["env_steps"] == said["agent_steps"] == 48
    # Four actions and five observations an episode; the last observation was not waited for.
    assert said["transitions"]["logged"] == len(steps(finished)) == 59
    assert [line["env_steps"] for line in said["episodes"]] == list(range(4, 48, 4))
    assert {line["return"] for line in said["episodes"]} <= {-1.0, 1.0}
    assert said["config"]["environment"]["name"] == "gym:reverie/TMaze-v0"
    assert said["updates"] >= 4 and said["inner_loop"]["ticks"] == 0


def test_choices_are_kept_and_learnt_from_as_one_hot_vectors(finished: Path) -> None:
    made = steps(finished)
    assert max(step.weights_version for step in made) >= 1
    for step in made:
        action = step.arrays["action"]
        assert action.dtype == np.float32 and action.shape == (2,)
        assert action.sum() == (0 if step.arrays["is_last"] else 1)


def test_equal_seeds_give_equal_bytes_and_others_do_not(finished: Path, tmp_path: Path) -> None:
    assert train(tmp_path / "same") == 0
    assert stream(tmp_path / "same") == stream(finished)
    assert train(tmp_path / "other", 12, "--seed", "1") == 0
    mine = [step.arrays["vector"].tolist() for step in steps(tmp_path / "other")]
    assert mine != [step.arrays["vector"].tolist() for step in steps(finished)][: len(mine)]


def test_a_run_goes_on_where_it_was(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, updates = stream(copied), summary(copied)["updates"]
    assert train(copied, 60) == 0
    assert "Going on with run" in capsys.readouterr().out
    after = steps(copied)
    assert stream(copied)[: len(before)] == before
    assert [step.index for step in after] == list(range(len(after)))
    assert after[len(before)].arrays["is_first"]
    assert summary(copied)["env_steps"] == 60 and summary(copied)["updates"] > updates
    assert summary(copied)["transitions"]["ingested"] == len(after)


def test_a_run_of_another_environment_is_refused(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(copied, 60, "--set", "env.options.length=4") == 2
    assert "environment.options.length is 4 here and 3 there" in capsys.readouterr().err


def test_commands_of_robots_say_that_this_is_none(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["learn", "--run", str(finished)]) == 2
    assert "is of a run in gym:reverie/TMaze-v0" in capsys.readouterr().err


def test_its_policy_is_tried_by_its_mode_and_by_its_samples(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for out in ("a", "b"):
        words = ["evaluate", str(finished), "--episodes", "3", "--out", str(tmp_path / out)]
        assert cli.main(words) == 0
        told.append(json.loads((tmp_path / out / "evaluation.json").read_text()))
    assert told[0] == told[1]
    for kind in ("mode", "sampled"):
        returns = told[0][kind]["returns"]
        assert len(returns) == 3 and set(returns) <= {-1.0, 1.0}
        assert told[0][kind]["mean"] == pytest.approx(np.mean(returns), abs=1e-3)
    assert "mode actions: return" in capsys.readouterr().out
    assert cli.main(["evaluate", str(finished), "--start", "folded"]) == 2
    assert "allowed is --episodes, --seed and --out" in capsys.readouterr().err


def test_a_length_in_steps_must_be_positive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "run", 0) == 2
    assert "--steps 0: allowed is 1 or more" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
