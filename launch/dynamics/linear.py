"""Models as simple as can be: nothing changes, and changes that are linear in the last steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from launch.dynamics.series import Series
from robot.config import ConfigError

# Penalties of ridge regression on standardised numbers that are tried.
PENALTIES = (0.1, 1.0, 10.0, 100.0)


@dataclass(frozen=True)
class Persistence:
    """Believes that nothing changes."""

    def foretell(self, states: np.ndarray, actions: np.ndarray, horizon: int) -> np.ndarray:
        """States (B, H, n) after the context (B, C, n); see `Linear.foretell`."""
        return np.repeat(states[:, -1:], horizon, axis=1)


@dataclass(frozen=True)
class Linear:
    """Change of the state over one step, linear in the last states and actions.

        x[t+1] - x[t] = W (1, x[t], a[t], x[t-1], a[t-1], ...)

    Args:
        history: states and actions that are looked at.
        weights: (1 + history (n + A), n) of standardised numbers.
        state: mean and deviation (2, n).
        action: mean and deviation (2, A).
    """

    history: int
    weights: np.ndarray
    state: np.ndarray
    action: np.ndarray

    def foretell(self, states: np.ndarray, actions: np.ndarray, horizon: int) -> np.ndarray:
        """Follow actions open loop, each prediction made from those before it.

        Args:
            states: (B, C, n) of the context, C at least the history.
            actions: (B, C - 1 + H, A); the action of index C - 1 is taken in the last of `states`.
            horizon: H.

        Returns:
            (B, H, n) what follows on the context.
        """
        seen = (states - self.state[0]) / self.state[1]
        done = (actions - self.action[0]) / self.action[1]
        last, now = [seen[:, -1 - j] for j in range(self.history)], states.shape[1] - 1
        told = []
        for t in range(now, now + horizon):
            recent = [part for j in range(self.history) for part in (last[j], done[:, t - j])]
            inputs = np.concatenate([np.ones((len(seen), 1)), *recent], 1)
            last = [last[0] + inputs @ self.weights, *last[:-1]]
            told.append(last[0])
        return np.stack(told, 1) * self.state[1] + self.state[0]


def fit(series: Series, end: int, history: int, penalty: float) -> Linear:
    """Ridge regression on the steps before `end`.

    Args:
        series: what happened.
        end: number of steps to learn from.
        history: states and actions that are looked at.
        penalty: on squared weights, with numbers that are standardised; the constant goes free.
    """
    state, action = _scales(series.state[:end]), _scales(series.action[:end])
    starts = series.starts(history + 1, 0, end)
    seen, done = series.windows(starts, history + 1)
    seen, done = (seen - state[0]) / state[1], (done - action[0]) / action[1]
    parts = [part[:, history - 1 - j] for j in range(history) for part in (seen, done)]
    inputs = np.concatenate([np.ones((len(starts), 1)), *parts], 1)
    change = seen[:, history] - seen[:, history - 1]
    free = np.full(inputs.shape[1], penalty)
    free[0] = 0
    weights = np.linalg.solve(inputs.T @ inputs + np.diag(free), inputs.T @ change)
    return Linear(history, weights, state, action)


def _scales(values: np.ndarray) -> np.ndarray:
    deviation = values.std(0)
    return np.stack([values.mean(0), np.where(deviation > 0, deviation, 1.0)])


def choose(
    series: Series, ends: tuple[int, int], history: int, horizon: int
) -> tuple[Linear, float]:
    """The linear model whose penalty foretells best what it has not learnt from, and the penalty.

    Args:
        series: what happened.
        ends: learnt from while choosing; and, once chosen, in all.
        history: states and actions that are looked at.
        horizon: steps to foretell.

    Raises:
        ConfigError: when too few steps are held back.
    """
    (first, end), length = ends, history + horizon
    starts = series.starts(length, max(0, first - history), end)
    if not len(starts):
        raise ConfigError(f"too few steps are held back to foretell {horizon} of them")
    states, actions = series.windows(starts, length)
    scale = series.state[:first].std(0) + 1e-12
    errors = {}
    for penalty in PENALTIES:
        told = fit(series, first, history, penalty).foretell(states[:, :history], actions, horizon)
        errors[penalty] = float(np.square((told - states[:, history:]) / scale).mean())
    best = min(errors, key=lambda penalty: errors[penalty])
    return fit(series, end, history, best), best
