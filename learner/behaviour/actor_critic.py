"""The actor-critic that learns inside the dreams of a world model."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from learner.behaviour.critic import Critic
from learner.behaviour.gradient import Gradient, Through
from learner.behaviour.noise import Noise
from learner.behaviour.normalise import AdvantageScale, Exploration
from learner.behaviour.returns import Judged, Returns
from learner.behaviour.rewards import DreamReward, TaskReward
from learner.model.rssm import State
from learner.model.world_model import Dream, WorldModel


class Actor(Protocol):
    """Gives distributions of actions.

    Attributes:
        action: A, width of an action.
    """

    action: int

    def __call__(self, feat: Tensor) -> Any:
        """(..., F) -> distribution of (..., A), with `sample`, `log_prob` and `entropy`."""
        ...

    def entropy_bounds(self) -> tuple[float, float]:
        """Least and greatest entropy of one dimension, in nats."""
        ...


class ActorCritic(nn.Module):
    """Chooses actions, and learns to by dreaming.

    Args:
        actor: the policy.
        critic: values of states.
        horizon: H, imagined steps.
        returns: how rewards, values and ends become targets.
        scale: how advantages are scaled.
        explore: bonus for randomness.
        gradient: how the actor's gradient is estimated.
        reward: what the actor is paid for.
    """

    def __init__(
        self,
        actor: Actor,
        critic: Critic,
        horizon: int,
        returns: Returns,
        scale: AdvantageScale,
        explore: Exploration,
        gradient: Gradient | None = None,
        reward: DreamReward | None = None,
    ) -> None:
        super().__init__()
        self.actor, self.critic, self.horizon = actor, critic, horizon
        self.returns, self.scale, self.explore = returns, scale, explore
        self.gradient, self.reward = gradient or Through(), reward or TaskReward()

    def act(self, model: WorldModel, state: State, noise: Noise) -> Tensor:
        """Sample an action in one state, (1, ...) -> (1, A)."""
        return self.sample(state, noise.action(self.actor.action))

    def parts(self, model: WorldModel) -> dict[str, nn.Module]:
        """The actor."""
        return {"actor": self.actor}  # type: ignore[dict-item]

    def sample(self, state: State, noise: Tensor) -> Tensor:
        """Sample actions: (N, ...), (N, A) standard normal -> (N, A)."""
        return self.actor(state.feat).sample(noise)

    def dream(self, model: WorldModel, start: State) -> Dream:
        """Imagine from N detached starts; the model's weights must be frozen by the caller."""
        count, device = start.stoch.shape[0], start.stoch.device
        latent = torch.rand(self.horizon, count, model.dynamics.latents.stoch, device=device)
        action = torch.randn(self.horizon + 1, count, self.actor.action, device=device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.gradient.through):
            return model.imagine(start, self.sample, (latent, action))

    def judge(self, model: WorldModel, dream: Dream, live: Tensor) -> Judged:
        """Say what a dream was worth.

        Args:
            model: predicts reward and continuation.
            dream: N trajectories.
            live: (N,) 1 where the start was not terminal.
        """
        feat = dream.states.feat
        cont = torch.cat([live[:, None], model.cont(feat[:, 1:])], 1)
        return self.returns(self.reward(model, dream), self.critic(feat), cont)

    def actor_loss(self, dream: Dream, judged: Judged) -> Tensor:
        """(N, L) weighted loss; gradients reach the actor through the dream or through its odds.

        The baseline is detached, unlike DayDreamer's, which differentiates it by oversight and so
        rewards the actor for visiting states of low value.
        """
        steps = judged.credit.shape[1]
        advantage = self.scale(judged.credit, judged.baseline.detach())
        policy = self.actor(dream.states.at(slice(0, steps)).feat.detach())
        log_prob = policy.log_prob(dream.actions[:, :steps].detach())
        bonus = self.explore(policy.entropy(), self.actor.entropy_bounds())
        return -judged.credit_weight * (self.gradient(advantage, log_prob) + bonus)

    def critic_loss(self, dream: Dream, judged: Judged) -> Tensor:
        """(N, K) weighted loss; gradients reach the critic's head alone."""
        steps = slice(judged.first, judged.first + judged.returns.shape[1])
        feat = dream.states.at(steps).feat.detach()
        return judged.weight * self.critic.loss(feat, judged.returns.detach())
