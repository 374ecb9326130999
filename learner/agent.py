"""The agent: one composition for every system, which acts, learns and is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from learner.behaviour.interface import Behaviour
from learner.behaviour.noise import Noise
from learner.model.rssm import State
from learner.model.world_model import WorldModel
from learner.train.optimisers import check_fit
from learner.train.sampling import Sampler
from learner.train.updates import Lesson, Step, Watcher
from robot.wire.transition import Transition

Prepare = Callable[[dict[str, Tensor]], dict[str, Tensor]]


@dataclass(frozen=True)
class Diet:
    """What an agent learns from: which keys, which chunks of them, and changed in which way.

    Args:
        keys: observation keys that are read.
        sampler: chooses chunks from the replay.
        prepare: last changes to a batch of tensors, such as reflecting half of it.
    """

    keys: tuple[str, ...]
    sampler: Sampler
    prepare: tuple[Prepare, ...] = ()


class Agent(nn.Module):
    """World model, behaviour and the updates that train them.

    Args:
        model: the world model.
        behaviour: chooses actions.
        updates: run in order on every batch.
        diet: what it learns from.
        watchers: are told of weights that are sent, and of what robots do with them.
    """

    def __init__(
        self,
        model: WorldModel,
        behaviour: Behaviour,
        updates: Sequence[Step],
        diet: Diet,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        super().__init__()
        self.watchers = tuple(watchers)
        self.model, self.behaviour = model, behaviour
        self.updates, self.diet = tuple(updates), diet

    @property
    def keys(self) -> tuple[str, ...]:
        """Observation keys that are read."""
        return self.diet.keys

    @property
    def sampler(self) -> Sampler:
        """Chooses the chunks that `learn` is given."""
        return self.diet.sampler

    def learn(self, batch: Mapping[str, np.ndarray], steps: int = 0) -> dict[str, Tensor]:
        """One training step; scalars worth a plot.

        Args:
            batch: (B, T, ...) from replay.
            steps: robot steps so far.

        Raises:
            FloatingPointError: when a gradient is not finite.
        """
        tensors = {k: torch.as_tensor(v) for k, v in batch.items()}
        for change in self.diet.prepare:
            tensors = change(tensors)
        lesson = Lesson(tensors, steps)
        for update in self.updates:
            update(lesson)
        return lesson.metrics

    def issue(self, version: int) -> dict[str, np.ndarray]:
        """`policy_weights` that will be known by this version."""
        for watcher in self.watchers:
            watcher.issued(version)
        return self.policy_weights()

    def live(self, step: Transition) -> None:
        """Take note of a step that a robot made."""
        for watcher in self.watchers:
            watcher.lived(step)

    def policy_weights(self) -> dict[str, np.ndarray]:
        """What a robot needs to act, float32."""
        return {k: v.float().numpy().copy() for k, v in self._policy_state().items()}

    def load_policy_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take over what `policy_weights` gave; for an agent that acts and does not learn.

        Raises:
            ValueError: when a name or a shape does not fit, naming it; nothing was changed.
        """
        mine = self._policy_state()
        check_fit("weights", mine, weights)
        for name, tensor in mine.items():
            tensor.copy_(torch.from_numpy(weights[name].copy()))

    def tensors(self) -> dict[str, Tensor]:
        """Everything that learning goes on from, by name: live, to be copied or saved."""
        found = {f"agent.{k}": v for k, v in self.state_dict().items()}
        for update in self.updates:
            for name, tensor in update.tensors().items():
                found[f"optimiser.{update.name}.{name}"] = tensor
        return found

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` gave, in place.

        Raises:
            ValueError: when a name or a shape does not fit, naming it; nothing was changed.
        """
        check_fit("tensors", self.tensors(), tensors)
        for name, tensor in self.state_dict().items():
            tensor.copy_(tensors[f"agent.{name}"])
        for update in self.updates:
            prefix = f"optimiser.{update.name}."
            mine = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            update.load(mine)

    def _policy_state(self) -> dict[str, Tensor]:
        parts = {
            "encoder": self.model.encoder,
            "dynamics": self.model.dynamics,
            **self.behaviour.parts(self.model),
        }
        return {f"{n}.{k}": v for n, part in parts.items() for k, v in part.state_dict().items()}


class Carry(NamedTuple):
    """What a policy remembers between steps: state (1, ...) and the last action (1, A)."""

    state: State
    action: Tensor


class AgentPolicy:
    """Acts for one robot with an agent's weights, batch of one.

    Args:
        agent: gives encoder, dynamics and actor, in float32.
        noise: where randomness comes from.
        version: of the weights.
    """

    def __init__(self, agent: Agent, noise: Noise, version: int = 0) -> None:
        self.agent, self.noise, self.version = agent, noise, version

    def initial(self) -> Carry:
        """State before an episode."""
        with torch.inference_mode():
            state = self.agent.model.dynamics.initial(1)
        return Carry(state, torch.zeros(1, self.agent.model.dynamics.action))

    def act(self, carry: Carry, observation: Mapping[str, np.ndarray]) -> tuple[Carry, np.ndarray]:
        """One step: observation arrays without batch axis -> next carry and action (A,)."""
        with torch.inference_mode():
            seen = {k: torch.as_tensor(observation[k])[None] for k in self.agent.keys}
            first = torch.as_tensor(observation["is_first"]).bool().reshape(1, 1)
            model = self.agent.model
            latent = self.noise.latent(model.dynamics.latents.stoch)
            embed = model.encoder(seen)
            state, _ = model.step(carry.state, carry.action, embed, first, latent)
            action = self.agent.behaviour.act(model, state, self.noise)
        return Carry(state, action), action[0].numpy().copy()
