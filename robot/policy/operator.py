"""The operator's words as the robot process says them, and when it says one by itself."""

from __future__ import annotations

import logging

from robot.clock import NS
from robot.config import Safety
from robot.wire.link import BodyLink
from robot.wire.messages import OperatorWord

log = logging.getLogger(__name__)


class Operator:
    """Says words to the body over the robot process's link.

    Args:
        link: to the body.
        who: who speaks, as the body's reason will name it.
    """

    def __init__(self, link: BodyLink, who: str = "robot process") -> None:
        self._link, self._who = link, who

    def stop(self) -> None:
        """Stop the motors, latched until somebody resumes."""
        self._say("stop")

    def pause(self) -> None:
        """Hold still until somebody resumes."""
        self._say("pause")

    def resume(self) -> None:
        """Go on, after a soft start."""
        self._say("resume")

    def _say(self, word: str) -> None:
        self._link.say(OperatorWord(word, self._who, self._link.now_ns()))


class WeightsWatch:
    """Warns of old weights, then pauses the robot: its learner may be gone.

    Only an operator resumes. Whoever does so with weights that are still old has another
    `weights_hold_s` until the next pause.

    Attributes:
        pauses: how often the robot was paused for its weights' age.
    """

    def __init__(self, safety: Safety, operator: Operator) -> None:
        self.pauses = 0
        self._warn_ns = round(safety.weights_warn_s * NS)
        self._hold_ns = self._allowed_ns = round(safety.weights_hold_s * NS)
        self._operator = operator
        self._warned = False
        self._asked = self._obeyed = False

    def check(self, age_ns: int, state: str) -> None:
        """Look once per step.

        Args:
            age_ns: age of the weights in use, or of the process while there are none.
            state: safety state of the body.
        """
        self._warn(age_ns)
        if age_ns < self._warn_ns:
            self._allowed_ns = self._hold_ns
        if self._asked:
            self._await_operator(age_ns, state)
        elif age_ns > self._allowed_ns and state == "active":
            self._asked, self._obeyed = True, False
            self.pauses += 1
            log.error("paused: weights are %.0f s old; say resume to go on", age_ns / NS)
            self._operator.pause()

    def _warn(self, age_ns: int) -> None:
        old = age_ns >= self._warn_ns
        if old and not self._warned:
            log.warning("weights are %.0f s old; is the learner running?", age_ns / NS)
        self._warned = old

    def _await_operator(self, age_ns: int, state: str) -> None:
        """After a pause: the body first leaves "active" and is back there when resumed."""
        if state != "active":
            self._obeyed = True
        elif self._obeyed:
            self._asked = False
            self._allowed_ns = max(self._hold_ns, age_ns + self._hold_ns)
