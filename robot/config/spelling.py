"""Mistyped words: which known one was meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

ALIKE = 0.76  # share of letters; `force_n` is no mistyped `torque_nm`, which have 0.75


def nearest(said: str, known: Iterable[str]) -> str:
    """The known word that is most like a mistyped one, whatever its case; "" when none is."""
    words = {word.casefold(): word for word in known}
    near = get_close_matches(said.casefold(), words, n=1, cutoff=ALIKE)
    return words[near[0]] if near else ""


def did_you_mean(said: str, known: Iterable[str]) -> str:
    """A question to put behind a mistyped word, " (did you mean 'walk'?)"; "" with no idea."""
    word = nearest(said, known)
    return f" (did you mean '{word}'?)" if word else ""
