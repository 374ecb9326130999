"""The world model: encoder, dynamics, heads and objective; the one place where is_first masks.

Sequence of a chunk, and what each state has seen:

    index           0        1        2
    observation    o_0      o_1      o_2
    prev_action     0       a_0      a_1        zeros where is_first
    state          s_0      s_1      s_2        s_t has seen o_0..o_t and a_0..a_{t-1}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from learner.model.encoders import Decoder, Encoder
from learner.model.objectives import Objective
from learner.model.rssm import RSSM, State

Batch = Mapping[str, Tensor]
Act = Callable[[State, Tensor], Tensor]


@dataclass(frozen=True)
class Posterior:
    """Result of watching a batch: states (B, T, ...) and post log probabilities (B, T, S, C)."""

    states: State
    post: Tensor


@dataclass(frozen=True)
class Dream:
    """Imagined rollout from N starts.

    Args:
        states: (N, H+1, ...); index 0 is the start.
        actions: (N, H+1, A); actions[:, t] was chosen in states[:, t] and leads to t+1, the last
            one leads nowhere.
    """

    states: State
    actions: Tensor


def prev_actions(action: Tensor, is_first: Tensor) -> Tensor:
    """Actions that led to each index: (B, T, A), (B, T) -> (B, T, A), zeros where is_first."""
    shifted = torch.cat([torch.zeros_like(action[:, :1]), action[:, :-1]], 1)
    return shifted * ~is_first[..., None]


class WorldModel(nn.Module):
    """What a robot knows of itself.

    Args:
        encoder: observations to embedding.
        dynamics: the latent model.
        decoder: features back to observations.
        reward: head for the reward on arriving.
        cont: head for the probability that the episode goes on.
        objective: what holds prior and posterior together.
    """

    def __init__(
        self,
        encoder: Encoder,
        dynamics: RSSM,
        decoder: Decoder,
        reward: nn.Module,
        cont: nn.Module,
        objective: Objective,
    ) -> None:
        super().__init__()
        self.encoder, self.dynamics, self.decoder = encoder, dynamics, decoder
        self.reward, self.cont, self.objective = reward, cont, objective

    def step(
        self, state: State, action: Tensor, embed: Tensor, first: Tensor, noise: Tensor
    ) -> tuple[State, Tensor]:
        """One observed step; where `first`, state and action start anew.

        Args:
            state: (B, ...) before.
            action: (B, A) taken in it.
            embed: (B, E) of the new observation.
            first: (B, 1) float, 1 where an episode starts.
            noise: (B, S) uniform.

        Returns:
            The new state and its posterior's log probabilities (B, S, C).
        """
        start = self.dynamics.initial(first.shape[0])
        fresh = State(
            torch.lerp(state.deter, start.deter, first), torch.lerp(state.stoch, start.stoch, first)
        )
        return self.dynamics.observe_step(fresh, action * (1 - first), embed, noise)

    def observe(self, batch: Batch, state: State | None = None) -> Posterior:
        """Watch a batch of chunks, (B, T, ...), from `state` or from nothing."""
        embed = self.encoder(batch)
        firsts = batch["is_first"].float()[..., None]  # (B, T, 1)
        actions = prev_actions(batch["action"], batch["is_first"])
        count, length = firsts.shape[:2]
        noise = torch.rand(length, count, self.dynamics.latents.stoch, device=embed.device)
        state = state or self.dynamics.initial(count)
        states, posts = [], []
        for t in range(length):
            state, post = self.step(state, actions[:, t], embed[:, t], firsts[:, t], noise[t])
            states.append(state)
            posts.append(post)
        deter, stoch = zip(*states, strict=True)
        return Posterior(State(torch.stack(deter, 1), torch.stack(stoch, 1)), torch.stack(posts, 1))

    def losses(self, batch: Batch) -> tuple[dict[str, Tensor], State]:
        """All model losses, (B, T) each, and the posterior states (B, T, ...)."""
        watched = self.observe(batch)
        feat = watched.states.feat
        losses = self.objective(watched.post, self.dynamics.prior(watched.states.deter))
        losses |= self.decoder.losses(feat, batch)
        losses["reward"] = self.reward.loss(feat, batch["reward"])  # type: ignore[operator]
        losses["continue"] = self.cont.loss(feat, 1 - batch["is_terminal"].float())  # type: ignore[operator]
        return losses, watched.states

    def imagine(self, start: State, act: Act, noises: tuple[Tensor, Tensor]) -> Dream:
        """Dream on from N starts with a policy.

        Args:
            start: (N, ...).
            act: policy from detached state and noise (N, A) to action (N, A).
            noises: latent noise (H, N, S) uniform, action noise (H+1, N, A) normal.
        """
        states, actions = [start], []
        for latent_noise, action_noise in zip(noises[0], noises[1][:-1], strict=True):
            actions.append(act(states[-1].detach(), action_noise))
            states.append(self.dynamics.imagine_step(states[-1], actions[-1], latent_noise))
        actions.append(act(states[-1].detach(), noises[1][-1]))
        deter, stoch = zip(*states, strict=True)
        return Dream(State(torch.stack(deter, 1), torch.stack(stoch, 1)), torch.stack(actions, 1))
