"""Another task for a finished run: the same experience, other rewards, and nothing lived again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from launch import cli
from launch.adapt import read_any_plan
from launch.judging import make_judge
from launch.run_folder import RunFolder
from learner.train.checkpoint import Checkpoints
from learner.train.weights import load_weights
from robot.policy.journal import LOG_NAME
from robot.wire.log import LogReader
from robot.wire.transition import Transition

POINT = Path(__file__).parents[2] / "hardware_configs/point_mass.yaml"
MAZE = "gym:reverie/Maze-v0"
SMALL = (
    *("learner.prefill=40", "learner.pretrain=2", "learner.batch=2", "learner.length=8"),
    *("learner.units=16", "learner.hidden=16", "learner.deter=16", "learner.layers=1"),
    *("learner.stoch=2", "learner.classes=4", "learner.starts=4", "learner.members=2"),
    *("learner.member_units=8", "learner.steps_per_update=10", "env.time_limit=30"),
    *("learner.horizon=3", "learner.look=3", "env.options.size=2"),
)


def train(run: Path, steps: int, *more: str) -> int:
    sets = [word for change in (*SMALL, *more) for word in ("--set", change)]
    said = ["train", MAZE, "--system", "plan2explore", "--steps", str(steps), "--run", str(run)]
    return cli.main([*said, *sets])


def lived(run: Path) -> list[Transition]:
    return list(LogReader(run / "log", LOG_NAME).transitions())


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run without any reward."""
    run = tmp_path_factory.mktemp("runs") / "explored"
    assert train(run, 100) == 0
    return run


@pytest.fixture(scope="module")
def adapted(explored: Path) -> Path:
    """The same experience, for one who is paid to be in the first room."""
    words = ["adapt", str(explored), "--set", "env.options.goal=0", "--updates", "3"]
    assert cli.main(words) == 0
    return explored.with_name("explored-adapted")


def test_all_was_lived_once_and_is_paid_otherwise(explored: Path, adapted: Path):
    before, after = lived(explored), lived(adapted)
    judge = make_judge(read_any_plan(RunFolder(adapted)))
    assert len(before) == len(after) > 100
    for old, new in zip(before, after, strict=True):
        assert new.index == old.index and new.episode == old.episode and new.run != old.run
        assert float(old.arrays["reward"]) == 0.0
        assert float(new.arrays["reward"]) == judge(old)
        for key in old.arrays.keys() - {"reward"}:
            assert np.array_equal(new.arrays[key], old.arrays[key])
    paid = np.mean([float(step.arrays["reward"]) for step in after])
    assert 0 < paid < 1


def test_practice_goes_on_from_what_was_learnt(explored: Path, adapted: Path):
    first, second = (
        load_weights(explored / "weights.safetensors"),
        load_weights(adapted / "weights.safetensors"),
    )
    assert first and second and second.updates == first.updates + 3
    changed = {k for k in first.arrays if not np.array_equal(first.arrays[k], second.arrays[k])}
    assert any(name.startswith("task.actor") for name in changed)
    assert float(second.arrays["phase.exploring"]) == 1.0, "a reward afterwards is no exploration"


def test_made_again_it_practises_further_and_relabels_nothing_twice(explored: Path):
    out = explored.with_name("again")
    words = ["adapt", str(explored), "--set", "env.options.goal=1", "--out", str(out)]
    for _ in range(2):
        assert cli.main([*words, "--updates", "2"]) == 0
    weights = load_weights(out / "weights.safetensors")
    source = load_weights(explored / "weights.safetensors")
    assert weights and source and weights.updates == source.updates + 4
    assert len(lived(out)) == len(lived(explored))


def test_what_was_adapted_is_a_run_that_can_be_gone_on_with(explored: Path):
    out = explored.with_name("onwards")
    words = ["adapt", str(explored), "--set", "env.options.goal=0", "--out", str(out)]
    assert cli.main([*words, "--updates", "1"]) == 0
    before = len(lived(out))
    assert train(out, 130, "env.options.goal=0") == 0
    steps = lived(out)
    assert len(steps) > before and [step.index for step in steps] == list(range(len(steps)))
    assert len({step.run for step in steps}) == 1
    plan = read_any_plan(RunFolder(out))
    saved = Checkpoints(out / "checkpoints", configuration=plan.as_dict()).load()
    assert saved and saved[2]["taken"] == len(steps)


@pytest.mark.slow
def test_a_robot_is_given_another_task_too(tmp_path: Path):
    run, out = tmp_path / "run", tmp_path / "out"
    sets = [word for change in SMALL if "env" not in change for word in ("--set", change)]
    robot = ["train", str(POINT), "--twin", "mujoco", "--clock", "lockstep"]
    words = [*robot, "--system", "plan2explore", "--steps", "80", "--run", str(run), *sets]
    assert cli.main(words) == 0
    asked = ["adapt", str(run), "--set", "task.margin=1.0", "--out", str(out), "--updates", "2"]
    assert cli.main(asked) == 0
    pairs = zip(lived(run), lived(out), strict=True)
    paid = np.array([[float(step.arrays["reward"]) for step in pair] for pair in pairs])
    # 1 - distance / margin, with margins of 1/4 and 1: each is known by the other where it is paid.
    near = paid[:, 0] > 0
    assert near.any() and not near.all() and paid[:, 1].min() > 0
    np.testing.assert_allclose(1 - paid[near, 0], 4 * (1 - paid[near, 1]), atol=1e-4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "learner.lr=1"], "--set learner.lr=1: allowed are the keys of the task"),
        (["--set", "env.options.goal=77"], "goal 77: allowed is 0 to 5, or None"),
        (["--updates", "0"], "--updates 0: allowed is 1 or more"),
    ],
)
def test_what_cannot_be_asked_for_is_said(
    words: list[str], said: str, explored: Path, capsys: pytest.CaptureFixture[str]
):
    out = explored.with_name("refused")
    assert cli.main(["adapt", str(explored), "--out", str(out), *words]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists() or not any(out.iterdir())


def test_a_run_that_has_learnt_nothing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["adapt", str(tmp_path / "none")]) == 2
    assert "plan.json is missing" in capsys.readouterr().err
