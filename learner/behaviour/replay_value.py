"""Values of what really happened: the critic, and through it the model, learn on replay.

DreamerV3 (arXiv 2301.04104v2), section "critic learning"; agent.py, `repl_loss`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from learner.behaviour.critic import Critic


class Stretch(NamedTuple):
    """Consecutive steps of chunks from replay, (B, K) each.

    Args:
        reward: of arriving at each step.
        is_last: whether an episode ends there.
        is_terminal: whether nothing comes after it.
        boot: what a dream from there returned.
    """

    reward: Tensor
    is_last: Tensor
    is_terminal: Tensor
    boot: Tensor


def replay_return(steps: Stretch, gamma: float, lam: float) -> Tensor:
    """Lambda return over recorded rewards, with dreams where the record or its episode ends.

        R_{K-1} = boot_{K-1}
        R_t = r_{t+1} + live_{t+1} ((1 - lam_{t+1}) boot_{t+1} + lam_{t+1} R_{t+1})

    with live = gamma (1 - terminal) and lam_t = lam (1 - last): after the last step of an episode,
    the chunk goes on with another one.

    Args:
        steps: (B, K).
        gamma: discount per step.
        lam: weight of longer returns, in [0, 1].

    Returns:
        (B, K - 1) returns from steps 0..K-2; those from a last step mean nothing.
    """
    live = gamma * (1 - steps.is_terminal.to(steps.boot.dtype))
    carried = lam * (1 - steps.is_last.to(steps.boot.dtype))
    result, returns = steps.boot[:, -1], []
    for t in reversed(range(1, steps.boot.shape[1])):
        ahead = torch.lerp(steps.boot[:, t], result, carried[:, t])
        result = steps.reward[:, t] + live[:, t] * ahead
        returns.append(result)
    return torch.stack(returns[::-1], 1)


class ReplayValue:
    """Trains a critic on recorded steps; gradients go on into the features, and so into the model.

    Args:
        critic: values features.
        gamma: discount per step.
        lam: of the lambda return.
    """

    def __init__(self, critic: Critic, gamma: float, lam: float) -> None:
        self.critic, self.gamma, self.lam = critic, gamma, lam

    def loss(self, feat: Tensor, steps: Stretch) -> Tensor:
        """(B, K, F) features with their history -> (B, K - 1), zero at the end of an episode."""
        returns = replay_return(steps, self.gamma, self.lam).detach()
        going = 1 - steps.is_last[:, :-1].float()
        return going * self.critic.loss(feat[:, :-1], returns)
