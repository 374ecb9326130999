"""Looks inside a learner: what is written, when, and that a run learns the same without them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from launch import cli, inside
from launch.inside import Inside, look_at_run
from launch.inside_files import write
from launch.inside_pictures import DREAMS, MARGIN, SEES, colour, film, strip
from launch.run_folder import Plan, RunFolder
from launch.video import write_gif
from learner.model.open_loop import Foretold
from learner.systems import make_settings
from learner.train.checkpoint import Checkpoints
from learner.train.metrics import Metrics
from robot.clock import SteppedClock
from robot.config import load_config
from robot.policy.journal import LOG_NAME
from robot.wire.log import LogReader

ROOT = Path(__file__).parents[2]
POINT_MASS = ROOT / "hardware_configs/point_mass.yaml"
ROWS, CONTEXT, HORIZON = 3, 2, 6


def foretold(off: float = 0.25) -> Foretold:
    """Black pictures and a falling number; dreams see all of it `off` too high."""
    torch.manual_seed(0)
    length = CONTEXT + HORIZON
    falls = -torch.arange(length).float().expand(ROWS, length)[..., None].clone()
    falls += torch.randn(ROWS, 1, 1)
    truth = {"height": falls, "eye": torch.zeros(ROWS, length, 64, 64, 3), "reward": 0 * falls}
    futures = {k: (v[:, CONTEXT:] + off)[:, None].repeat_interleave(2, 1) for k, v in truth.items()}
    return Foretold(truth, dict(truth), futures, torch.ones(ROWS, HORIZON, dtype=torch.bool))


def test_a_look_leaves_whole_files_and_figures_that_json_knows(tmp_path: Path) -> None:
    write(foretold(), 20.0, tmp_path / "inside", {"step": 7})
    out = tmp_path / "inside"
    assert {path.name for path in out.iterdir()} == {
        *("inside.json", "error.png", "vectors.png", "eye.mp4", "eye.gif", "eye.png")
    }
    told = json.loads((out / "inside.json").read_text())
    assert told["step"] == 7 and told["control_hz"] == 20.0
    height = told["errors"]["height"]
    np.testing.assert_allclose(height["rms"], 0.25, atol=1e-5)
    assert height["seen"] == [0.0] * HORIZON and len(height["persistence"]) == HORIZON
    assert told["errors"]["reward"]["foretold"] == [None] * HORIZON  # it never varies
    assert told["seen"] == {"height": 0.0, "eye": None, "reward": None}
    reader = cv2.VideoCapture(str(out / "eye.mp4"))
    assert reader.get(cv2.CAP_PROP_FRAME_COUNT) == CONTEXT + HORIZON
    assert reader.get(cv2.CAP_PROP_FPS) == 10.0  # half as fast as it was lived
    for name in ("error.png", "vectors.png", "eye.png"):
        picture = cv2.imread(str(out / name))
        assert picture is not None and picture.std() > 5, name


def test_a_film_frames_what_was_seen_and_what_was_dreamt() -> None:
    frames = list(film(foretold(), "eye", 20.0, episodes=2))
    assert len(frames) == CONTEXT + HORIZON
    height = (frames[0].shape[0] - 22) // 3
    middle = MARGIN + 64
    for t, frame in enumerate(frames):
        rows = [frame[22 + height * row + height // 2, middle] for row in range(3)]
        sees = t < CONTEXT
        assert tuple(frame[22 + height - 1, middle]) == (SEES if sees else DREAMS)
        # Black is foretold a quarter too bright, which is an eighth of the way from black to white.
        assert [row.tolist() for row in rows] == [
            [0] * 3,
            [0 if sees else 64] * 3,
            [128 if sees else 159] * 3,
        ]


def test_what_comes_after_an_episode_is_dark() -> None:
    found = foretold()
    live = found.live.clone()
    live[0, 3:] = False
    bright = {**found.truth, "eye": torch.ones_like(found.truth["eye"])}
    last = list(film(replace(found, truth=bright, live=live), "eye", 20.0))[-1]
    first, second = (last[60, MARGIN + 64 + place * 132, 0] for place in range(2))
    assert (first, second) == (64, 255)


def test_a_strip_shows_each_episode_below_the_other() -> None:
    one, three = (strip(foretold(), "eye", 20.0, episodes) for episodes in (1, 3))
    assert three.shape == (3 * one.shape[0], *one.shape[1:])


@pytest.mark.parametrize(("channels", "beside"), [(1, 1), (3, 1), (4, 2), (2, 2), (6, 4)])
def test_channels_beyond_colours_stand_beside_them_in_grey(channels: int, beside: int) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (5, 8, 8, channels))
    drawn = colour(picture)
    assert drawn.shape == (5, 8, 8 * beside, 3)
    last = drawn[:, :, -8:]
    if channels not in (3,):
        np.testing.assert_array_equal(last, picture[..., [-1] * 3])


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def small_plan(*changes: str) -> Plan:
    small = ("units=16", "deter=16", "stoch=4", "classes=4", "bins=11", "batch=2", "length=8")
    more = ("layers=1", "prefill=60", "pretrain=1", "steps_per_update=40", "mirror=false")
    settings = make_settings("reverie", "cpu", [*small, *more, "keys=[vectors]", *changes])
    return Plan(load_config(POINT_MASS), settings, "reverie", "cpu", "mujoco", "lockstep", 0)


@pytest.fixture
def looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes an `Inside` whose looks take `costs` seconds; with its clock and the steps it saw."""

    def make(every_s: float, costs: float = 1.0, broken: bool = False):
        clock, seen = Clock(), []

        def look(trainer, plan, folder, step, metrics) -> bool:
            clock.now_s += costs
            if broken:
                raise OSError("disk full")
            seen.append(step)
            return True

        monkeypatch.setattr(inside, "look_inside", look)
        plan = small_plan(f"inside_s={every_s}")
        return Inside(None, plan, RunFolder(tmp_path), None, clock), clock, seen  # type: ignore

    return make


