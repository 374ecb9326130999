r"""The RSSM's two rivals in PlaNet (arXiv 1811.04551, section 3): one has no memory, one no chance.

      a_{t-1}              a_t
         \                   \
    stoch_{t-1} ----> stoch_t ----> ...      the purely stochastic SSM
                        |
                      embed_t

The deterministic one is an RSSM whose latents are `Means`: what is drawn is always the mean.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from learner.model.latents import Gaussians, Latents
from learner.model.nets import Dense, Linear, Style
from learner.model.rssm import State


class Sampled(State):
    """A state whose features are the sample alone; `deter` holds the prior it was foretold with."""

    __slots__ = ()

    @property
    def feat(self) -> Tensor:
        """(..., width)."""
        return self.stoch


class SSM(nn.Module):
    """Purely stochastic state-space model: whatever it remembers must pass through a sample.

    Differs from the released code (planet, models/ssm.py) in the order in which the posterior reads
    the prior's means and deviations, which a dense layer does not see.

    Args:
        action: A, width of the action.
        embed: E, width of the embedding.
        units: width of the hidden layers, one in the transition and one in the posterior.
        latents: the stochastic state.
        style: of all layers.
    """

    def __init__(self, action: int, embed: int, units: int, latents: Latents, style: Style) -> None:
        super().__init__()
        self.action, self.latents, self.feat_width = action, latents, latents.width
        self.prior_layer = Dense(latents.width + action, units, style)
        self.prior_out = Linear(units, latents.raw, style)
        self.post_layer = Dense(latents.raw + embed, units, style)
        self.post_out = Linear(units, latents.raw, style)

    def initial(self, batch: int) -> Sampled:
        """(B, ...) zeros."""
        zeros = torch.zeros((), dtype=torch.float32, device=self.prior_out.weight.device)
        widths = (self.latents.raw, self.latents.width)
        return Sampled(*(zeros.expand(batch, width) for width in widths))

    def foretell(self, state: State, action: Tensor) -> Tensor:
        """(B, ...), (B, A) -> (B, D) parameters of the next state's prior, flattened."""
        hidden = self.prior_layer(torch.cat([state.stoch, action], -1))
        return self.latents.dist(self.prior_out(hidden)).flatten(-2)

    def prior(self, deter: Tensor) -> Tensor:
        """(..., D) -> (..., S, P)."""
        return deter.unflatten(-1, (self.latents.stoch, -1))

    def posterior(self, deter: Tensor, embed: Tensor) -> Tensor:
        """(..., D), (..., E) -> (..., S, P)."""
        seen = torch.cat([deter.to(embed.dtype), embed], -1)
        return self.latents.dist(self.post_out(self.post_layer(seen)))

    def observe_step(
        self, state: State, action: Tensor, embed: Tensor, noise: Tensor
    ) -> tuple[Sampled, Tensor]:
        """Move one step with an observation; see `RSSM.observe_step`."""
        deter = self.foretell(state, action)
        post = self.posterior(deter, embed)
        return Sampled(deter, self.latents.sample(post, noise)), post

    def imagine_step(self, state: State, action: Tensor, noise: Tensor) -> Sampled:
        """Move one step without an observation: (B, ...), (B, A), noise (B, S) -> (B, ...)."""
        deter = self.foretell(state, action)
        return Sampled(deter, self.latents.sample(self.prior(deter), noise))


class Means(Gaussians):
    """Normals of which always the mean is drawn: they make an RSSM deterministic."""

    def sample(self, dist: Tensor, noise: Tensor) -> Tensor:
        """(..., S, 2) -> (..., S) means, with gradients, whatever the noise."""
        return dist[..., 0]
