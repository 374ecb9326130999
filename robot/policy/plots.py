"""Figures of each step that a viewer can plot: `/step`."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

from robot.clock import NS
from robot.wire.log import Form, LogWriter
from robot.wire.log.names import STEP, LogError
from robot.wire.ros2 import figures, figures_form
from robot.wire.transition import Transition

_log = logging.getLogger(__name__)


class Plots:
    """Writes a flat message of float64 for each step; its fields are those of the first step.

    Args:
        log: to write to.
    """

    def __init__(self, log: LogWriter) -> None:
        self._log = log
        self._keys: list[str] = []
        self._form: Form | None = None

    def write(self, step: Transition, terms: Mapping[str, float], stamp_ns: int) -> None:
        """Write one step; never raises for a disk.

        Args:
            step: as it was logged.
            terms: what else the task says of it.
            stamp_ns: when, on the log's clock.
        """
        found = step_figures(step, terms)
        if self._form is None:
            self._keys = list(found)
            self._form = figures_form("reverie_msgs/msg/Step", self._keys)
        values = [found.get(key, math.nan) for key in self._keys]
        try:
            data = figures(step.stamps_ns.get("tick", 0), values)
            self._log.write(STEP, self._form, data, stamp_ns, step.index & 0xFFFFFFFF)
        except LogError as error:
            _log.error("figures of step %d are not kept: %s", step.index, error)


def step_figures(step: Transition, terms: Mapping[str, float]) -> dict[str, float]:
    """Reward, terms, place, weights, and latencies in ms, in this order."""
    ledger = dict(step.ledger_ns)
    age_ns = ledger.pop("weights_age", 0)
    return {
        "reward": float(step.arrays["reward"]),
        **{f"term_{name}": float(value) for name, value in terms.items()},
        "episode": float(step.episode),
        "episode_step": float(step.step),
        "valid": float(step.valid),
        "weights_version": float(step.weights_version),
        "weights_age_s": age_ns / NS,
        **{f"{name}_ms": value / 1e6 for name, value in ledger.items()},
    }
