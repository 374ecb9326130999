"""Learning from logs alone: what is taken from them, when it stops, what it tells, and resuming."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from launch import cli
from launch.compose import plan_spec
from launch.run_folder import Plan, RunFolder
from launch.train import make_plan
from learner.train.checkpoint import Checkpoints
from learner.train.weights import load_weights
from robot.wire.log import LogReader, LogWriter
from robot.wire.transition import Transition

POINT = Path(__file__).parents[2] / "hardware_configs/point_mass.yaml"
SMALL = (
    *("prefill=60", "pretrain=2", "batch=4", "length=8", "units=16", "deter=16", "layers=1"),
    *("starts=8", "stoch=2", "classes=4", "bins=15", "depth=2", "horizon=4", "sync_steps=10"),
)
SEEING = "cameras.front.observed=true"
PUSH = 0.2  # how far a whole action moves the cart in a step


def small(*more: str) -> list[str]:
    """Words of the command line that make the default system tiny."""
    return [word for change in (*SMALL, *more) for word in ("--set", f"learner.{change}")]


def point_plan(*changes: str) -> Plan:
    """The plan that wrote the logs."""
    return make_plan(POINT, "mujoco", "lockstep", "reverie", "cpu", 0, changes)


def write_log(
    folder: Path,
    episodes: int,
    steps: int = 20,
    plan: Plan | None = None,
    run: str = "made-up",
    lost: Sequence[int] = (),
    says: bool = True,
) -> Path:
    """Write a log of a cart that goes where it is pushed; being near 0 is rewarded.

    Args:
        folder: of the log.
        episodes: how many, of `steps` steps each.
        steps: see `episodes`.
        plan: whose log it claims to be.
        run: name of the stream.
        lost: indices at which the body did not follow.
        says: whether it says whose it is.
    """
    plan = plan or point_plan()
    spec, rng = plan_spec(plan), np.random.default_rng(episodes)
    log = LogWriter(folder, "robot", {"plan": json.dumps(plan.as_dict())} if says else {})
    index = 0
    for episode in range(episodes):
        place = rng.uniform(-1, 1)
        for t in range(steps):
            action = rng.uniform(-1, 1, spec.action.shape).astype(np.float32)
            arrays = {k: np.full(s.shape, place, s.dtype) for k, s in spec.observation.items()}
            arrays |= {
                "action": action,
                "applied": action,
                "reward": np.array(1 - abs(place), np.float32),
                "is_first": np.array(t == 0),
                "is_last": np.array(t == steps - 1),
                "is_terminal": np.array(False),
            }
            where = (index, episode, t, 1, index not in lost)
            step = Transition("point_mass", run, *where, arrays, {"tick": index * 50_000_000})
            log.append_transition(step, index, index)
            place = float(np.clip(place + PUSH * action[0], -1, 1))
            index += 1
    log.close()
    return folder


def learn(log: Path, run: Path, *more: str) -> int:
    words = ["learn", "--offline", str(log), "--run", str(run), "--every", "3", *small()]
    return cli.main([*words, *more])


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve episodes of twenty steps."""
    return write_log(tmp_path_factory.mktemp("logs") / "log", 12)


@pytest.fixture(scope="module")
def learnt(log: Path) -> Path:
    """A short run from it."""
    run = log.parent / "learnt"
    assert learn(log, run, "--updates", "7", "--validation", "0.25") == 0
    return run


def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def test_every_episode_is_taught_or_held_out(learnt: Path) -> None:
    told = summary(learnt)["offline"]
    assert told["episodes"] == 12 and told["episodes_held_out"] == 3
    assert (told["taught"], told["held_out"], told["logged"]) == (180, 60, 240)
    assert told["replay"] == 180 and told["streamed"] == 0


def test_the_summary_has_the_keys_of_any_run(learnt: Path) -> None:
    found = summary(learnt)
    keys = {"robot_minutes", "transitions", "updates", "weights", "episodes", "config", "seed"}
    assert keys | {"computing_s", "versions", "command", "peak_rss_mb"} <= found.keys()
    assert found["updates"] == 7 and found["robot_minutes"] == pytest.approx(
        240 / 20 / 60, abs=1e-4
    )
    assert found["config"]["offline"]["logs"] == [str(learnt.parent / "log")]


def test_the_report_tells_losses_foresight_values_and_actions(learnt: Path) -> None:
    report = json.loads((learnt / "offline" / "report.json").read_text())
    assert [row["update"] for row in report["losses"]] == [0, 3, 6, 7]
    assert {"joint_pos", "target", "reward"} <= report["foresight"].keys()
    errors = report["foresight"]["joint_pos"]["foretold"]
    assert len(errors) == 10 and all(error > 0 for error in errors)
    assert report["values"]["states"] == sum(b["states"] for b in report["values"]["bins"]) > 50
    assert 0 < report["actions"]["distance"] < 2
    text = (learnt / "offline" / "report.md").read_text()
    assert all(f"## {part}" in text for part in ("Foresight", "Values", "Actions"))
    assert (learnt / "offline" / "report.png").stat().st_size > 10_000
    assert any((learnt / "tensorboard").iterdir())


