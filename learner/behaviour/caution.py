"""Caution: dreams are worth less where what they foretell is disputed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from learner.behaviour.disagreement import Disagreement
from learner.behaviour.rewards import DreamReward
from learner.model.ensemble import OneStep
from learner.model.world_model import Dream, WorldModel

RATE = 0.01
LEAST = 1e-8


class Caution(nn.Module):
    """Takes from a reward what an ensemble disputes (MOPO, arXiv 2005.13239, eq. 2).

    Disagreement counts in units of what is usual for the steps that the ensemble learns from, a
    running mean, so that one weight serves whatever is foretold.

    Args:
        reward: of the task.
        doubt: the ensemble's disagreement.
        weight: what a step of usual disagreement costs, in units of the reward.
    """

    def __init__(self, reward: DreamReward, doubt: Disagreement, weight: float) -> None:
        super().__init__()
        self.reward, self.doubt, self.weight = reward, doubt, weight
        self.doubt.register_buffer("usual", torch.zeros(()))

    def forward(self, model: WorldModel, dream: Dream) -> Tensor:
        """(N, H+1)."""
        usual = self.doubt.get_buffer("usual").clamp(min=LEAST)
        return self.reward(model, dream) - self.weight * self.doubt(model, dream) / usual

    def loss(self, step: OneStep) -> Tensor:
        """(B, T-1) loss of the ensemble; takes note of what is usual."""
        if torch.is_grad_enabled():
            self._note(step)
        return self.doubt.loss(step)

    @torch.no_grad()
    def _note(self, step: OneStep) -> None:
        spread = self.doubt.scale * self.doubt.spread(self.doubt.ensemble(step.feat, step.action))
        now = (spread * step.live).sum() / step.live.sum().clamp(min=1)
        usual = self.doubt.get_buffer("usual")
        usual.copy_(torch.where(usual == 0, now, usual.lerp(now, RATE)))
