"""How an actor's gradient is estimated from advantages."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from robot.wire.spec import Spec


class Gradient(Protocol):
    """Turns advantages into what the actor ascends.

    Attributes:
        through: whether gradients must flow through the dream.
    """

    through: bool

    def __call__(self, advantage: Tensor, log_prob: Tensor) -> Tensor:
        """(N, L) advantages and log probabilities of the detached actions -> (N, L) objective."""
        ...


class Through:
    """By differentiating the dream itself (Dreamer, arXiv 1912.01603)."""

    through = True

    def __call__(self, advantage: Tensor, log_prob: Tensor) -> Tensor:
        """(N, L), (N, L) -> (N, L)."""
        return advantage


class Reinforce:
    """By the likelihood ratio (Williams 1992): no gradient needs to flow through the dream."""

    through = False

    def __call__(self, advantage: Tensor, log_prob: Tensor) -> Tensor:
        """(N, L), (N, L) -> (N, L)."""
        return advantage.detach() * log_prob


class Mixed:
    """A mix of both (DreamerV2, arXiv 2010.02193, eq. 6).

    Args:
        reinforce: rho, share of the likelihood ratio's.
    """

    through = True

    def __init__(self, reinforce: float) -> None:
        self.reinforce = reinforce

    def __call__(self, advantage: Tensor, log_prob: Tensor) -> Tensor:
        """(N, L), (N, L) -> (N, L)."""
        ratio = advantage.detach() * log_prob
        return self.reinforce * ratio + (1 - self.reinforce) * advantage


def usual_gradient(action: Spec) -> Gradient:
    """Through the dream for movements, by the likelihood ratio for choices.

    As in DreamerV2 (agent.py, `actor_grad: auto`), DayDreamer and the first DreamerV3.
    """
    return Reinforce() if action.is_discrete else Through()
