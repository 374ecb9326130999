"""Low-pass filters that run on a stream of vectors, one value per control period."""

from __future__ import annotations

import numpy as np
import scipy.signal


class Butterworth:
    """Streaming Butterworth low-pass over a vector (direct form II, transposed).

    With order 2 and 1.5 Hz at 20 Hz it is the action filter of DayDreamer (arXiv 2206.14176,
    motion_imitation/robots/action_filter.py).

    Args:
        order: of the filter.
        cutoff_hz: frequency at which the gain is -3 dB.
        sample_hz: how often `step` is called.
        width: J, number of values filtered side by side.
    """

    def __init__(self, order: int, cutoff_hz: float, sample_hz: float, width: int) -> None:
        # The cut-off is a scalar: newer SciPy refuses a one-element list for a low-pass.
        both = np.asarray(scipy.signal.butter(order, cutoff_hz, fs=sample_hz), np.float64)
        self.b, self.a = both  # (order + 1,) each
        self._rest = scipy.signal.lfilter_zi(self.b, self.a)[:, None]  # (order, 1)
        self._state = np.zeros((order + 1, width))  # the last row stays zero

    def seed(self, value: np.ndarray) -> None:
        """Behave as if `value` (J,) had been the input forever: the same again stays the same."""
        self._state[:-1] = self._rest * value

    def step(self, value: np.ndarray) -> np.ndarray:
        """Take in one value (J,) and return the filtered one."""
        out = self.b[0] * value + self._state[0]
        self._state[:-1] = (
            self._state[1:] + self.b[1:, None] * value[None] - self.a[1:, None] * out[None]
        )
        return out
