"""A command says at once that it has begun, where somebody looks, and nowhere else."""

from __future__ import annotations

import io
import sys

import pytest

from launch.waiting import loading


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_told_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with loading("learning"):
        assert screen.getvalue() == "loading what learning needs ..."
    assert screen.getvalue().endswith("\r\x1b[K")


def test_a_file_hears_nothing(monkeypatch: pytest.MonkeyPatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    with loading("learning"):
        pass
    assert screen.getvalue() == ""
