"""The world model: encoder, dynamics, heads and objective; the one place where is_first masks.

Sequence of a chunk, and what each state has seen:

    index           0        1        2
    observation    o_0      o_1      o_2
    prev_action     0       a_0      a_1        zeros where is_first
    state          s_0      s_1      s_2        s_t has seen o_0..o_t and a_0..a_{t-1}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from learner.model.objectives import Objective
from learner.model.rssm import Dynamics, State, stack

Batch = Mapping[str, Tensor]
Act = Callable[[State, Tensor], Tensor]
Extra = Callable[["WorldModel", "Posterior", Batch], dict[str, Tensor]]


class Embeds(Protocol):
    """An encoder: what was observed becomes one vector.

    Attributes:
        width: E.
    """

    width: int

    def __call__(self, observation: Batch) -> Tensor:
        """Dict of (..., shape) -> (..., E)."""
        ...


@dataclass(frozen=True)
class Posterior:
    """Result of watching a batch: states (B, T, ...) and their distributions (B, T, S, P)."""

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


def prev_actions(action: Tensor, is_first: Tensor, before: Tensor | None = None) -> Tensor:
    """Actions that led to each index.

    Args:
        action: (B, T, A) taken at each index.
        is_first: (B, T) whether an episode starts there.
        before: (B, A) taken before index 0; zeros unless given.

    Returns:
        (B, T, A), zeros where is_first.
    """
    lead = torch.zeros_like(action[:, 0]) if before is None else before
    shifted = torch.cat([lead[:, None], action[:, :-1]], 1)
    return torch.where(is_first[..., None], 0.0, shifted)


def restart(state: State, start: State, first: Tensor) -> State:
    """`start` where `first` (B, 1), else `state`; whatever the state was, even not finite."""
    pairs = zip(state, start, strict=True)
    return type(state)(*(torch.where(first, new, old) for old, new in pairs))


class WorldModel(nn.Module):
    """What a robot knows of itself.

    Args:
        encoder: observations to embedding.
        dynamics: the latent model.
        decoder: features back to observations.
        reward: head for the reward on arriving.
        cont: head for the probability that the episode goes on.
        objective: what holds prior and posterior together.
        extras: further losses of what was watched, such as latent overshooting.
    """

    encoder: Embeds
    dynamics: Dynamics

    def __init__(
        self,
        encoder: Embeds,
        dynamics: Dynamics,
        decoder: nn.Module,
        reward: nn.Module,
        cont: nn.Module,
        objective: Objective,
        extras: Sequence[Extra] = (),
    ) -> None:
        super().__init__()
        self.encoder, self.dynamics, self.decoder = encoder, dynamics, decoder
        self.reward, self.cont, self.objective = reward, cont, objective
        self.extras = tuple(extras)

    def step(
        self, state: State, action: Tensor, embed: Tensor, first: Tensor, noise: Tensor
    ) -> tuple[State, Tensor]:
        """One observed step; where `first`, state and action start anew.

        Args:
            state: (B, ...) before.
            action: (B, A) taken in it.
            embed: (B, E) of the new observation.
            first: (B, 1) bool, whether an episode starts here.
            noise: (B, S) uniform.

        Returns:
            The new state and its distribution (B, S, P).
        """
        fresh = restart(state, self.dynamics.initial(first.shape[0]), first)
        action = torch.where(first, 0.0, action)
        return self.dynamics.observe_step(fresh, action, embed, noise)

    def observe(
        self, batch: Batch, state: State | None = None, before: Tensor | None = None
    ) -> Posterior:
        """Watch a batch of chunks, (B, T, ...).

        Args:
            batch: observations, actions and is_first.
            state: (B, ...) to go on from; the initial one unless given.
            before: (B, A) action that was taken in `state`.
        """
        embed = self.encoder(batch)
        firsts = batch["is_first"][..., None]  # (B, T, 1)
        actions = prev_actions(batch["action"], batch["is_first"], before)
        count, length = firsts.shape[:2]
        noise = torch.rand(length, count, self.dynamics.latents.stoch, device=embed.device)
        start = self.dynamics.initial(count)
        state = state or start
        states, posts = [], []
        for t in range(length):
            fresh = restart(state, start, firsts[:, t])
            state, post = self.dynamics.observe_step(fresh, actions[:, t], embed[:, t], noise[t])
            states.append(state)
            posts.append(post)
        return Posterior(stack(states), torch.stack(posts, 1))

    def losses(self, batch: Batch) -> tuple[dict[str, Tensor], State]:
        """All model losses, (B, T) each, and the posterior states (B, T, ...)."""
        watched = self.observe(batch)
        feat = watched.states.feat
        prior = self.dynamics.prior(watched.states.deter)
        losses = self.objective(self.dynamics.latents, watched.post, prior)
        losses |= self.decoder.losses(feat, batch)  # type: ignore[operator]
        losses["reward"] = self.reward.loss(feat, batch["reward"])  # type: ignore[operator]
        losses["continue"] = self.cont.loss(feat, 1 - batch["is_terminal"].float())  # type: ignore[operator]
        for extra in self.extras:
            losses |= extra(self, watched, batch)
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
        return Dream(stack(states), torch.stack(actions, 1))

    def unroll(self, start: State, actions: Tensor, noise: Tensor) -> State:
        """Follow N action sequences open loop.

        Args:
            start: (N, ...).
            actions: (N, H, A), the first one taken in `start`.
            noise: (H, N, S) uniform.

        Returns:
            The H states after them, (N, H, ...).
        """
        states = [start]
        for t in range(actions.shape[1]):
            states.append(self.dynamics.imagine_step(states[-1], actions[:, t], noise[t]))
        return stack(states[1:])
