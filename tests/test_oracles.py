"""The page of oracles names each of them once, and files and commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from launch import cli

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/oracles.md").read_text()
ROWS = [re.split(r" *\| *", line)[1:4] for line in PAGE.splitlines() if line.startswith("| T")]


def test_every_oracle_has_a_row() -> None:
    parts = {13: ("", "b", "c"), 37: ("a", "b", "c", "d")}
    expected = [f"T{n}{part}" for n in range(1, 39) for part in parts.get(n, ("",))]
    assert [row[0] for row in ROWS] == expected
    assert all(len(row[1]) > 20 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_holds_it_exists_and_tests(row: list[str]) -> None:
    files = re.findall(r"`([\w./]+)`", row[2])
    assert files and any(name.startswith("tests/") for name in files)
    for name in files:
        text = (ROOT / name).read_text()
        assert not name.startswith("tests/") or re.search(r"^def test_", text, re.M), name


def test_its_commands_can_be_run() -> None:
    lines = re.findall(r"`reverie ([^`]+)`", PAGE)
    assert len(lines) > 3
    for line in lines:
        words = shlex.split(line)
        assert words == ["curves"] or cli.parse(words)
