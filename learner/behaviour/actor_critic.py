"""The actor-critic that learns inside the dreams of a world model, by gradients through them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from learner.behaviour.actor import NormalActor
from learner.behaviour.critic import Critic
from learner.behaviour.normalise import AdvantageScale, Exploration
from learner.behaviour.returns import dream_weights, lambda_return
from learner.model.rssm import State
from learner.model.world_model import Dream, WorldModel


@dataclass(frozen=True)
class Outlook:
    """How far and how patiently a dream looks ahead.

    Args:
        horizon: H, imagined steps.
        gamma: discount per step.
        lam: of the lambda return.
    """

    horizon: int
    gamma: float
    lam: float


class ActorCritic(nn.Module):
    """Chooses actions, and learns to by dreaming.

    The value of a state excludes the reward of that state: what counts first is the reward
    predicted on arriving in the next.

    Args:
        actor: the policy.
        critic: values of states.
        scale: how advantages are scaled.
        explore: bonus for randomness.
        outlook: horizon, discount, lambda.
    """

    def __init__(
        self,
        actor: NormalActor,
        critic: Critic,
        scale: AdvantageScale,
        explore: Exploration,
        outlook: Outlook,
    ) -> None:
        super().__init__()
        self.actor, self.critic, self.scale = actor, critic, scale
        self.explore, self.outlook = explore, outlook

    def act(self, state: State, noise: Tensor) -> Tensor:
        """Sample actions: (N, ...), (N, A) standard normal -> (N, A)."""
        return self.actor(state.feat).sample(noise)

    def dream(self, model: WorldModel, start: State) -> Dream:
        """Imagine from N detached starts; the model's weights must be frozen by the caller."""
        count, steps = start.deter.shape[0], self.outlook.horizon
        device = start.deter.device
        latent = torch.rand(steps, count, model.dynamics.latents.stoch, device=device)
        action = torch.randn(steps + 1, count, self.actor.action, device=device)
        return model.imagine(start, self.act, (latent, action))

    def returns(
        self, model: WorldModel, dream: Dream, live: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Lambda returns (N, H), values (N, H+1) and weights (N, H+1) of a dream.

        Args:
            model: predicts reward and continuation.
            dream: N trajectories.
            live: (N,) 1 where the start was not terminal.
        """
        feat = dream.states.feat
        value = self.critic(feat)
        cont = torch.cat([live[:, None], model.cont(feat[:, 1:])], 1)
        reward = model.reward(feat[:, 1:])
        gamma, lam = self.outlook.gamma, self.outlook.lam
        returns = lambda_return(reward, value, gamma * cont[:, 1:], lam)
        return returns, value, dream_weights(cont, gamma)

    def actor_loss(self, dream: Dream, returns: Tensor, value: Tensor, weight: Tensor) -> Tensor:
        """(N, H) weighted loss; gradients reach the actor through dynamics, reward and values.

        The baseline is detached, unlike the reference's, which differentiates it by oversight.
        """
        advantage = self.scale(returns, value[:, :-1].detach())
        policy = self.actor(dream.states.feat[:, :-1].detach())
        bonus = self.explore(policy.entropy(), self.actor.entropy_bounds())
        return -weight[:, :-1] * (advantage + bonus)

    def critic_loss(self, dream: Dream, returns: Tensor, weight: Tensor) -> Tensor:
        """(N, H) weighted loss; gradients reach the critic's head alone."""
        feat = dream.states.feat[:, :-1].detach()
        return weight[:, :-1] * self.critic.loss(feat, returns.detach())
