"""What environments draw of themselves while policies are tried in them: films and frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from launch.beside import TILE, as_webp, grid
from launch.video import captioned
from launch.worlds import EnvironmentWorld

MOST = 600  # pictures that are kept of an episode
FRAMES = 8
BAND = 22  # pixels above a picture, for words
ABOVE = ((BAND, 0), (0, 0), (0, 0))


@dataclass
class Onlooker:
    """Keeps pictures of the first episode that it sees, as far as the environment draws itself.

    Attributes:
        pictures: (h, w, 3) RGB bytes of each step, all of a film's tile.
    """

    pictures: list[np.ndarray] = field(default_factory=list)
    _over: bool = False
    _earned: float = 0.0

    def __call__(self, world: EnvironmentWorld, arrays: Mapping[str, np.ndarray]) -> None:
        """Look at a world after a step that showed these arrays."""
        picture = None if self._over or len(self.pictures) >= MOST else world.picture()
        if picture is None:
            self._over = True
            return
        self._earned += float(arrays["reward"])
        self._over = bool(arrays["is_last"])
        said = f"step {len(self.pictures)}   return {self._earned:.1f}"
        small = fitted(picture, (TILE[0] - BAND, TILE[1]))
        self.pictures.append(captioned(np.pad(small, ABOVE), [said]))


def fitted(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture (H, W, 3) as large as fits into (h, w, 3), its proportions kept, black around."""
    scale = min(size[0] / picture.shape[0], size[1] / picture.shape[1])
    height, width = (max(1, round(scale * length)) for length in picture.shape[:2])
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=kind)
    done = np.zeros((*size, 3), np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    done[top : top + height, left : left + width] = small
    return done


def side_by_side(tiles: Mapping[str, Sequence[np.ndarray]]) -> Iterator[np.ndarray]:
    """Episodes beside each other under their names, (H, W, 3); shorter ones stay as they ended."""
    for place in range(max(map(len, tiles.values()))):
        shown = {name: pictures[min(place, len(pictures) - 1)] for name, pictures in tiles.items()}
        yield grid([captioned(np.pad(picture, ABOVE), [name]) for name, picture in shown.items()])


def frames_of_episode(pictures: Sequence[np.ndarray], hz: float) -> list[tuple[str, bytes]]:
    """Frames of an episode, evenly spread: when, and the picture as WebP."""
    steps = np.linspace(0, len(pictures) - 1, min(FRAMES, len(pictures))).round().astype(int)
    return [(f"{step / hz:.1f} s", as_webp(pictures[step])) for step in steps]
