"""Whole runs in lock-step: the same bytes twice, resumed, cut, corrupted and refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from launch import cli
from launch.lockstep import LockstepRun
from launch.run_folder import RunFolder
from launch.train import make_plan
from learner.train.weights import load_weights
from robot.policy.journal import LOG_NAME
from robot.wire.log import TRANSITIONS, LogFile, LogReader, log_files
from robot.wire.transition import Transition
from robot.wire.weights_store import WeightsStore

ROOT = Path(__file__).parents[2]
A1 = str(ROOT / "hardware_configs/a1.yaml")
SMALL = (
    *("learner.prefill=40", "learner.pretrain=2", "learner.batch=2", "learner.length=8"),
    *("learner.units=16", "learner.deter=16", "learner.layers=1", "learner.starts=4"),
    *("learner.stoch=2", "learner.classes=4", "learner.bins=15", "learner.sync_steps=10"),
    *(
        "learner.steps_per_update=4",
        "learner.early_factor=1",
        "task.episode_steps=30",
        "cameras={}",
    ),
)
STEPS_PER_MINUTE = 20 * 60
KEYS = {
    *("robot_minutes", "transitions", "updates", "weights", "episodes", "mean_reward_last10"),
    *("policy_loop", "inner_loop", "latency_ms", "peak_rss_mb", "versions", "seed", "config"),
}


def arguments(run: Path, steps: int = 80, *more: str) -> list[str]:
    """Words of `reverie train` for a small run of so many steps in all."""
    sets = [word for change in SMALL for word in ("--set", change)]
    minutes = f"{steps / STEPS_PER_MINUTE:.6f}"
    said = ["train", A1, "--twin", "mujoco", "--clock", "lockstep", "--minutes", minutes]
    return [*said, "--run", str(run), *sets, *more]


def train(run: Path, steps: int = 80, *more: str) -> int:
    return cli.main(arguments(run, steps, *more))


def stream(run: Path) -> list[bytes]:
    """The transitions of a run as they were logged."""
    return [record.data for record in LogReader(run / "log", LOG_NAME).records(TRANSITIONS)]


def everything(run: Path) -> list[tuple[str, int, bytes]]:
    """All records of a run's log, and the names of the weights beside it."""
    records = LogReader(run / "log", LOG_NAME).records()
    weights = sorted((run / "log/weights").iterdir())
    return [
        *((record.topic, record.stamp_ns, record.data) for record in records),
        *((path.name, 0, path.read_bytes()) for path in weights),
    ]


def steps(run: Path) -> list[Transition]:
    return list(LogReader(run / "log", LOG_NAME).transitions())


def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 80 steps; nobody may change it."""
    run = tmp_path_factory.mktemp("lockstep") / "run"
    assert train(run) == 0
    return run


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of that run, to go on with."""
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", str(finished), str(run)], check=True)
    return run


def refused(
    capsys: pytest.CaptureFixture[str], run: Path, words: list[str], *named: str
) -> dict[str, bytes]:
    """Check that a command is refused in one line that names things, and changes nothing."""
    before = contents(run)
    capsys.readouterr()
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("reverie train: ")
    for name in named:
        assert name in said
    assert contents(run) == before
    return before


def test_two_runs_with_learning_give_the_same_bytes_in_two_processes(
    finished: Path, tmp_path: Path
) -> None:
    again = tmp_path / "run"
    command = [sys.executable, "-m", "launch.cli", *arguments(again)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env={**os.environ})
    assert len(stream(finished)) == 80
    assert stream(again) == stream(finished)
    assert everything(again) == everything(finished)
    assert max(step.weights_version for step in steps(finished)) >= 3
    assert summary(finished)["updates"] == summary(again)["updates"] >= 10


def test_the_log_tells_the_whole_run(finished: Path) -> None:
    topics = Counter(topic for topic, _, _ in everything(finished) if topic.startswith("/"))
    assert topics["/transitions"] == topics["/step"] == topics["/commands"] + 2 == 80
    assert topics["/sensors"] == 10 * topics["/ticks"] > 800
    assert topics["/joint_states"] == topics["/imu"] == topics["/ticks"]
    reader = LogReader(finished / "log", LOG_NAME)
    taken, store = list(reader.notes("/weights")), WeightsStore(finished / "log/weights")
    for note in taken:
        assert store.get(note["sha256"]).version == note["version"]
    used = {step.weights_version for step in steps(finished)} - {0}
    assert used <= {note["version"] for note in taken}
    assert [e["what"] for e in reader.notes("/events") if e["event"] == "process"] == [
        "start",
        "end",
    ]
    (path,) = log_files(finished / "log", LOG_NAME)
    file = LogFile(path)
    list(file.records(topics=("/episodes",)))
    said = {name: json.loads(text) for name, text in file.about.items()}
    assert said["plan"]["settings"]["units"] == 16 and said["versions"]["mujoco"]
    assert said["random"]["policy_noise"] == 1 and said["log"]["raw"]
    assert said["spec"]["observation"]["joint_pos"]["shape"] == [12]


