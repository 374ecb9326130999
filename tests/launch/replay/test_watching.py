"""Watching a log: in the terminal, as a film, with what the model thinks of it."""

from __future__ import annotations

import io
import shutil
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from launch import cli
from launch.replay.footage import make_painter
from launch.replay.lives import read_lives
from launch.replay.minds import CONTEXT, Mind, read_mind
from launch.replay.moments import moments, views
from launch.replay.panels import blocks, panel
from launch.replay.poses import posed, upright
from launch.replay.strips import draw_strips
from robot.config import load_config

A1 = load_config("hardware_configs/a1.yaml")


def test_the_terminal_shows_the_last_step(run: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["replay", str(run), "--speed", "0"]) == 0
    said = capsys.readouterr().out
    assert "in all" in said and "nats" in said and "point_mass" in said


def test_a_film_shows_what_was_seen_and_imagined(seeing: Path, tmp_path: Path):
    words = ["replay", str(seeing), "--show", "video", "--out", str(tmp_path)]
    assert cli.main(words) == 0
    (path,) = tmp_path.iterdir()
    film = cv2.VideoCapture(str(path))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) >= 40
    width, height = film.get(cv2.CAP_PROP_FRAME_WIDTH), film.get(cv2.CAP_PROP_FRAME_HEIGHT)
    assert width == 2 * 240 + 400 and height == 240 + 22  # seen, imagined, strips


def test_a_camera_that_the_policy_does_not_observe_is_shown_beside_imagined_poses(
    glancing: Path, tmp_path: Path
):
    life = read_lives(glancing)[0]
    shown = list(moments(life, glancing))
    with closing(make_painter(life, 48)) as painter:
        late = views(shown[-1], painter)
    assert list(late) == ["front", "as felt", f"imagined, {shown[-1].thought.ahead} ahead"]
    assert late["front"].shape == (64, 64, 3) and late["as felt"].shape == (48, 48, 3)
    # Pictures follow the robot: what is shown at the end was not seen at the beginning.
    pictures = [moment.seen["front"] for moment in shown if moment.seen]
    assert len(pictures) >= len(shown) - 3 and (pictures[0] != pictures[-1]).any()


def test_a_terminal_shows_pictures_of_half_blocks(seeing: Path):
    life = read_lives(seeing)[0]
    moment = next(moments(life, seeing))
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=100)
    with closing(make_painter(life, 48)) as painter:
        console.print(panel(life.any_plan, moment, views(moment, painter), [1.0]))
    said = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert said.count("▀") == 2 * 32 * 16 and "front as understood" in said


def test_half_blocks_hold_two_rows_of_a_picture():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[2:] = (200, 10, 30)
    text = blocks(picture, 4)
    assert text.plain == "▀▀▀▀\n▀▀▀▀\n"
    styles = [str(span.style) for span in text.spans]
    assert set(styles[:4]) == {"#000000 on #000000"} and set(styles[4:]) == {"#c80a1e on #c80a1e"}


def test_an_environment_lives_its_episodes_again(tmp_path: Path, small: tuple[str, ...]):
    words = [w for change in small for w in ("--set", change)]
    maze = ["train", "gym:reverie/Maze-v0", "--steps", "150", "--run", str(tmp_path)]
    assert cli.main([*maze, *words]) == 0
    life = read_lives(tmp_path)[0]
    with closing(make_painter(life, 48)) as painter:
        drawn = [painter.paint(step) for step in life.steps()]
    assert all(picture is not None for picture in drawn)
    assert any((one != drawn[0]).any() for one in drawn[1:])
    assert cli.main(["replay", str(tmp_path), "--speed", "0"]) == 0


def test_without_a_checkpoint_the_log_alone_is_shown(
    legs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(legs / "log", tmp_path / "log")
    assert cli.main(["replay", str(tmp_path), "--speed", "0"]) == 0
    said = capsys.readouterr().out
    assert "nats" not in said and "joints" in said


def test_imagination_leaves_what_was_seen_after_its_context(seeing: Path):
    life = read_lives(seeing)[0]
    agent = read_mind(seeing, life.plan)
    assert agent is not None
    steps = list(life.steps())[:20]
    told = list(Mind(agent).follow(steps))
    assert [thought.ahead for thought in told[:CONTEXT]] == [0] * CONTEXT
    assert [thought.ahead for thought in told[CONTEXT:]] == list(range(1, 16))
    assert all(thought.surprise >= -1e-6 and np.isfinite(thought.value) for thought in told)
    assert told[0].imagined["image_front"].shape == steps[0].arrays["image_front"].shape


def test_a_turned_trunk_is_drawn_turned():
    for up in np.random.default_rng(0).normal(size=(20, 3)):
        up /= np.linalg.norm(up)
        w, x, y, z = upright(up)
        third = [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]
        assert third == pytest.approx(up, abs=1e-6)  # the world's up axis, in the body's frame
    assert upright(np.array([0.0, 0.0, -1.0])) == pytest.approx([0, 1, 0, 0])


def test_a_standing_robot_is_drawn_at_its_height():
    stand = np.array([A1.poses["stand"][joint] for joint in A1.joints])
    state = posed(A1, {"joint_pos": stand, "gravity": np.array([0.0, 0.0, 1.0])})
    assert 0.2 < state[2] < 0.35 and state[3:7] == pytest.approx([1, 0, 0, 0])


def test_the_line_of_now_moves_along():
    strips = draw_strips({"one": np.arange(10.0), "none": np.full(10, np.nan)}, 20.0, 240)
    pictures = [strips.at(step) for step in (0, 9)]
    columns = [int(np.argmax((p == (220, 60, 40)).all(-1).all(0))) for p in pictures]
    assert pictures[0].shape == (240, strips.width, 3)
    assert 0 < columns[0] < strips.width / 3 and columns[1] > 2 * strips.width / 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--life", "7"], "--life 7: allowed is -2 to 1"),
        (["--speed", "-1"], "--speed -1: allowed is 0"),
        (["--speed", "nan"], "--speed nan: allowed is 0"),
        (["--mode", "listen"], "listen"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
):
    assert cli.main(["replay", str(run), *words]) == 2
    assert said in capsys.readouterr().err
