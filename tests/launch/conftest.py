"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from launch.memory import SETTINGS


@pytest.fixture(autouse=True, scope="session")
def _nothing_restarts() -> Iterator[None]:
    """Commands that learn replace their process unless these are set; here that would be pytest."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        yield
