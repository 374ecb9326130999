r"""Returns where a state's value includes its own reward, as in Dreamer and DreamerV2.

    state      s_0 --a_0--> s_1 --a_1--> s_2 ... s_H       R_t counts r_t, r_{t+1}, ... up to v_H
    reward     r_0          r_1          r_2     r_H       d_t, in s_t, tells whether s_{t+1} counts

The action taken in s_t is credited with R_{t+1}: the first reward that it can change is r_{t+1}.
"""

from __future__ import annotations

import torch
from torch import Tensor

from learner.behaviour.returns import Judged, lambda_return


def reach(discount: Tensor) -> Tensor:
    """Weight prod_{i<t} d_i of each state, (N, K) -> (N, K), detached; the first one counts 1."""
    before = torch.cat([torch.ones_like(discount[:, :1]), discount[:, :-1]], 1)
    return torch.cumprod(before, 1).detach()


class StartlessReturns:
    """Dreamer's: the start of a dream is neither valued nor judged (arXiv 1912.01603; dreamer.py).

    States 1..H are looked at as if the dream began there, so that whether the start was terminal
    does not count; there is no baseline.

    Args:
        gamma: discount per step.
        lam: of the lambda return.
    """

    def __init__(self, gamma: float, lam: float) -> None:
        self.gamma, self.lam = gamma, lam

    def __call__(self, reward: Tensor, value: Tensor, cont: Tensor) -> Judged:
        """(N, H+1) each -> returns of states 1..H-1, (N, H-1), credited to actions 0..H-2."""
        discount = self.gamma * cont[:, 1:-1]
        returns = lambda_return(reward[:, 1:-1], value[:, 1:], discount, self.lam)
        weight = reach(discount)
        return Judged(1, returns, weight, returns, torch.zeros_like(returns), weight)


class OwnReturns:
    """DreamerV2's: the value of the state an action is taken in is its baseline (agent.py).

    The baseline v_t contains r_t, which the credit R_{t+1} does not: it depends on the state alone,
    so that the gradient's expectation is not changed (section 2.3 prints V_t - v_t).

    Args:
        gamma: discount per step.
        lam: of the lambda return.
    """

    def __init__(self, gamma: float, lam: float) -> None:
        self.gamma, self.lam = gamma, lam

    def __call__(self, reward: Tensor, value: Tensor, cont: Tensor) -> Judged:
        """(N, H+1) each -> returns of states 0..H-1, those of 1..H-1 credited to actions 0..H-2."""
        discount = self.gamma * cont[:, :-1]
        returns = lambda_return(reward[:, :-1], value, discount, self.lam)
        weight = reach(discount)
        return Judged(0, returns, weight, returns[:, 1:], value[:, :-2], weight[:, :-1])
