"""Pictures in an mp4 file, with PyAV: small, or exact to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av  # pyright: ignore[reportMissingImports]
import numpy as np
from av.error import FFmpegError  # pyright: ignore[reportMissingImports]

# A key frame every second picture, as LeRobot writes them, so that any is found quickly
# (LeRobot 0.4.4, datasets/video_utils.py). Quality 20 of 0 to 51 is hard to tell from the original.
# Pictures lie in the order of showing (no B-frames), which players without ffmpeg need.
EVERY = {"g": "2", "bf": "0"}
SMALL = {**EVERY, "crf": "20"}
EXACT = {**EVERY, "qp": "0", "preset": "veryfast"}


class Film:
    """A film that is being written, in H.264.

    Args:
        path: of the mp4 file.
        hz: pictures per second.
        size: (H, W) of each.
        exact: whether every byte comes back; several times larger.
    """

    def __init__(self, path: Path, hz: float, size: tuple[int, int], exact: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.count = path, 0
        self._file = av.open(str(path), "w")
        rate = Fraction(hz).limit_denominator(100_000)
        options = EXACT if exact else SMALL
        codec = "libx264rgb" if exact else "libx264"
        self._stream: Any = self._file.add_stream(codec, rate=rate, options=options)
        self._stream.height, self._stream.width = size
        even = not any(side % 2 for side in size)
        self._stream.pix_fmt = "rgb24" if exact else "yuv420p" if even else "yuv444p"

    def add(self, picture: np.ndarray) -> None:
        """Append one (H, W, 3) or (H, W, 1) picture of bytes."""
        full = np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))
        frame = av.VideoFrame.from_ndarray(full, format="rgb24")
        frame.pts = self.count
        frame.time_base = 1 / self._stream.codec_context.framerate
        self._file.mux(self._stream.encode(frame))
        self.count += 1

    def close(self) -> None:
        """Finish the file; safe to call twice."""
        if self._stream is not None:
            self._file.mux(self._stream.encode())
            self._file.close()
            self._stream = None


def frames(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Pictures of a film with their times: s from its beginning, (H, W, 3) bytes.

    Raises:
        OSError: when the file cannot be read as a film.
    """
    try:
        with av.open(str(path)) as file:
            for frame in file.decode(video=0):
                yield float(frame.time or 0.0), frame.to_ndarray(format="rgb24")
    except FFmpegError as error:
        raise OSError(f"{path}: cannot be read as a film: {error}") from error


def describe(path: Path) -> dict[str, Any]:
    """What LeRobot notes of a film."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        rate = stream.average_rate or Fraction(0)
        return {
            "video.height": stream.height,
            "video.width": stream.width,
            "video.codec": stream.codec.canonical_name,
            "video.pix_fmt": stream.pix_fmt,
            "video.is_depth_map": False,
            "video.fps": int(rate) if rate.denominator == 1 else float(rate),
            "video.channels": 3,
            "has_audio": False,
        }
