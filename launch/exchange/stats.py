"""Statistics of a data set's columns, gathered an episode at a time in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np

QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
ROWS_KEPT = 10_000
PICTURES_LOOKED_AT = 1000


class Stats:
    """Least, greatest, mean, deviation and quantiles of each number of a column.

    Quantiles are those of at most ten thousand rows, evenly spaced; the rest counts every row.

    Args:
        rows: how many there will be.
    """

    def __init__(self, rows: int) -> None:
        self._stride = -(-rows // ROWS_KEPT)
        self._count = 0
        self._mean: np.ndarray | float = 0.0
        self._squares: np.ndarray | float = 0.0  # sum of squared deviations from the mean
        self._low: np.ndarray | float = np.inf
        self._high: np.ndarray | float = -np.inf
        self._kept: list[np.ndarray] = []

    def add(self, values: np.ndarray) -> None:
        """Take in rows (T, K), combined as by Chan, Golub and LeVeque (1979), eq. 2.1."""
        rows = values.astype(np.float64)
        before, count = self._count, len(rows)
        total = before + count
        with np.errstate(invalid="ignore"):  # a figure of what is not finite is not finite
            mean = rows.mean(0)
            shift, within = mean - self._mean, ((rows - mean) ** 2).sum(0)
            self._squares = self._squares + within + shift**2 * before * count / total
            self._mean = self._mean + shift * count / total
        self._low = np.minimum(self._low, rows.min(0))
        self._high = np.maximum(self._high, rows.max(0))
        self._kept.append(rows[-before % self._stride :: self._stride])
        self._count = total

    def report(self) -> dict[str, Any]:
        """Figures as LeRobot names them, JSON-ready, K numbers each."""
        kept = np.concatenate(self._kept)
        with np.errstate(invalid="ignore"):
            ranks = {name: np.quantile(kept, q, axis=0) for name, q in QUANTILES.items()}
        spread = np.sqrt(self._squares / self._count)
        figures = {"min": self._low, "max": self._high, "mean": self._mean, "std": spread, **ranks}
        return {**{k: np.asarray(v).tolist() for k, v in figures.items()}, "count": [self._count]}


class PictureStats:
    """The same of each channel of pictures, whose bytes count as 0 to 1; of a thousand of them.

    Args:
        pictures: how many there will be.
    """

    def __init__(self, pictures: int) -> None:
        self._stride = -(-pictures // PICTURES_LOOKED_AT)
        self._seen = self._looked_at = 0
        self._counts: np.ndarray | None = None

    def add(self, picture: np.ndarray) -> None:
        """Take in one (H, W, C) picture of bytes."""
        self._seen += 1
        if (self._seen - 1) % self._stride:
            return
        if self._counts is None:
            self._counts = np.zeros((picture.shape[2], 256), np.int64)
        for channel, counts in enumerate(self._counts):
            counts += np.bincount(picture[..., channel].ravel(), minlength=256)
        self._looked_at += 1

    def report(self) -> dict[str, Any]:
        """Figures as LeRobot names them, JSON-ready, (C, 1, 1) each."""
        assert self._counts is not None
        each = [_of_bytes(counts) for counts in self._counts]
        figures = {name: [[[one[name]]] for one in each] for name in each[0]}
        return {**figures, "count": [self._looked_at]}


def _of_bytes(counts: np.ndarray) -> dict[str, float]:
    """Figures of bytes that come up so often, (256,)."""
    value = np.arange(256) / 255
    there = np.flatnonzero(counts)
    share = counts / counts.sum()
    mean = float(value @ share)
    reached = np.cumsum(share)
    return {
        "min": float(value[there[0]]),
        "max": float(value[there[-1]]),
        "mean": mean,
        "std": float(np.sqrt((value - mean) ** 2 @ share)),
        **{
            name: float(value[min(255, np.searchsorted(reached, q))])
            for name, q in QUANTILES.items()
        },
    }
