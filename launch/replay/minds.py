"""What a run's model thinks of a log: its surprise, its critic's word, and what it imagines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from launch.compose import make_trainer
from launch.environments import AnyPlan
from launch.run_folder import RunFolder
from learner.agent import Agent
from learner.behaviour.actor_critic import ActorCritic
from learner.model.rssm import State
from learner.train.checkpoint import Checkpoints
from robot.wire.transition import Transition

CONTEXT = 5  # steps that are watched before each stretch of imagination
HORIZON = 45  # of imagination


@dataclass(frozen=True)
class Thought:
    """On one step.

    Args:
        surprise: KL of what the model believes with the observation to without it, nats.
        value: the critic's, in rewards as the agent learns them; nan without a critic.
        imagined: what the model decodes from imagination, by key: pictures (H, W, C) as bytes,
            vectors (N,) in their own units.
        reward: that it imagines.
        ahead: steps since the model last saw an observation, 0 while it watches.
    """

    surprise: float
    value: float
    imagined: dict[str, np.ndarray]
    reward: float
    ahead: int

    @property
    def pictures(self) -> dict[str, np.ndarray]:
        """What is imagined to be seen, (H, W, C) bytes by key."""
        return {key: told for key, told in self.imagined.items() if told.ndim == 3}


NO_THOUGHT = Thought(float("nan"), float("nan"), {}, float("nan"), 0)


def read_mind(run: Path, plan: AnyPlan) -> Agent | None:
    """The agent of a run's newest checkpoint; None where there is none.

    Raises:
        ConfigError: when the checkpoint is of another configuration.
    """
    folder = RunFolder(run)
    checkpoints = Checkpoints(folder.checkpoints)
    if not folder.checkpoints.is_dir() or checkpoints.load() is None:
        return None
    trainer = make_trainer(plan)
    trainer.resume(checkpoints)
    return trainer.agent


class Mind:
    """Watches a log step by step with an agent's model, and imagines beside it.

    Every 50 steps, and at each episode's beginning, imagination starts anew from what was watched.

    Args:
        agent: in evaluation; it is not changed.
        seed: of the model's chances.
    """

    def __init__(self, agent: Agent, seed: int = 0) -> None:
        self._model, self._behaviour, self._keys = agent.model, agent.behaviour, agent.keys
        self._rng = torch.Generator().manual_seed(seed)
        self._critic = agent.behaviour.critic if isinstance(agent.behaviour, ActorCritic) else None
        self._seen: State = self._model.dynamics.initial(1)
        self._dream = self._seen
        self._action = torch.zeros(1, self._model.dynamics.action)
        self._age = 0

    def follow(self, steps: Iterable[Transition]) -> Iterator[Thought]:
        """A thought on each step, in order."""
        for step in steps:
            yield self.watch(step)

    @torch.inference_mode()
    def watch(self, step: Transition) -> Thought:
        """A thought on the next step."""
        model, first = self._model, bool(step.arrays["is_first"])
        seen = {key: torch.from_numpy(step.arrays[key].copy())[None] for key in self._keys}
        embed = model.encoder(seen)
        chance = self._chance()
        self._seen, post = model.step(
            self._seen, self._action, embed, torch.tensor([[first]]), chance
        )
        self._age = 0 if first else (self._age + 1) % (CONTEXT + HORIZON)
        ahead = max(0, self._age - CONTEXT + 1)
        if ahead:
            self._dream = model.dynamics.imagine_step(self._dream, self._action, chance)
        else:
            self._dream = self._seen
        self._action = torch.from_numpy(step.arrays["action"].copy())[None].float()
        prior = model.dynamics.prior(self._seen.deter)
        surprise = float(model.dynamics.latents.kl(post, prior))
        reward = float(self._model.reward(self._dream.feat))
        return Thought(surprise, self._value(), self._imagined(), reward, ahead)

    def _chance(self) -> torch.Tensor:
        return torch.rand(1, self._model.dynamics.latents.stoch, generator=self._rng)

    def _value(self) -> float:
        return float("nan") if self._critic is None else float(self._critic(self._seen.feat))

    def _imagined(self) -> dict[str, np.ndarray]:
        told = self._model.decoder(self._dream.feat)
        return {key: _plain(value.float()[0]) for key, value in told.items()}


def _plain(told: torch.Tensor) -> np.ndarray:
    if told.ndim == 3:
        told = told.clamp(0, 1).mul(255).round().byte()
    return told.numpy()
