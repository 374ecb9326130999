"""Mistyped words find the one that was meant, and strange ones find none."""

import pytest

from robot.config.spelling import did_you_mean, nearest

WORDS = ("train", "evaluate", "stop", "FR_hip", "FL_hip", "--minutes", "torque_nm")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("trian", "train"),
        ("TRAIN", "train"),
        ("fr_hipp", "FR_hip"),
        ("FLhip", "FL_hip"),
        ("--minuts", "--minutes"),
        ("walk", ""),
        ("force_n", ""),
        ("", ""),
    ],
)
def test_the_word_that_was_meant_is_the_one_most_like_it(said: str, meant: str):
    assert nearest(said, WORDS) == meant
    assert did_you_mean(said, WORDS) == (f" (did you mean '{meant}'?)" if meant else "")


def test_among_no_words_none_was_meant():
    assert nearest("train", ()) == did_you_mean("train", ()) == ""