def test_looks_come_after_each_interval_and_at_the_end(looks) -> None:
    watching, clock, seen = looks(600, costs=2.0)
    assert not watching.look_if_due(1)
    clock.now_s += 599
    assert not watching.look_if_due(2)
    clock.now_s += 1
    assert watching.look_if_due(3) and not watching.look_if_due(4)
    clock.now_s += 600
    assert watching.look_if_due(5)
    clock.now_s += 29
    assert not watching.last(6)  # it looked a moment ago
    clock.now_s += 1
    assert watching.last(7)
    assert seen == [3, 5, 7]


def test_a_look_that_took_long_puts_off_the_next(looks) -> None:
    watching, clock, seen = looks(10, costs=3.0)
    clock.now_s += 10
    assert watching.look_if_due(1)
    clock.now_s += 299
    assert not watching.look_if_due(2)
    clock.now_s += 1
    assert watching.look_if_due(3)
    assert seen == [1, 3]


def test_zero_looks_never(looks) -> None:
    watching, clock, seen = looks(0)
    clock.now_s += 1e6
    assert not watching.look_if_due(1) and not watching.last(2)
    assert seen == []


def test_a_full_disk_costs_the_look_and_not_the_run(looks, caplog) -> None:
    watching, clock, _ = looks(10, broken=True)
    clock.now_s += 10
    assert not watching.look_if_due(1)
    assert "disk full" in caplog.text


def test_the_usual_interval_is_left_out_of_a_plan_and_another_one_is_kept(tmp_path: Path) -> None:
    assert "inside_s" not in small_plan().as_dict()["settings"]
    asked = small_plan("inside_s=5")
    folder = RunFolder(tmp_path / "run")
    folder.claim(asked)
    assert folder.read_plan() == asked and folder.read_plan().settings.inside_s == 5
    assert small_plan().settings.inside_s == 600


def test_there_is_nothing_inside_a_run_without_a_checkpoint(tmp_path: Path) -> None:
    plan = small_plan()
    folder = RunFolder(tmp_path / "run")
    folder.claim(plan)
    assert not look_at_run(folder, tmp_path / "inside")
    assert not (tmp_path / "inside").exists()


def trained(run: Path, *sets: str) -> Path:
    """A point mass's run of 180 steps, of which updates are made after 60."""
    settings = small_plan().settings.model_dump()
    keys = ("units", "deter", "stoch", "classes", "bins", "batch", "length", "layers", "prefill")
    words = [f"learner.{k}={settings[k]}" for k in (*keys, "pretrain", "steps_per_update")]
    words += ["learner.mirror=false", *sets]
    said = ["train", str(POINT_MASS), "--twin", "mujoco", "--clock", "lockstep", "--steps", "180"]
    assert cli.main([*said, "--run", str(run), *(w for c in words for w in ("--set", c))]) == 0
    return run


@pytest.mark.slow
def test_a_run_that_is_looked_into_learns_bit_for_bit_the_same(tmp_path: Path) -> None:
    seen = trained(tmp_path / "seen", "learner.inside_s=0.001")
    unseen = trained(tmp_path / "unseen", "learner.inside_s=0")
    told = json.loads((seen / "inside/inside.json").read_text())
    assert told["updates"] >= 1 and not (unseen / "inside").exists()
    mine, others = (list(LogReader(run / "log", LOG_NAME).transitions()) for run in (seen, unseen))
    assert len(mine) == len(others) == 180
    for a, b in zip(mine, others, strict=True):
        assert a.weights_version == b.weights_version
        assert all(np.array_equal(a.arrays[key], b.arrays[key]) for key in a.arrays)
    one, two = (Checkpoints(run / "checkpoints").load() for run in (seen, unseen))
    assert one and two and one[1].keys() == two[1].keys()
    assert all(torch.equal(one[1][key], two[1][key]) for key in one[1])

    assert look_at_run(RunFolder(seen), tmp_path / "later")
    later = json.loads((tmp_path / "later/inside.json").read_text())
    assert later["step"] == 179 and later["updates"] > told["updates"]
    assert math.isfinite(later["errors"]["joint_pos"]["foretold"][0])


def test_pictures_reach_tensorboard_as_they_were_written(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    greys = [np.full((24, 40, 3), shade, np.uint8) for shade in (0, 90, 200)]
    film_bytes = write_gif(tmp_path / "eye.gif", greys, 10.0).read_bytes()
    with Metrics(tmp_path / "events", SteppedClock()) as metrics:
        metrics.show("inside/eye.gif", film_bytes, 40)
    read = EventAccumulator(str(tmp_path / "events"))
    read.Reload()
    (event,) = read.Images("inside/eye.gif")
    assert event.encoded_image_string == film_bytes and event.step == 40
    assert (event.width, event.height) == (40, 24)
