"""Returns of imagined trajectories, and how much each of their steps counts."""

from __future__ import annotations

import torch
from torch import Tensor


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
