"""What an agent needs of a behaviour, whichever way it chooses actions."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from learner.behaviour.noise import Noise
from learner.model.rssm import State
from learner.model.world_model import WorldModel


class Behaviour(Protocol):
    """Chooses actions from what the world model believes."""

    def act(self, model: WorldModel, state: State, noise: Noise) -> Tensor:
        """Choose an action in one state (1, ...) -> (1, A)."""
        ...

    def parts(self, model: WorldModel) -> dict[str, nn.Module]:
        """What a robot needs for `act`, beside the model's encoder and dynamics, by name."""
        ...
