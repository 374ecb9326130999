r"""The recurrent state-space model: a deterministic memory and a stochastic state.

      a_{t-1}                 a_t
         \                      \
    s_{t-1} --> deter_t --> s_t --> deter_{t+1} ...      s = (deter, stoch)
                  |  \
               prior  post <-- embed_t

Recurrent state is kept apart from distribution parameters, which are log probabilities.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from learner.model.latents import Categoricals
from learner.model.nets import Dense, Hidden, Linear, NormGRU, Style, mlp


class State(NamedTuple):
    """Recurrent state: deter (..., D) and stoch (..., S * C), both float32."""

    deter: Tensor
    stoch: Tensor

    @property
    def feat(self) -> Tensor:
        """(..., F): what heads and policies read."""
        return torch.cat([self.stoch, self.deter], -1)

    def detach(self) -> State:
        """The same values without their history."""
        return State(self.deter.detach(), self.stoch.detach())

    def flatten(self) -> State:
        """(B, T, ...) -> (B * T, ...)."""
        return State(self.deter.flatten(0, 1), self.stoch.flatten(0, 1))

    def __getitem__(self, rows: Tensor) -> State:  # type: ignore[override]
        """Pick rows of the first axis."""
        return State(self.deter[rows], self.stoch[rows])


class Dynamics(Protocol):
    """A latent dynamics model: how states follow from states, actions and observations."""

    latents: Categoricals
    feat_width: int

    def initial(self, batch: int) -> State:
        """State before anything was seen, (B, ...)."""
        ...

    def recall(self, state: State, action: Tensor) -> Tensor:
        """Memory of the next step (B, D) from the state and the action taken in it (B, A)."""
        ...

    def prior(self, deter: Tensor) -> Tensor:
        """Log probabilities of the stochastic state before seeing: (..., D) -> (..., S, C)."""
        ...

    def posterior(self, deter: Tensor, embed: Tensor) -> Tensor:
        """Log probabilities after seeing: (..., D), (..., E) -> (..., S, C)."""
        ...


class Start(Protocol):
    """How a sequence starts."""

    def __call__(self, rssm: RSSM, batch: int) -> State:
        """(B, ...) initial state."""
        ...


class ZeroStart(nn.Module):
    """Zeros."""

    def forward(self, rssm: RSSM, batch: int) -> State:
        """(B, ...) zeros."""
        weight = rssm.prior_out.weight
        zeros = torch.zeros((), dtype=torch.float32, device=weight.device)
        return State(zeros.expand(batch, rssm.deter), zeros.expand(batch, rssm.latents.width))


class LearnedStart(nn.Module):
    """A learned memory and the likeliest latent under it (DayDreamer, nets.py, `learned2`)."""

    def __init__(self, deter: int) -> None:
        super().__init__()
        self.memory = nn.Parameter(torch.zeros(deter))

    def forward(self, rssm: RSSM, batch: int) -> State:
        """(B, ...) learned state."""
        deter = torch.tanh(self.memory.float())[None]
        stoch = rssm.latents.mode(rssm.prior(deter))
        return State(deter.expand(batch, -1), stoch.expand(batch, -1))


class RSSM(nn.Module):
    """RSSM with categorical latents and a layer-norm GRU (DreamerV2, arXiv 2010.02193; DayDreamer).

    Args:
        action: A, width of the action.
        embed: E, width of the embedding.
        deter: D, width of the memory.
        units: width of hidden layers.
        latents: the stochastic state.
        style: activation, initialisation and norm of all layers.
        start: how sequences start.
        prior_layers: hidden layers between memory and prior.
        post_layers: hidden layers between memory with embedding and posterior.
    """

    def __init__(
        self,
        action: int,
        embed: int,
        deter: int,
        units: int,
        latents: Categoricals,
        style: Style,
        start: nn.Module,
        prior_layers: int = 1,
        post_layers: int = 1,
    ) -> None:
        super().__init__()
        self.deter, self.latents, self.start = deter, latents, start
        self.feat_width = deter + latents.width
        self.inputs = Dense(latents.width + action, units, style)
        self.cell = NormGRU(units, deter, style)
        self.prior_layers = mlp(deter, Hidden(units, prior_layers, style))
        self.prior_out = Linear(units, latents.width, style)
        self.post_layers = mlp(deter + embed, Hidden(units, post_layers, style))
        self.post_out = Linear(units, latents.width, style)

    def initial(self, batch: int) -> State:
        """State before anything was seen, (B, ...)."""
        return self.start(self, batch)

    def recall(self, state: State, action: Tensor) -> Tensor:
        """(B, ...), (B, A) -> (B, D)."""
        return self.cell(self.inputs(torch.cat([state.stoch, action], -1)), state.deter)

    def prior(self, deter: Tensor) -> Tensor:
        """(..., D) -> (..., S, C) log probabilities."""
        return self.latents.log_probs(self.prior_out(self.prior_layers(deter)))

    def posterior(self, deter: Tensor, embed: Tensor) -> Tensor:
        """(..., D), (..., E) -> (..., S, C) log probabilities."""
        seen = torch.cat([deter.to(embed.dtype), embed], -1)
        return self.latents.log_probs(self.post_out(self.post_layers(seen)))

    def observe_step(
        self, state: State, action: Tensor, embed: Tensor, noise: Tensor
    ) -> tuple[State, Tensor]:
        """Move one step with an observation.

        Args:
            state: (B, ...) before.
            action: (B, A) taken in it.
            embed: (B, E) of what was then seen.
            noise: (B, S) uniform.

        Returns:
            The next state and its posterior's log probabilities (B, S, C).
        """
        deter = self.recall(state, action)
        post = self.posterior(deter, embed)
        return State(deter, self.latents.sample(post, noise)), post

    def imagine_step(self, state: State, action: Tensor, noise: Tensor) -> State:
        """Move one step without an observation: (B, ...), (B, A), noise (B, S) -> (B, ...)."""
        deter = self.recall(state, action)
        return State(deter, self.latents.sample(self.prior(deter), noise))