def test_another_seed_gives_another_stream(finished: Path, tmp_path: Path) -> None:
    assert train(tmp_path / "run", 10, "--seed", "1") == 0
    mine, others = steps(tmp_path / "run"), steps(finished)
    assert not (mine[5].arrays["joint_pos"] == others[5].arrays["joint_pos"]).all()


def test_the_summary_tells_what_was_done(finished: Path) -> None:
    said = summary(finished)
    assert said.keys() == KEYS | {"command", "computing_s"}
    assert said["robot_minutes"] == pytest.approx(80 / STEPS_PER_MINUTE, abs=1e-4)
    assert said["transitions"] == {"logged": 80, "ingested": 80, "duplicates": 0, "invalid": 0}
    assert said["weights"]["published"] == said["weights"]["applied"] + 1  # the last is for later
    assert [episode["steps"] for episode in said["episodes"]] == [31, 31]
    rewards = [float(step.arrays["reward"]) for step in steps(finished)]
    assert said["episodes"][0]["return"] == pytest.approx(sum(rewards[:31]), abs=1e-2)
    assert said["episodes"][1]["mean_reward"] == pytest.approx(sum(rewards[31:62]) / 31, abs=1e-3)
    means = [episode["mean_reward"] for episode in said["episodes"]]
    assert said["mean_reward_last10"] == pytest.approx(sum(means) / 2, abs=1e-3)
    assert said["policy_loop"]["missed"] == said["inner_loop"]["missed"] == 0
    assert said["inner_loop"]["ticks"] == 80 * 50
    assert said["config"]["settings"]["units"] == 16
    assert said["versions"]["mujoco"]


def test_a_run_goes_on_where_it_was(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, updates = stream(copied), summary(copied)["updates"]
    assert train(copied, 130) == 0
    assert "Going on with run" in capsys.readouterr().out
    after = steps(copied)
    assert stream(copied)[:80] == before
    assert [step.index for step in after] == list(range(130))
    assert after[80].arrays["is_first"] and after[80].episode == after[79].episode + 1
    assert after[129].weights_version > after[79].weights_version
    said = summary(copied)
    every = said["config"]["settings"]["steps_per_update"]
    assert abs(said["updates"] - updates - 50 / every) <= 1
    assert said["transitions"]["ingested"] == 130
    assert [episode["steps"] for episode in said["episodes"]] == [31, 31, 31]


def test_a_finished_run_is_left_as_it_is(copied: Path) -> None:
    before = stream(copied)
    assert train(copied, 80) == 0
    assert stream(copied) == before
    assert summary(copied)["transitions"]["logged"] == 80


def test_a_run_killed_between_two_checkpoints_loses_no_step(copied: Path) -> None:
    before = summary(copied)["updates"]
    assert train(copied, 120) == 0
    newest = max((copied / "checkpoints").glob("0*"), key=lambda path: path.name)
    subprocess.run(["rm", "-r", str(newest)], check=True)
    assert train(copied, 121) == 0
    assert [step.index for step in steps(copied)] == list(range(121))
    assert summary(copied)["transitions"]["ingested"] == 121
    # The steps since the older checkpoint allow the lost updates once more.
    assert summary(copied)["updates"] >= before + 41 // 4


def test_a_log_that_was_cut_goes_on_behind_its_last_whole_step(copied: Path) -> None:
    log = copied / "log" / "robot-0000.mcap"
    records = list(LogReader(copied / "log", LOG_NAME).records(TRANSITIONS))
    with open(log, "r+b") as file:
        file.truncate(records[70].end - 5)  # in the middle of the step with index 70
    assert train(copied, 90) == 0
    assert [step.index for step in steps(copied)] == list(range(90))
    assert summary(copied)["transitions"]["logged"] == 90


def test_a_corrupt_checkpoint_is_passed_over_for_the_one_before(copied: Path) -> None:
    assert train(copied, 100) == 0
    spoil(max((copied / "checkpoints").glob("0*/tensors.safetensors")))
    assert train(copied, 110) == 0
    assert [step.index for step in steps(copied)] == list(range(110))


def test_only_corrupt_checkpoints_are_refused(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (copied / "checkpoints").glob("0*/tensors.safetensors"):
        spoil(path)
    refused(capsys, copied, arguments(copied, 90), "checkpoints", "none of")


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("--seed", "1"), ("seed is 1 here and 0 there",)),
        (("--system", "daydreamer"), ("system", "unknown key bins")),
        (("--twin", "pybullet"), ("twin is 'pybullet' here and 'mujoco' there",)),
        (("--set", "control.filter.cutoff_hz=3"), ("control.filter.cutoff_hz is 3.0 here",)),
        (("--set", "learner.horizon=10"), ("settings.horizon is 10 here and 15 there",)),
    ],
)
def test_a_run_of_another_configuration_is_refused(
    copied: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, ...], named: tuple[str]
) -> None:
    if "pybullet" in change:
        pytest.importorskip("pybullet", reason="PyBullet has no wheel for this Python")
    words = named[1:] or (str(copied), named[0])
    refused(capsys, copied, [*arguments(copied, 90), *change], *words)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("joints.FR_knee.kp=3", ("joints.FR_knee.kd is missing",)),
        ("legs.FR.joints=[FR_hip, FR_thigh, FR_knee]", ("unknown joint 'FR_knee'", "FR_calf")),
        ("legs.FR.joints=[FR_hip]", ("legs.FR.joints",)),
        ("poses.stand.FR_hip=2.0", ("poses.stand.FR_hip is 2.0", "0.802851")),
        ("joints.FR_hip.lower_rad=1.0", ("lower_rad 1.0 must be below upper_rad",)),
        ("twin.links.trunk.centre_m=[0, 0]", ("twin.links.trunk.centre_m",)),
        ("control.filter.cutoff_hz=-1", ("control.filter.cutoff_hz", "-1", "greater than 0")),
        ("control.clip_to_measured_rad=.nan", ("control.clip_to_measured_rad", "finite")),
        ("twin.start=upside_down", ("twin.start", "upside_down", "on_back")),
        ("learner.batch=0", ("batch", "greater than or equal to 1")),
        ("learner.keys=[gravity, smell]", ("smell", "gravity", "joint_pos")),
        ("robot=A 1", ("robot", "A 1")),
    ],
)
def test_bad_values_are_refused_before_there_is_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, named: tuple[str, ...]
) -> None:
    run = tmp_path / "run"
    refused(capsys, tmp_path, [*arguments(run), "--set", change], *named)
    assert not run.exists()