def test_the_weights_are_those_of_the_best_look(learnt: Path) -> None:
    losses = json.loads((learnt / "offline" / "report.json").read_text())["losses"]
    best = min(losses, key=lambda row: row["validation"]["loss"])["update"]
    saved = Checkpoints(learnt / "offline" / "best").load()
    given = load_weights(RunFolder(learnt).weights)
    assert saved and given and saved[0] == best == summary(learnt)["offline"]["chosen_update"]
    name = next(n for n in given.arrays if n.startswith("actor.") and n.endswith("weight"))
    kept = saved[1][f"agent.behaviour.{name}"].float().numpy()
    np.testing.assert_array_equal(given.arrays[name], kept)


@pytest.mark.slow
def test_it_goes_on_bit_for_bit(log: Path) -> None:
    whole, parts = log.parent / "whole", log.parent / "parts"
    assert learn(log, whole, "--updates", "6", "--patience", "0") == 0
    for updates in ("3", "6"):
        assert learn(log, parts, "--updates", updates, "--patience", "0") == 0
    one, two = (Checkpoints(run / "checkpoints").load() for run in (whole, parts))
    assert one and two and one[0] == two[0] == 6
    assert all(np.array_equal(one[1][k].float(), two[1][k].float()) for k in one[1])
    assert one[2]["extra"]["curve"] == two[2]["extra"]["curve"]


def test_it_stops_when_nothing_gets_better(log: Path) -> None:
    run = log.parent / "stopped"
    still = ("--set", "learner.lr_model=1e-12", "--set", "learner.bfloat16=false")
    assert learn(log, run, "--updates", "500", "--patience", "6", *still) == 0
    told = summary(run)
    assert told["updates"] < 60 and told["offline"]["stopped_early"]
    assert told["updates"] - told["offline"]["chosen_update"] >= 6


def test_logs_that_do_not_fit_the_replay_are_streamed(log: Path) -> None:
    run = log.parent / "streamed"
    assert learn(log, run, "--updates", "4", "--set", "learner.capacity=100") == 0
    told = summary(run)["offline"]
    # A step stays long enough to be learnt from eight times: 4 x 8 of them by 4 new ones an update.
    assert told["taught"] == 220 and told["replay"] == 100 and told["streamed"] == 4 * 4


def test_an_actor_can_be_held_to_the_log_and_a_dream_be_feared(log: Path) -> None:
    run = log.parent / "near"
    assert learn(log, run, "--updates", "4", "--cloning", "1", "--caution", "0.5") == 0
    saved = Checkpoints(run / "checkpoints").load()
    assert saved and any("doubt" in name for name in saved[1])
    assert float(saved[1]["agent.behaviour.reward.doubt.usual"]) > 0
    given = load_weights(RunFolder(run).weights)
    assert given and not any("doubt" in name for name in given.arrays)


