"""Refusals in one line, whatever the terminal can draw, and the page of commands."""

from __future__ import annotations

import pytest

from launch.usage import meant, one_line, overview, summary

FRAMED = """╭─ Unrecognized options ──────────────────────╮
│ Unrecognized options: --minuts, 3           │
│ ─────────────────────────────────────────── │
│ Perhaps you meant:                          │
│     --minutes FLOAT                         │
│ ─────────────────────────────────────────── │
│ For full helptext, run reverie train --help │
╰─────────────────────────────────────────────╯
"""
DASHED = """ Invalid choice
 --------------------------------------------------
  invalid choice 'x-' for argument '--twin'. Expected
  one of ('None', 'a').
  -------------------------------------------------
  For full helptext, run reverie train --help

"""


def test_a_framed_message_is_one_line_without_help():
    assert one_line(FRAMED) == "Unrecognized options: --minuts, 3"


def test_a_message_for_a_terminal_without_lines_is_the_same():
    told = "invalid choice 'x-' for argument '--twin'. Expected one of ('a')"
    assert one_line(DASHED) == told


@pytest.mark.parametrize(
    ("typed", "refusal", "question"),
    [
        (["--minuts=3"], "Unrecognized options: --minuts", " (did you mean '--minutes'?)"),
        (["--with_log"], "Unrecognized options: --with_log", " (did you mean '--with-logs'?)"),
        (["--minutes", "extra"], "Unrecognized options: extra", ""),
        (["--zzz"], "Unrecognized options: --zzz", ""),
        (["x"], "Missing value for argument '--set'. Expected 1 values", ""),
    ],
)
def test_an_option_that_was_mistyped_is_asked_for(typed: list[str], refusal: str, question: str):
    page = "│ --minutes FLOAT  instead of --hours   │\n│ --with-logs   more   │\n  --set KEY  all"
    assert meant(typed, refusal, page) == question


class Walk:
    """Walk on. Then stop.

    Example: reverie walk
    """


def test_a_command_is_told_by_its_first_sentence_in_its_group():
    assert summary(Walk) == "Walk on"
    lines = overview({"Legs": {"walk": Walk}, "Arms": {"reach": Walk}}).splitlines()
    assert lines[lines.index("Legs:") :][:5] == [
        "Legs:",
        "  walk   Walk on",
        "",
        "Arms:",
        *lines[-3:-2],
    ]
    assert lines[-3] == "  reach  Walk on"
