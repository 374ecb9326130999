"""Pictures that a world model foretold, beside the truth and their difference: films and strips.

As in Dreamer (arXiv 1912.01603, figure 4) and its successors: three rows, one episode per column.
Green frames the pictures that the model decodes where it still sees, orange those that it dreams.
Grey in the difference means that there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from learner.model.open_loop import Foretold

ROWS = ("truth", "model", "difference")
SEES, DREAMS = (70, 180, 90), (255, 150, 40)
GAP, MARGIN, BAND = 4, 92, 22  # pixels
STRIDE = 5  # steps between two pictures of a strip


class Column(NamedTuple):
    """A column of a sheet: the colour that frames what the model made, and what stands above."""

    colour: tuple[int, int, int]
    name: str = ""


def pictures_of(found: Foretold) -> list[str]:
    """Keys that are pictures."""
    return sorted(key for key, value in found.truth.items() if value.ndim == 5)


def film(found: Foretold, key: str, hz: float, episodes: int = 5) -> Iterator[np.ndarray]:
    """Draw step by step, several episodes side by side and twice as large, (H, W, 3) RGB bytes.

    Args:
        found: what was foretold.
        key: of the picture.
        hz: steps per second.
        episodes: how many.
    """
    panes = _panes(found, key, episodes).repeat(2, 3).repeat(2, 4)
    for t in range(panes.shape[2]):
        ahead = t - found.context + 1
        said = f"{key}   dreams, {ahead / hz:.2f} s ahead" if ahead > 0 else f"{key}   sees"
        columns = [Column(DREAMS if ahead > 0 else SEES)] * panes.shape[1]
        yield _sheet(panes[:, :, t], columns, said)


def strip(found: Foretold, key: str, hz: float, episodes: int = 3) -> np.ndarray:
    """Draw some episodes one above the other, (H, W, 3) RGB bytes.

    Time goes to the right; seconds count from the last step that the model saw.
    """
    panes, start = _panes(found, key, episodes), found.context
    shown = sorted({0, start - 1, start, *range(start - 1 + STRIDE, panes.shape[2], STRIDE)})
    columns = [
        Column(SEES if t < start else DREAMS, f"{(t - start + 1) / hz:.2f} s") for t in shown
    ]
    sheets = [_sheet(panes[:, row, shown], columns, key) for row in range(panes.shape[1])]
    return np.concatenate(sheets)


def colour(pictures: np.ndarray) -> np.ndarray:
    """(..., H, W, C) -> (..., H, W', 3): three channels as colours, each further one beside them.

    A single channel is grey, and so is what comes after colours, such as distance.
    """
    channels = pictures.shape[-1]
    coloured = 3 if channels >= 3 else 0
    parts = [pictures[..., :3]] if coloured else []
    parts += [np.repeat(pictures[..., [c]], 3, -1) for c in range(coloured, channels)]
    return np.concatenate(parts, -2)


def _panes(found: Foretold, key: str, count: int) -> np.ndarray:
    """(3, N, T, H, W, 3) bytes of truth, model and difference; dark where an episode is over."""
    truth = found.truth[key][:count].numpy()
    seen, dreamt = found.seen[key][:count, : found.context], found.futures[key][:count, 0]
    model = np.concatenate([seen.numpy(), dreamt.numpy()], 1)
    panes = np.stack([truth, model, (model - truth + 1) / 2]).clip(0, 1)
    over = ~found.live[:count].numpy()
    panes[:, :, found.context :][:, over] *= 0.25
    return colour((255 * panes).round().astype(np.uint8))


def _sheet(panes: np.ndarray, columns: list[Column], said: str) -> np.ndarray:
    """(3, N, H, W, 3) side by side with names of rows, framed models and a line of text."""
    height, width = panes.shape[2] + GAP, panes.shape[3] + GAP
    sheet = np.full((BAND + 3 * height, MARGIN + len(columns) * width, 3), 24, np.uint8)
    for row, name in enumerate(ROWS):
        top = BAND + row * height
        _write(sheet, name, (GAP, top + height // 2))
        for place, column in enumerate(columns):
            left = MARGIN + place * width
            if name == "model":
                sheet[top - GAP // 2 : top + height - GAP // 2, left - GAP // 2 :][:, :width] = (
                    column.colour
                )
            sheet[top : top + height - GAP, left : left + width - GAP] = panes[row, place]
    for place, column in enumerate(columns):
        _write(sheet, column.name, (MARGIN + place * width, BAND - 7))
    _write(sheet, said, (GAP, BAND - 7))
    # Films want an even number of rows and columns.
    return sheet[: len(sheet) // 2 * 2, : sheet.shape[1] // 2 * 2]


def _write(sheet: np.ndarray, said: str, place: tuple[int, int]) -> None:
    white = (235, 235, 235)
    cv2.putText(sheet, said, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, white, 1, cv2.LINE_AA)
