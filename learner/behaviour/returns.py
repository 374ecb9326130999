"""Returns of imagined trajectories, and how much each of their steps counts."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Judged(NamedTuple):
    """What a dream was worth: what the critic should have said, and what actions are credited with.

    Args:
        first: index of the state that entry 0 of `returns` belongs to.
        returns: (N, K) targets of the critic.
        weight: (N, K) how much each counts, detached.
        credit: (N, L) what the actions taken in states 0..L-1 led to.
        baseline: (N, L) what was expected of those states.
        credit_weight: (N, L) how much each counts, detached.
    """

    first: int
    returns: Tensor
    weight: Tensor
    credit: Tensor
    baseline: Tensor
    credit_weight: Tensor

    def detach(self) -> Judged:
        """The same values without their history."""
        return Judged(self.first, *(part.detach() for part in self[1:]))


class Returns(Protocol):
    """A paper's bookkeeping of rewards, values and ends along a dream.

    Attributes:
        gamma: discount per step.
        lam: weight of longer returns.
    """

    gamma: float
    lam: float

    def __call__(self, reward: Tensor, value: Tensor, cont: Tensor) -> Judged:
        """Judge a dream.

        Args:
            reward: (N, H+1) of arriving in each state.
            value: (N, H+1) of each state.
            cont: (N, H+1) probability that the episode goes on; entry 0 is the true flag.
        """
        ...


class ArrivalReturns:
    """A state's value excludes its own reward: what counts first is that of the next state.

    The action taken in a state is credited with that state's return (DayDreamer, DreamerV3).

    Args:
        gamma: discount per step.
        lam: of the lambda return.
    """

    def __init__(self, gamma: float, lam: float) -> None:
        self.gamma, self.lam = gamma, lam

    def __call__(self, reward: Tensor, value: Tensor, cont: Tensor) -> Judged:
        """(N, H+1) each -> returns, credit and weights (N, H) of states 0..H-1."""
        discount = self.gamma * cont[:, 1:]
        returns = lambda_return(reward[:, 1:], value, discount, self.lam)
        weight = dream_weights(cont, self.gamma)[:, :-1]
        return Judged(0, returns, weight, returns, value[:, :-1], weight)


def lambda_return(reward: Tensor, value: Tensor, discount: Tensor, lam: float) -> Tensor:
    """Exponentially weighted mix of n-step returns (Dreamer, arXiv 1912.01603, eq. 6).

        R_N = v_N,  R_t = r_t + d_t ((1 - lam) v_{t+1} + lam R_{t+1})

    Entry t of reward and discount stands between states t and t+1. A system whose value excludes
    the reward of its own state (DayDreamer, DreamerV3) passes what is predicted on arriving in
    t+1; one whose value includes it (Dreamer, DreamerV2) passes what is predicted in t.

    Args:
        reward: (B, H) task units per step.
        value: (B, H+1) critic at every state; the last one bootstraps.
        discount: (B, H) continuation times gamma, in [0, 1].
        lam: weight of longer returns, in [0, 1].

    Returns:
        (B, H) return from states 0..H-1.

    Raises:
        ValueError: if value is not one step longer than reward.
    """
    if value.shape[1] != reward.shape[1] + 1:
        raise ValueError(
            f"value has {value.shape[1]} steps; reward has {reward.shape[1]}, not one fewer"
        )
    one_step = reward + discount * (1 - lam) * value[:, 1:]
    carried = lam * discount
    result, returns = value[:, -1], []
    for t in reversed(range(reward.shape[1])):
        result = one_step[:, t] + carried[:, t] * result
        returns.append(result)
    return torch.stack(returns[::-1], 1)


def dream_weights(cont: Tensor, gamma: float) -> Tensor:
    """Weight gamma^t prod_{i<=t} c_i of each imagined state (DayDreamer, agent.py, `imagine`).

    Args:
        cont: (B, H+1) probability that the episode goes on; entry 0 is the true flag.
        gamma: discount per step.

    Returns:
        (B, H+1) detached; a terminal start has weight 0.
    """
    steps = torch.arange(cont.shape[1], device=cont.device)
    return (gamma**steps * torch.cumprod(cont, 1)).detach()
