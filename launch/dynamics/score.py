"""How far predictions lie from what happened: per kind of joint and horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from launch.dynamics.series import Group

HORIZONS_S = (0.02, 0.1, 1.0)


@dataclass(frozen=True)
class Test:
    """What is to be foretold.

    Args:
        states: (B, C + H, n) truth, the context and what follows on it.
        actions: (B, C + H, A).
        context: C.
        hz: steps per second.
        mean: (n,) of the steps that were learnt from.
    """

    states: np.ndarray
    actions: np.ndarray
    context: int
    hz: float
    mean: np.ndarray

    @property
    def horizon(self) -> int:
        """H."""
        return self.states.shape[1] - self.context

    @property
    def future(self) -> np.ndarray:
        """(B, H, n)."""
        return self.states[:, self.context :]

    @property
    def now(self) -> np.ndarray:
        """(B, 1, n) the last state that is known."""
        return self.states[:, self.context - 1 : self.context]

    def steps(self, seconds: float) -> int:
        """Steps, 1 or more, that come nearest to a time."""
        return max(1, round(seconds * self.hz))


def rmse(test: Test, told: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    """Root of the mean squared error by horizon, (H,), of some columns of told (B, H, n)."""
    return np.sqrt(_squares(told, test.future, columns))


def _squares(told: np.ndarray, truth: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    chosen = list(columns)
    return np.square(told[..., chosen] - truth[..., chosen]).mean((0, 2))


def score(test: Test, told: np.ndarray, group: Group) -> dict[str, dict[str, float]]:
    """Figures of one group by horizon.

    * rmse: in the group's unit.
    * explained: 1 - squared error / squared distance from the mean of what was learnt from.
    * explained_change: 1 - squared error / squared change since the last known state; this is 0
      for believing that nothing changes.
    """
    error = _squares(told, test.future, group.columns)
    away = _squares(np.broadcast_to(test.mean, told.shape), test.future, group.columns)
    change = _squares(np.broadcast_to(test.now, told.shape), test.future, group.columns)
    figures = {}
    for seconds in HORIZONS_S:
        h = test.steps(seconds) - 1
        if h < test.horizon:
            figures[f"{seconds:g} s"] = {
                "rmse": round(float(np.sqrt(error[h])), 5),
                "explained": round(float(1 - error[h] / away[h]), 4),
                "explained_change": round(float(1 - error[h] / change[h]), 4),
            }
    return figures
