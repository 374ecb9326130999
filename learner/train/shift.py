"""Pictures moved by whole pixels at random, so that where a camera stands is not learnt by heart.

DrQ-v2 (arXiv 2107.09645, section 3.1) shifts by up to 4 pixels of 84.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from robot.config import ConfigError
from robot.wire.spec import Spec


class RandomShift:
    """Pads pictures by repeating their edges and crops them at a random place, of their own size.

    One offset belongs to a whole chunk and to all of its pictures, so that what moves in them, and
    their distances, stay true. DrQ-v2 draws one for every frame stack, for it has no sequences.

    Args:
        observation: spec of each key that is learnt from; its pictures are (H, W, C).
        pixels: pad on every side, from 1; offsets are whole, within -pixels and pixels.

    Raises:
        ConfigError: where there is no picture, or none of it would be left.
    """

    def __init__(self, observation: Mapping[str, Spec], pixels: int) -> None:
        self.keys = tuple(key for key, spec in observation.items() if spec.is_image)
        if not self.keys:
            raise ConfigError(
                f"shift {pixels}: there is no picture among {', '.join(observation)}; allowed is 0"
            )
        most = min(size for key in self.keys for size in observation[key].shape[:2]) - 1
        if pixels > most:
            raise ConfigError(f"shift {pixels}: allowed is 0 to {most}, by the smallest picture")
        self.pixels = pixels

    def __call__(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """(B, T, ...) -> the same with the pictures of each row moved."""
        rows = batch[self.keys[0]].shape[0]
        offsets = torch.randint(-self.pixels, self.pixels + 1, (rows, 2))
        return {**batch, **{key: moved(batch[key], offsets) for key in self.keys}}


def moved(pictures: Tensor, offsets: Tensor) -> Tensor:
    """Pictures as seen through a frame that was moved; what was not seen repeats the edge.

    Args:
        pictures: (B, T, H, W, C).
        offsets: (B, 2) whole pixels, down and to the right.

    Returns:
        (B, T, H, W, C), where [b, t, y, x] is what was at [b, t, y + down, x + right].
    """
    rows, length, height, width = pictures.shape[:4]
    y = (torch.arange(height) + offsets[:, :1]).clamp(0, height - 1)  # (B, H)
    x = (torch.arange(width) + offsets[:, 1:]).clamp(0, width - 1)
    b, t = torch.arange(rows)[:, None, None, None], torch.arange(length)[:, None, None]
    return pictures[b, t, y[:, None, :, None], x[:, None, None, :]]
