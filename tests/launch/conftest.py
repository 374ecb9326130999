"""What the tests of commands share."""

from __future__ import annotations

import pytest

from launch.memory import SETTINGS


@pytest.fixture(autouse=True)
def _nothing_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that learn replace their process unless these are set; here that would be pytest."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
