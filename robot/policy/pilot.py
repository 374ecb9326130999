"""Holds the policy of a live robot, and replaces it with newer weights between two steps."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from robot.clock import Clock
from robot.policy.interface import Policy
from robot.wire.weights import Weights

log = logging.getLogger(__name__)

MakePolicy = Callable[[Weights], Policy[Any]]


class Source(Protocol):
    """Where verified weights come from: the downlink."""

    def take(self) -> Weights | None:
        """Newest verified weights since the last call; never waits."""
        ...

    @property
    def age_ns(self) -> int:
        """Since the weights in use were made; -1 before the first."""
        ...


class PilotWitness(Protocol):
    """Whoever is told what a pilot does with weights; must be quick."""

    def taken(self, weights: Weights) -> None:
        """These make the policy from now on."""
        ...

    def unfit(self, weights: Weights, reason: str) -> None:
        """These were verified and make no policy."""
        ...


class LivePilot:
    """A pilot with the newest weights; flies its first policy until some have come.

    Args:
        first: policy before any weights.
        source: of weights.
        make_policy: builds a policy from weights; called between two steps, so it must be quick.
        clock: of the age before the first weights.
        witness: is told what becomes of them, between two steps.

    Attributes:
        failed: weights that were verified and still made no policy.
    """

    def __init__(
        self,
        first: Policy[Any],
        source: Source,
        make_policy: MakePolicy,
        clock: Clock,
        witness: PilotWitness | None = None,
    ) -> None:
        self.failed = 0
        self._witness = witness
        self._policy = first
        self._source, self._make_policy = source, make_policy
        self._clock = clock
        self._since_ns = clock.now_ns()

    def take(self) -> Policy[Any]:
        """Return the policy to use from now on."""
        weights = self._source.take()
        if weights is not None:
            try:
                self._policy = self._make_policy(weights)
                if self._witness is not None:
                    self._witness.taken(weights)
            except ValueError as error:
                self.failed += 1
                log.error("weights %d make no policy, kept the old: %s", weights.version, error)
                if self._witness is not None:
                    self._witness.unfit(weights, str(error))
        return self._policy

    def age_ns(self) -> int:
        """Age of the weights in use; before the first ones, of this pilot."""
        age_ns = self._source.age_ns
        return age_ns if age_ns >= 0 else self._clock.now_ns() - self._since_ns
