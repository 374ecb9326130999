r"""The recurrent state-space model: a deterministic memory and a stochastic state.

      a_{t-1}                 a_t
         \                      \
    s_{t-1} --> deter_t --> s_t --> deter_{t+1} ...      s = (deter, stoch)
                  |  \
               prior  post <-- embed_t

Recurrent state is kept apart from the parameters of distributions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, Self

import torch
from torch import Tensor, nn

from learner.model.latents import Latents
from learner.model.nets import Dense, Hidden, Linear, NormGRU, Style, mlp


class State(NamedTuple):
    """Recurrent state: deter (..., D), all that is carried beside stoch (..., width); float32.

    A model whose features are something else than both together overrides `feat` in a subclass.
    """

    deter: Tensor
    stoch: Tensor

    @property
    def feat(self) -> Tensor:
        """(..., F): what heads and policies read."""
        return torch.cat([self.stoch, self.deter], -1)

    def detach(self) -> Self:
        """The same values without their history."""
        return type(self)(self.deter.detach(), self.stoch.detach())

    def flatten(self) -> Self:
        """(B, T, ...) -> (B * T, ...)."""
        return type(self)(self.deter.flatten(0, 1), self.stoch.flatten(0, 1))

    def __getitem__(self, rows: Tensor | slice) -> Self:  # type: ignore[override]
        """Pick rows of the first axis."""
        return type(self)(self.deter[rows], self.stoch[rows])

    def at(self, steps: int | slice) -> Self:
        """Pick steps of the second axis, (B, T, ...)."""
        return type(self)(self.deter[:, steps], self.stoch[:, steps])


def stack(states: Sequence[State]) -> State:
    """Join T states (B, ...) to one (B, T, ...)."""
    deter, stoch = zip(*states, strict=True)
    return type(states[0])(torch.stack(deter, 1), torch.stack(stoch, 1))


class Dynamics(Protocol):
    """A latent dynamics model: how states follow from states, actions and observations.

    Attributes:
        action: A, width of the action.
        latents: the kind of its stochastic state.
        feat_width: F, of a state's features.
    """

    action: int
    latents: Latents
    feat_width: int

    def initial(self, batch: int) -> State:
        """State before anything was seen, (B, ...)."""
        ...

    def prior(self, deter: Tensor) -> Tensor:
        """Distribution of the stochastic state before seeing: (..., D) -> (..., S, P)."""
        ...

    def observe_step(
        self, state: State, action: Tensor, embed: Tensor, noise: Tensor
    ) -> tuple[State, Tensor]:
        """Move one step with an observation; see `RSSM.observe_step`."""
        ...

    def imagine_step(self, state: State, action: Tensor, noise: Tensor) -> State:
        """Move one step without an observation; see `RSSM.imagine_step`."""
        ...


class Inputs(Protocol):
    """What stands between stochastic state with action and the recurrent cell.

    Attributes:
        width: of its output.
    """

    width: int

    def __call__(self, stoch: Tensor, action: Tensor) -> Tensor:
        """(B, width of a sample), (B, A) -> (B, width)."""
        ...


class JoinedInputs(nn.Module):
    """One layer for stochastic state and action together (PlaNet)."""

    def __init__(self, stoch: int, action: int, units: int, style: Style) -> None:
        super().__init__()
        self.layer, self.width = Dense(stoch + action, units, style), units

    def forward(self, stoch: Tensor, action: Tensor) -> Tensor:
        """(B, width of a sample), (B, A) -> (B, width)."""
        return self.layer(torch.cat([stoch, action], -1))


# From width of a sample, A, units and style.
MakeInputs = Callable[[int, int, int, Style], Inputs]
# A recurrent cell: (B, in), (B, D) -> (B, D) in float32.
Cell = Callable[[int, int, Style], nn.Module]


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
    """Recurrent state-space model (PlaNet, arXiv 1811.04551), of any latents and any cell.

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
        cell: makes the recurrent cell from input width, D and style; by default the layer-norm
            GRU of DreamerV2 (arXiv 2010.02193).
        inputs: makes what the cell reads of stochastic state and action.
    """

    def __init__(
        self,
        action: int,
        embed: int,
        deter: int,
        units: int,
        latents: Latents,
        style: Style,
        start: nn.Module,
        prior_layers: int = 1,
        post_layers: int = 1,
        cell: Cell = NormGRU,
        inputs: MakeInputs = JoinedInputs,
    ) -> None:
        super().__init__()
        self.action, self.deter, self.latents, self.start = action, deter, latents, start
        self.feat_width = deter + latents.width
        self.inputs = inputs(latents.width, action, units, style)
        self.cell = cell(self.inputs.width, deter, style)
        self.prior_layers = mlp(deter, Hidden(units, prior_layers, style))
        self.prior_out = Linear(units, latents.raw, style)
        self.post_layers = mlp(deter + embed, Hidden(units, post_layers, style))
        self.post_out = Linear(units, latents.raw, style)

    def initial(self, batch: int) -> State:
        """State before anything was seen, (B, ...)."""
        return self.start(self, batch)

    def recall(self, state: State, action: Tensor) -> Tensor:
        """(B, ...), (B, A) -> (B, D)."""
        return self.cell(self.inputs(state.stoch, action), state.deter)

    def prior(self, deter: Tensor) -> Tensor:
        """(..., D) -> (..., S, P)."""
        return self.latents.dist(self.prior_out(self.prior_layers(deter)))

    def posterior(self, deter: Tensor, embed: Tensor) -> Tensor:
        """(..., D), (..., E) -> (..., S, P)."""
        seen = torch.cat([deter.to(embed.dtype), embed], -1)
        return self.latents.dist(self.post_out(self.post_layers(seen)))

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
            The next state and its posterior (B, S, P).
        """
        deter = self.recall(state, action)
        post = self.posterior(deter, embed)
        return State(deter, self.latents.sample(post, noise)), post

    def imagine_step(self, state: State, action: Tensor, noise: Tensor) -> State:
        """Move one step without an observation: (B, ...), (B, A), noise (B, S) -> (B, ...)."""
        deter = self.recall(state, action)
        return State(deter, self.latents.sample(self.prior(deter), noise))
