"""Holds episodes back from learning, so that a model can be judged by what it never saw.

They are drawn from stretches of equal length, one from each, so that all of a log's history is
judged, from the first stumbling to the last walk:

    episodes   0 1 2 3 4 5 6 7 8 9 | 10 11 12 ...      share 0.1
    held back    x                 |       x           which one of ten follows from the seed
"""

from __future__ import annotations

import numpy as np


def held_out(episodes: int, share: float, seed: int) -> np.ndarray:
    """Which of some episodes are held back: (E,) bool; at least one is, and one is not.

    Args:
        episodes: E.
        share: of them, in (0, 0.5].
        seed: of which.

    Raises:
        ValueError: for a share out of range, or fewer than two episodes.
    """
    if not 0 < share <= 0.5:
        raise ValueError(f"share {share}: allowed is above 0, up to 0.5")
    if episodes < 2:
        raise ValueError(f"{episodes} episodes: at least two are needed, one of them to hold back")
    rng = np.random.default_rng(seed)
    stretches = np.array_split(np.arange(episodes), max(1, round(share * episodes)))
    held = np.zeros(episodes, bool)
    held[[rng.choice(stretch) for stretch in stretches]] = True
    return held