@pytest.mark.slow
def test_a_planner_learns_from_logs_and_has_no_values(log: Path) -> None:
    run = log.parent / "planet"
    tiny = ("batch=4", "length=8", "units=16", "hidden=16", "deter=16", "layers=1", "stoch=4")
    sets = [word for change in tiny for word in ("--set", f"learner.{change}")]
    words = ["learn", "--offline", str(log), "--system", "planet", "--run", str(run)]
    assert cli.main([*words, "--updates", "2", *sets]) == 0
    report = json.loads((run / "offline" / "report.json").read_text())
    assert report["values"] is None and report["actions"] is None and report["foresight"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--validation", "0.7"], "--validation 0.7: allowed is above 0, up to 0.5"),
        (["--updates", "3", "--minutes", "1"], "--updates, --minutes: name one of them"),
        (["--patience", "-1"], "--patience -1: allowed is 0 or more"),
        (["--every", "0"], "--every 0: allowed is 1 or more"),
        (["--cloning", "-1"], "--cloning -1: allowed is 0 or more"),
        (["--system", "planet", "--cloning", "1"], "planet has no actor"),
        (["--set", "learner.length=300"], "hold no chunk of 300 steps to learn from"),
        (["--set", SEEING], "--set: image_front is sensed, and not in"),
        (["--set", "learner.nonsense=1"], "nonsense"),
    ],
)
def test_what_cannot_be_asked_for_is_said(
    words: list[str], said: str, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = [] if "planet" in words else small()
    asked = ["learn", "--offline", str(log), "--run", str(tmp_path / "run"), *tiny, *words]
    assert cli.main(asked) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_logs_of_different_robots_and_tasks_are_told_apart(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = {SEEING: "image_front is sensed, and not in"}
    others["task.margin=0.5"] = "task.margin is 0.5, and 0.25 in"
    for number, (change, said) in enumerate(others.items()):
        other = write_log(tmp_path / str(number), 2, plan=point_plan(change))
        words = ["learn", "--offline", str(log), str(other), "--run", str(tmp_path / "run")]
        assert cli.main(words) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_log_that_does_not_say_whose_it_is_is_told_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, run = write_log(tmp_path / "log", 8, says=False, lost=[30, 31]), tmp_path / "run"
    assert learn(log, run) == 2
    assert "does not say which robot it is of; say it by --robot" in capsys.readouterr().err
    assert learn(log, run, "--updates", "1", "--robot", str(POINT)) == 0
    told = summary(run)["offline"]
    assert (told["logged"], told["invalid"]) == (160, 2)
    assert told["taught"] + told["held_out"] == 158


def test_no_log_is_said_and_so_is_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = {
        ("--offline", str(tmp_path / "none")): "there is no such file or folder",
        ("--offline", str(tmp_path)): "holds no log, such as robot-0000.mcap",
        (): "--run is missing",
    }
    for words, said in cases.items():
        assert cli.main(["learn", *words]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.slow
def test_logs_that_changed_are_not_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, run = write_log(tmp_path / "log", 6), tmp_path / "run"
    assert learn(log, run, "--updates", "2") == 0
    write_log(log, 3, run="another")
    assert learn(log, run, "--updates", "4") == 2
    assert "learnt from 120 logged steps, and there are 180 now" in capsys.readouterr().err


def live(run: Path, begin: Path, *more: str) -> list[str]:
    """Words that begin a run on the twin with what another one learnt."""
    robot = ["train", str(POINT), "--twin", "mujoco", "--clock", "lockstep", "--run", str(run)]
    return [*robot, "--from", str(begin), *small(), *more]


@pytest.mark.slow
def test_a_run_begins_with_what_logs_taught_and_is_resumed(learnt: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cli.main(live(run, learnt, "--steps", "30")) == 0
    best, now = (Checkpoints(p).load() for p in (learnt / "offline" / "best", run / "checkpoints"))
    assert best and now and best[0] == now[0] > 0
    assert all(np.array_equal(best[1][k].float(), now[1][k].float()) for k in best[1])
    said = json.loads((run / "plan.json").read_text())["begun_from"]
    assert said["run"] == str(learnt) and said["updates"] == best[0] and said["logs"] == []
    steps = list(LogReader(run / "log", "robot").transitions())
    assert len(steps) == 30 and all(step.weights_version > 0 for step in steps)
    assert cli.main(live(run, learnt, "--steps", "90")) == 0
    assert summary(run)["updates"] > best[0] and summary(run)["transitions"]["logged"] == 90


def test_the_logs_are_learnt_from_at_once_where_that_is_asked_for(
    learnt: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert cli.main(live(run, learnt, "--steps", "20", "--with-logs")) == 0
    said = json.loads((run / "plan.json").read_text())["begun_from"]
    assert said["logs"] == [str(learnt.parent / "log")]
    assert summary(run)["updates"] > said["updates"], "fewer steps than prefill, but logs are there"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "learner.units=24"], "give this run the preset and the --set learner.*"),
        (["--system", "daydreamer"], "learnt by reverie, and this run by daydreamer"),
        (["--set", SEEING], "image_front is sensed, and not there"),
    ],
)
def test_what_a_run_cannot_begin_with_is_said_before_anything_is_written(
    words: list[str], said: str, learnt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = live(tmp_path / "run", learnt)
    if "--system" in words:
        asked = asked[: asked.index("--set")]
    assert cli.main([*asked, *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_logs_of_no_run_are_not_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", str(POINT), "--twin", "mujoco", "--with-logs"]) == 2
    assert "--with-logs: of which run? Name it by --from" in capsys.readouterr().err


@pytest.mark.slow
def test_logs_teach_a_policy_that_is_tried_and_goes_on_live(log: Path, tmp_path: Path) -> None:
    taught, onwards = tmp_path / "taught", tmp_path / "onwards"
    reverie = [sys.executable, "-m", "launch.cli"]
    learning = ["learn", "--offline", str(log), "--run", str(taught), "--updates", "20", *small()]
    trying = ["evaluate", str(taught), "--episodes", "1", "--seconds", "1"]
    subprocess.run([*reverie, *learning], check=True, timeout=240)
    for words in (trying, live(onwards, taught, "--steps", "70")):
        assert cli.main(words) == 0
    assert json.loads((taught / "evaluation" / "evaluation.json").read_text())["episodes"]
    assert summary(onwards)["updates"] > summary(taught)["offline"]["chosen_update"]
