"""Early stopping: when a loss on held-out experience has not fallen for long enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class Patience:
    """Remembers the best loss, and when it was.

    Args:
        updates: that may pass without a better one; 0 waits for ever.

    Attributes:
        best: the lowest loss, infinite before the first.
        at: the update that it was seen at.
    """

    updates: int
    best: float = math.inf
    at: int = 0

    def tell(self, update: int, loss: float) -> bool:
        """Take note of a loss; whether it is the best so far. One that is not finite never is."""
        if not loss < self.best:
            return False
        self.best, self.at = loss, update
        return True

    def is_out(self, update: int) -> bool:
        """Whether it is time to stop."""
        return 0 < self.updates <= update - self.at

    def state(self) -> dict[str, Any]:
        """JSON-ready; JSON has no infinity."""
        return {"best": self.best if math.isfinite(self.best) else None, "at": self.at}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.best = math.inf if state["best"] is None else float(state["best"])
        self.at = int(state["at"])
