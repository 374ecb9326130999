"""Means with intervals: how far a figure could move, had other seeds and episodes been drawn.

Percentile bootstrap (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13). With
several runs it has two levels: runs are drawn with replacement, then episodes within each drawn
run. The seed of training is what differs most between results, so runs come first (Agarwal et
al. 2021, arXiv 2108.13264). With one run only episodes can be drawn, and the interval says nothing
of other seeds. Across tasks, runs are drawn within each task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

CONFIDENCE = 0.95
RESAMPLES = 9999
TASK_RESAMPLES = 2000  # of a metric over tasks, which is computed once for each
AT_ONCE = 2_000_000  # episodes drawn at once, which bounds memory

Metric = Callable[[Mapping[str, float]], float]


@dataclass(frozen=True)
class Estimate:
    """A mean and how sure it is.

    Args:
        mean: over runs of each run's mean over its episodes.
        spread: standard deviation of runs' means; of one run's episodes where there is one run.
        low: end of the interval; None where one number cannot tell.
        high: end of the interval.
        over: what was drawn anew for the interval.
    """

    mean: float
    spread: float
    low: float | None
    high: float | None
    over: str


def estimate(runs: Sequence[np.ndarray], seed: int = 0) -> Estimate:
    """Mean over runs, with a bootstrap interval over runs, then their episodes.

    Args:
        runs: (E,) a figure of each episode, for each run; E may differ.
        seed: of the drawing; equal arguments give equal intervals.

    Raises:
        ValueError: for no runs, or a run without episodes.
    """
    if not runs or any(len(run) == 0 for run in runs):
        raise ValueError("an estimate needs at least one run, and an episode of each")
    values = [np.asarray(run, float) for run in runs]
    rng = np.random.default_rng(seed)
    means = np.array([run.mean() for run in values])
    if len(values) == 1:
        low, high = _interval(values[0], np.mean, len(values[0]), rng)
        over = f"{len(values[0])} episodes of one run"
        return Estimate(float(means[0]), float(values[0].std()), low, high, over)
    numbers = np.arange(len(values))
    size = len(values) * max(map(len, values))
    low, high = _interval(numbers, _Nested(values, rng), size, rng)
    over = f"{len(values)} runs, then the episodes of each"
    return Estimate(float(means.mean()), float(means.std()), low, high, over)


def over_tasks(
    runs: Mapping[str, Sequence[float]], metric: Metric, seed: int = 0
) -> tuple[float, float | None, float | None]:
    """A metric of many tasks and its interval, with runs drawn anew within each task.

    Args:
        runs: a figure of each run, by task.
        metric: of the mean over runs of each task.
        seed: of the drawing.

    Returns:
        The metric, and both ends; None where a task has a single run.
    """
    names = list(runs)
    value = metric({name: float(np.mean(runs[name])) for name in names})
    if min(map(len, runs.values())) < 2:
        return value, None, None
    drawn = bootstrap(
        [np.asarray(runs[name], float) for name in names],
        lambda *samples: metric(
            {name: float(np.mean(sample)) for name, sample in zip(names, samples, strict=True)}
        ),
        vectorized=False,
        n_resamples=TASK_RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return value, float(drawn.low), float(drawn.high)


class _Nested:
    """Mean over drawn runs of a mean over drawn episodes: the statistic of the two levels.

    Args:
        values: (E,) of each run.
        rng: draws the episodes.
    """

    def __init__(self, values: Sequence[np.ndarray], rng: np.random.Generator) -> None:
        self._values, self._rng = values, rng

    def __call__(self, numbers: np.ndarray, axis: int = -1) -> np.ndarray:
        """(..., R) numbers of runs -> (...) means."""
        means = np.empty(numbers.shape)
        for number, values in enumerate(self._values):
            mine = numbers == number
            picks = self._rng.integers(len(values), size=(int(mine.sum()), len(values)))
            means[mine] = values[picks].mean(axis=1)
        return means.mean(axis=axis)


def _interval(
    data: np.ndarray,
    statistic: Callable[..., np.ndarray],
    size: int,
    rng: np.random.Generator,
) -> tuple[float | None, float | None]:
    """Percentile interval; `size` is how many numbers one resample draws."""
    if len(data) < 2:
        return None, None
    drawn = bootstrap(
        (data,),
        statistic,
        n_resamples=RESAMPLES,
        batch=max(1, AT_ONCE // size),
        vectorized=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=rng,
    ).confidence_interval
    return float(drawn.low), float(drawn.high)
