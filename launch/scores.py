"""One number for many tasks: DreamerV2's four for Atari, and mean and median for Control.

Average seeds first, then ask for a score: normalising is not linear where it clips.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

ATARI = Path(__file__).resolve().parent.parent / "docs/results/anchors/atari.json"

Returns = Mapping[str, float]


@dataclass(frozen=True)
class Reference:
    """What others score on a game.

    Args:
        random: uniform play.
        gamer: a professional.
        record: the best human score on record.
    """

    random: float
    gamer: float
    record: float

    def of_gamer(self, value: float) -> float:
        """A return as a share of the gamer's, 0 for random play, 1 for the gamer; unbounded."""
        return (value - self.random) / (self.gamer - self.random)

    def of_record(self, value: float) -> float:
        """The same with the record in place of the gamer."""
        return (value - self.random) / (self.record - self.random)


References = Mapping[str, Reference]


def read_references(path: Path = ATARI) -> dict[str, Reference]:
    """References of the 55 Atari games of DreamerV2, by the names of the Learning Environment."""
    games = json.loads(path.read_text())["games"]
    return {name: Reference(*map(float, values)) for name, values in games.items()}


def over_seeds(returns: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Mean return of each task over its seeds."""
    return {task: mean(values) for task, values in returns.items()}


def gamer_median(returns: Returns, references: References) -> float:
    """Median over games of the share of the gamer (DreamerV2, arXiv 2010.02193, section 3.1).

    It hides what half of the games do: any number of them may be unsolved, or solved far better.

    Raises:
        ValueError: for no games, or one without a reference, naming it.
    """
    return median(references[game].of_gamer(value) for game, value in _known(returns, references))


def gamer_mean(returns: Returns, references: References) -> float:
    """Mean over games of the share of the gamer; a few games where the gamer is weak decide it.

    Raises:
        ValueError: for no games, or one without a reference, naming it.
    """
    return mean(references[game].of_gamer(value) for game, value in _known(returns, references))


def record_mean(returns: Returns, references: References) -> float:
    """Mean over games of the share of the record (Toromanoff et al., arXiv 1908.04683).

    Raises:
        ValueError: for no games, or one without a reference, naming it.
    """
    return mean(references[game].of_record(value) for game, value in _known(returns, references))


def clipped_record_mean(returns: Returns, references: References) -> float:
    """Mean over games of the share of the record, at most 1: the one that DreamerV2 recommends.

    Every game counts, and none decides. Nothing is clipped below.

    Raises:
        ValueError: for no games, or one without a reference, naming it.
    """
    known = _known(returns, references)
    return mean(min(1.0, references[game].of_record(value)) for game, value in known)


METRICS = {
    "gamer median": gamer_median,
    "gamer mean": gamer_mean,
    "record mean": record_mean,
    "clipped record mean": clipped_record_mean,
}


def atari_scores(returns: Returns, references: References) -> dict[str, float]:
    """All four, by name.

    Raises:
        ValueError: for no games, or one without a reference, naming it.
    """
    return {name: metric(returns, references) for name, metric in METRICS.items()}


def control_scores(returns: Returns) -> dict[str, float]:
    """Mean and median over tasks of returns between 0 and 1000, as the Control Suite has them."""
    return {"mean": mean(returns.values()), "median": median(returns.values())}


def _known(returns: Returns, references: References) -> list[tuple[str, float]]:
    if not returns:
        raise ValueError("no games to score")
    unknown = [game for game in returns if game not in references]
    if unknown:
        raise ValueError(f"no reference for {', '.join(unknown)}")
    return list(returns.items())
