"""Pictures in a row as a film: mp4 where this computer's OpenCV can write it, else gif."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

GIF_HZ = 10.0
GIF_WIDTH = 320


def write_video(
    stem: Path, pictures: Iterable[np.ndarray], size: tuple[int, int], hz: float
) -> Path:
    """Write a film and make sure that it can be read back.

    Args:
        stem: its path without the suffix, which is .mp4 or .gif.
        pictures: (H, W, 3) RGB bytes each.
        size: (H, W) of each.
        hz: pictures per second.

    Returns:
        The file's path.

    Raises:
        OSError: when the file cannot be read back as a film.
    """
    return _write(stem.with_suffix(".mp4"), "mp4v", pictures, size, hz)


def write_web_video(
    stem: Path, pictures: Iterable[np.ndarray], size: tuple[int, int], hz: float
) -> Path:
    """Write a film that browsers play: WebM with VP8 where OpenCV can write it, else gif.

    Args:
        stem: its path without the suffix, which is .webm or .gif.
        pictures: (H, W, 3) RGB bytes each; H and W must be even.
        size: (H, W) of each.
        hz: pictures per second.

    Raises:
        OSError: when the file cannot be read back as a film.
    """
    return _write(stem.with_suffix(".webm"), "VP80", pictures, size, hz)


def write_gif(path: Path, pictures: Iterable[np.ndarray], hz: float) -> Path:
    """Write an animation of at most ten small pictures per second.

    Raises:
        OSError: when the file cannot be written.
    """
    skip = max(1, round(hz / GIF_HZ))
    frames = [Image.fromarray(_small(p)) for i, p in enumerate(pictures) if i % skip == 0]
    each_ms = round(1000 * skip / hz)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=each_ms, loop=0)
    return path


def captioned(picture: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """A copy of a picture (H, W, 3) with lines of text on a dark band at its top."""
    done = picture.copy()
    step = max(14, picture.shape[0] // 22)
    band = done[: step * len(lines) + step // 2]
    band[:] = band // 3
    for row, line in enumerate(lines, start=1):
        place = (step // 2, row * step)
        font, size = cv2.FONT_HERSHEY_SIMPLEX, step / 34
        cv2.putText(done, line, place, font, size, (255, 255, 255), 1, cv2.LINE_AA)
    return done


def _write(
    path: Path, code: str, pictures: Iterable[np.ndarray], size: tuple[int, int], hz: float
) -> Path:
    height, width = size
    with _hushed():
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), hz, (width, height))
    if not writer.isOpened():
        path.unlink(missing_ok=True)
        return write_gif(path.with_suffix(".gif"), pictures, hz)
    for picture in pictures:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    writer.release()
    _check(path, size)
    return path


@contextmanager
def _hushed() -> Iterator[None]:
    """Nothing on stderr: OpenCV's library warns there of a WebM's tag, past every log level."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _small(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    if width <= GIF_WIDTH:
        return picture
    size = (GIF_WIDTH, round(height * GIF_WIDTH / width))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _check(path: Path, size: tuple[int, int]) -> None:
    reader = cv2.VideoCapture(str(path))
    found, picture = reader.read()
    reader.release()
    if not found or picture.shape[:2] != size:
        raise OSError(f"{path}: written, but it cannot be read back")
