"""What an actor is paid for in its dreams."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from learner.model.world_model import Dream, WorldModel


class DreamReward(Protocol):
    """Pays for each state of a dream."""

    def __call__(self, model: WorldModel, dream: Dream) -> Tensor:
        """Reward (N, H+1) of arriving in states 0..H; what cannot be known of state 0 is 0."""
        ...


class TaskReward(nn.Module):
    """The reward that the world model predicts."""

    def forward(self, model: WorldModel, dream: Dream) -> Tensor:
        """(N, H+1)."""
        return model.reward(dream.states.feat)