def test_a_folder_with_other_files_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    refused(capsys, tmp_path, arguments(tmp_path), str(tmp_path), "empty folder")


def test_a_file_in_place_of_the_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").write_text("no folder")
    refused(capsys, tmp_path, arguments(tmp_path / "run"), "--run", "cannot be a folder")


def test_a_damaged_plan_is_refused(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = (copied / "plan.json").read_text()
    (copied / "plan.json").write_text(plan[: len(plan) // 2])
    refused(capsys, copied, arguments(copied, 90), "plan.json")


def test_a_folder_in_which_a_run_works_is_refused_to_a_second(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunFolder(copied).hold():
        refused(capsys, copied, arguments(copied, 90), "another run works in it")
    assert train(copied, 81) == 0


def test_a_twin_that_went_soft_is_resumed_and_its_steps_are_not_learnt_from(tmp_path: Path) -> None:
    # Motors that count as running away at 1.5 rad/s: random play soon makes them go soft.
    fragile = ("joints.FR_calf.velocity_rad_s=1.0", "safety.rising_s=0.2", *SMALL)
    plan = make_plan(Path(A1), "mujoco", "lockstep", "reverie", "cpu", 0, fragile)
    folder = RunFolder(tmp_path / "run")
    folder.claim(plan)
    lesson = LockstepRun(plan, folder)
    lesson.run(150 / STEPS_PER_MINUTE, lambda: False, lambda view: None)
    lesson.close()
    made = steps(folder.path)
    assert [step.index for step in made] == list(range(150))
    soft = [step.index for step in made if not step.valid]
    assert soft and any(step.valid for step in made[soft[0] + 1 :])
    assert len(lesson.trainer.replay) == 150 - len(soft)


def test_whoever_stops_a_run_finds_it_whole(tmp_path: Path) -> None:
    plan = make_plan(Path(A1), "mujoco", "lockstep", "reverie", "cpu", 0, SMALL)
    folder = RunFolder(tmp_path / "run")
    folder.claim(plan)
    lesson = LockstepRun(plan, folder)
    lesson.run(1.0, lambda: lesson.start.index >= 57, lambda view: None)
    said = lesson.close()
    assert said["transitions"]["logged"] == 57 == len(steps(folder.path))
    assert (folder.path / "checkpoints" / "latest").exists()
    assert folder.weights.exists()


def test_a_run_can_be_tried_while_it_goes_on(tmp_path: Path) -> None:
    changes = (*SMALL, "learner.checkpoint_s=0.001")
    plan = make_plan(Path(A1), "mujoco", "lockstep", "reverie", "cpu", 0, changes)
    folder = RunFolder(tmp_path / "run")
    folder.claim(plan)
    lesson, seen = LockstepRun(plan, folder), []

    def stop() -> bool:
        seen.append(load_weights(folder.weights))
        return len(seen) > 60

    lesson.run(1.0, stop, lambda view: None)
    versions = [weights.version for weights in seen if weights is not None]
    assert versions and versions == sorted(versions)
    lesson.close()
