"""Films: mp4 that can be read back, gif where there is no encoder, and readable captions."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from launch import video
from launch.video import captioned, write_gif, write_video

SIZE = (120, 480)


def pictures(count: int) -> list[np.ndarray]:
    """A white bar that moves from left to right, on orange."""
    frames = []
    for i in range(count):
        frame = np.full((*SIZE, 3), (200, 100, 0), np.uint8)
        frame[:, 10 * i : 10 * i + 20] = 255
        frames.append(frame)
    return frames


def test_a_film_holds_every_picture_in_its_colours(tmp_path: Path):
    path = write_video(tmp_path / "film", iter(pictures(30)), SIZE, 20.0)
    assert path == tmp_path / "film.mp4"
    reader = cv2.VideoCapture(str(path))
    seen = [reader.read()[1] for _ in range(30)]
    assert not reader.read()[0] and reader.get(cv2.CAP_PROP_FPS) == 20.0
    blue, green, red = seen[0][60, 400]
    assert red > 150 and 50 < green < 150 and blue < 60
    assert seen[20][60, 210].min() > 200 > seen[20][60, 60].min()


def test_without_an_mp4_encoder_it_becomes_a_gif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class NoEncoder:  # OpenCV's own class must not have subclasses: Python 3.12 would crash
        fourcc = staticmethod(cv2.VideoWriter.fourcc)

        def __init__(self, *_: object) -> None: ...

        def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
            return False

    monkeypatch.setattr(video.cv2, "VideoWriter", NoEncoder)
    path = write_video(tmp_path / "film", iter(pictures(30)), SIZE, 20.0)
    assert path == tmp_path / "film.gif" and [p.name for p in tmp_path.iterdir()] == ["film.gif"]
    assert path.read_bytes()[:6] == b"GIF89a"


def test_a_gif_is_small_and_keeps_its_pace(tmp_path: Path):
    write_gif(tmp_path / "film.gif", iter(pictures(30)), 20.0)
    found, animation = cv2.imreadanimation(str(tmp_path / "film.gif"))
    assert found and len(animation.frames) == 15
    assert animation.frames[0].shape[:2] == (80, 320)
    assert set(np.ravel(animation.durations).tolist()) == {100}


def test_a_film_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path):
    with pytest.raises(OSError, match="none"):
        write_video(tmp_path / "none" / "film", iter(pictures(3)), SIZE, 20.0)


def test_a_caption_lies_on_a_dark_band_and_leaves_the_rest_alone():
    picture = pictures(1)[0]
    done = captioned(picture, ["reward 9.00", "up 1.00"])
    assert done.shape == picture.shape and picture[0, 470].tolist() == [200, 100, 0]
    assert done[0, 470].tolist() == [66, 33, 0]
    band = done[:35, 20:]
    assert (band.min(axis=2) > 200).sum() > 100  # white letters
    np.testing.assert_array_equal(done[40:], picture[40:])
