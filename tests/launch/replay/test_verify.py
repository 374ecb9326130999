"""Recorded runs through today's robot process: the same bit for bit, or the first difference."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from launch import cli
from launch.replay.lives import Life, read_lives
from launch.replay.verify import verify
from robot.policy.observe import ActionMap
from robot.wire.log import LogFile, LogReader, LogWriter
from robot.wire.log.names import SENSORS, TICKS, TRANSITIONS
from robot.wire.transition import Transition


def test_every_life_of_a_run_acts_as_it_did(run: Path, capsys: pytest.CaptureFixture[str]):
    first, second = (verify(life) for life in read_lives(run))
    assert (first.steps, first.same, second.steps, second.same) == (100, 100, 60, 60)
    assert len({step.weights_version for step in read_lives(run)[1].steps()}) > 3
    assert cli.main(["replay", str(run), "--mode", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["holds"]


def test_pictures_are_seen_again(seeing: Path):
    verdict = verify(read_lives(seeing)[0])
    assert verdict.holds and verdict.steps == 80


def test_a_camera_that_is_only_logged_changes_nothing(glancing: Path):
    life = read_lives(glancing)[0]
    assert any("image_front" in step.stamps_ns for step in life.steps())
    assert verify(life).same == 70


def test_a_machine_on_legs_acts_as_it_did(legs: Path):
    verdict = verify(read_lives(legs)[0])
    assert verdict.holds and verdict.steps == 70


class Changed(Life):
    """A life, one of whose steps was recorded otherwise."""

    at = 90

    def steps(self) -> Iterator[Transition]:
        for step in super().steps():
            yield self.change(step) if step.index == self.at else step

    def change(self, step: Transition) -> Transition:
        raise AssertionError("a subclass says what changes")


class LastBit(Changed):
    def change(self, step: Transition) -> Transition:
        action = step.arrays["action"].copy()
        action.view(np.uint32)[0] ^= 1
        return replace(step, arrays={**step.arrays, "action": action})


class Flag(Changed):
    def change(self, step: Transition) -> Transition:
        return replace(step, valid=not step.valid)


class Stamp(Changed):
    def change(self, step: Transition) -> Transition:
        stamps = {name: stamp + 1 for name, stamp in step.stamps_ns.items()}
        return replace(step, stamps_ns=stamps)


class Reward(Changed):
    def change(self, step: Transition) -> Transition:
        reward = step.arrays["reward"] + np.float32(1e-6)
        return replace(step, arrays={**step.arrays, "reward": reward})


@pytest.mark.parametrize(
    ("kind", "what", "cause"),
    [
        (LastBit, "action", "weights"),
        (Flag, "valid", "loop"),
        (Stamp, "stamps_ns", "loop"),
        (Reward, "reward", "task"),
    ],
)
def test_the_first_difference_is_told_with_its_step_and_cause(
    run: Path, kind: type[Changed], what: str, cause: str
):
    life = read_lives(run)[0]
    verdict = verify(kind(life.files, life.about, life.store))
    assert not verdict.holds and verdict.at == 90 and verdict.same == 90
    assert verdict.details["what"] == what and cause in verdict.details["cause"]


def test_a_change_of_todays_code_is_found(run: Path, monkeypatch: pytest.MonkeyPatch):
    """Commands are rounded as in float32: the first step tells."""
    real = ActionMap.position

    def rounded(self: ActionMap, *given: Any) -> Any:
        return real(self, *given).astype(np.float32).astype(float)

    monkeypatch.setattr(ActionMap, "position", rounded)
    verdict = verify(read_lives(run)[0])
    assert verdict.details["what"] == "a command" and verdict.at == 0


def test_the_command_says_what_differs(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(
        "launch.compose.SmoothNoise.action", lambda self, width: self.normal(1, width)
    )
    monkeypatch.setattr("launch.replay.run.read_lives", lambda path: read_lives(path)[:1])
    assert cli.main(["replay", str(run), "--mode", "verify"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "differs at step" in said and "look at the policy" in said


def test_steps_whose_weights_are_gone_are_counted_and_the_rest_is_verified(
    run: Path, tmp_path: Path
):
    again = Path(shutil.copytree(run, tmp_path / "run"))
    life = read_lives(again)[1]
    versions = [step.weights_version for step in life.steps()]
    firsts = [i for i, step in enumerate(life.steps()) if step.arrays["is_first"]]
    gone = versions[firsts[0] + 3]
    life.store.path(life.weights[gone]).unlink()
    verdict = verify(life)
    begin = versions.index(gone)
    end = next((i for i in firsts if i > begin and versions[i] != gone), len(versions))
    assert not verdict.holds and not verdict.fault
    assert (verdict.unproven, verdict.same) == (end - begin, len(versions) - (end - begin))


def test_a_process_that_was_killed_leaves_a_step_that_cannot_be_fed(run: Path, tmp_path: Path):
    """A tick is written when the next one begins: the last tick of a killed process is lost."""
    life = read_lives(run)[0]
    files = [tmp_path / "log" / life.files[0].name]
    records = list(LogReader(run / "log", "robot").records())
    last = max(i for i, r in enumerate(records[: len(records) // 2]) if r.topic == TICKS)
    end = next(r.end for r in records[last:] if r.topic == "/transitions")
    files[0].parent.mkdir()
    files[0].write_bytes(life.files[0].read_bytes()[:end])
    verdict = verify(Life(files, life.about, life.store))
    assert verdict.unheard == 1 and verdict.same == verdict.steps - 1 and not verdict.holds


def test_a_tick_that_is_missing_ends_the_replay(run: Path, tmp_path: Path):
    life = read_lives(run)[0]

    class Gap(Life):
        def ticks(self):
            return (tick for tick in super().ticks() if tick.number != 50)

    verdict = verify(Gap(life.files, life.about, life.store))
    assert verdict.ended == "the log lacks tick 50" and verdict.same + verdict.unheard == 100
    assert 45 < verdict.same <= 50 and not verdict.holds


def test_a_log_that_is_damaged_is_not_verified(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for topic, number in ((SENSORS, 60), (TRANSITIONS, 40)):
        path = tmp_path / topic.strip("/") / "robot-0000.mcap"
        path.parent.mkdir()
        shutil.copytree(run / "log/weights", path.parent / "weights")
        data = bytearray((run / "log/robot-0000.mcap").read_bytes())
        records = LogFile(run / "log/robot-0000.mcap").records(topics=(topic,))
        place = [record.end for record in records][number] - 30
        data[place] ^= 1
        path.write_bytes(data)
        assert cli.main(["replay", str(path), "--mode", "verify"]) == 1
        said = " ".join(capsys.readouterr().out.split())
        assert "damaged: robot-0000.mcap:" in said and "cannot be read" in said
        assert cli.main(["replay", str(path), "--speed", "0"]) == (2 if topic != SENSORS else 0)
    assert "checksum" in capsys.readouterr().err


def test_a_log_that_says_too_little_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    LogWriter(tmp_path, "robot", {}).close()
    assert cli.main(["replay", str(tmp_path), "--mode", "verify"]) == 2
    assert "was written without 'plan'" in capsys.readouterr().err
    assert cli.main(["replay", str(tmp_path / "nothing")]) == 2


def test_ticks_hold_all_samples(run: Path):
    life = read_lives(run)[0]
    heard = sum(len(tick.samples) for tick in life.ticks())
    assert heard == sum(1 for _ in life.records(SENSORS)) > 90
