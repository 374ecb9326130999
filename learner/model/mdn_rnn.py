r"""M of World Models (Ha and Schmidhuber 2018, arXiv 1803.10122): an LSTM with mixture outputs.

    z_{t-1}, a_{t-1}        z_t, a_t
           \                   \
    h_0 --> LSTM --> h_t --> LSTM --> h_{t+1}      h before the first observation was acted on is 0
                      |
                      p(z_t): per variable a mixture of normals;   z_t itself comes from V alone

V's encoder decides the posterior, whatever the memory; so M is trained with V held fixed.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.latents import EDGE, Gaussians, Latents
from learner.model.rssm import State
from learner.model.world_model import Batch, Posterior, WorldModel

LOG_ROOT = 0.5 * math.log(2 * math.pi)


class Mixtures:
    """`stoch` independent mixtures of normals: P is log weights, means, log deviations, 3 K.

    Args:
        stoch: S, number of variables.
        components: K, normals of each; 5 in the paper.
        temperature: of draws: log weights are divided by it, deviations multiplied by its root.
    """

    def __init__(self, stoch: int, components: int = 5, temperature: float = 1.0) -> None:
        self.stoch, self.components, self.temperature = stoch, components, temperature
        self.width, self.raw = stoch, 3 * components * stoch

    def dist(self, raw: Tensor) -> Tensor:
        """(..., 3 K S) network output -> (..., S, 3 K) float32, log weights normalised."""
        weight, mean, log_std = raw.float().unflatten(-1, (self.stoch, -1)).chunk(3, -1)
        return torch.cat([F.log_softmax(weight, -1), mean, log_std], -1)

    def nll(self, dist: Tensor, value: Tensor) -> Tensor:
        """Nats of each variable: (..., S, 3 K), (..., S) -> (..., S)."""
        weight, mean, log_std = dist.chunk(3, -1)
        apart = (value[..., None] - mean) * (-log_std).exp()
        return -torch.logsumexp(weight - 0.5 * apart.square() - log_std - LOG_ROOT, -1)

    def sample(self, dist: Tensor, noise: Tensor) -> Tensor:
        """(..., S, 3 K), (..., S) uniform -> (..., S), with gradients to mean and deviation.

        The one number chooses the component, and its place among those that choose it, the normal.
        """
        log_weight, mean, log_std = dist.chunk(3, -1)
        weight = F.softmax(log_weight.detach() / self.temperature, -1)
        upper = weight.cumsum(-1)
        place = noise[..., None] * upper[..., -1:]
        chosen = (upper <= place).sum(-1, keepdim=True).clamp(max=self.components - 1)
        share = weight.gather(-1, chosen)
        within = (place - upper.gather(-1, chosen) + share) / share
        normal = torch.special.ndtri(within.clamp(EDGE, 1 - EDGE))
        std = log_std.gather(-1, chosen).exp() * math.sqrt(self.temperature)
        return (mean.gather(-1, chosen) + std * normal).squeeze(-1)

    def mode(self, dist: Tensor) -> Tensor:
        """(..., S, 3 K) -> (..., S) mean of the weightiest component, without a gradient."""
        weight, mean, _ = dist.detach().chunk(3, -1)
        return mean.gather(-1, weight.argmax(-1, keepdim=True)).squeeze(-1)

    def kl(self, post: Tensor, prior: Tensor) -> Tensor:
        """Upper bound of KL(normal || mixture), in nats summed over the variables -> (...).

        -log sum w exp(-KL(post || component)) (Hershey and Olsen, ICASSP 2007, eq. 20); exact for
        one component, where the KL itself has no closed form for more.

        Args:
            post: (..., S, 2) mean and deviation.
            prior: (..., S, 3 K).
        """
        weight, mean, log_std = prior.chunk(3, -1)
        at, width = post[..., :1], post[..., 1:]
        ratio = (width * (-log_std).exp()).square()
        apart = ((at - mean) * (-log_std).exp()).square()
        each = 0.5 * (ratio + apart - 1 - ratio.log())
        return -torch.logsumexp(weight - each, -1).sum(-1)

    def entropy(self, dist: Tensor) -> Tensor:
        """Upper bound of the entropy in nats, summed over the variables: (..., S, 3 K) -> (...).

        Kolchinsky and Tracey (Entropy 2017, eq. 10) with KL as the distance; exact where the
        components are equal or far apart.
        """
        weight, mean, log_std = dist.chunk(3, -1)
        ratio = (2 * (log_std[..., :, None] - log_std[..., None, :])).exp()
        gap = (mean[..., :, None] - mean[..., None, :]) * (-log_std[..., None, :]).exp()
        apart = 0.5 * (ratio + gap.square() - 1 - ratio.log())  # (..., S, K, K) KL(i || j)
        near = torch.logsumexp(weight[..., None, :] - apart, -1)
        own = log_std + LOG_ROOT + 0.5
        return (weight.exp() * (own - near)).sum((-2, -1))


class Memory(State):
    """deter holds h, c and whether anything was seen; features are z and h."""

    __slots__ = ()

    @property
    def hidden(self) -> Tensor:
        """(..., H): h."""
        return self.deter[..., : self.deter.shape[-1] // 2]

    @property
    def cell(self) -> Tensor:
        """(..., H): c."""
        return self.deter[..., self.deter.shape[-1] // 2 : -1]

    @property
    def feat(self) -> Tensor:
        """(..., S + H)."""
        return torch.cat([self.stoch, self.hidden], -1)


class MdnRnn(nn.Module):
    """MDN-RNN: predicts the next z from z, action and memory.

    Gradients never reach V through it: it reads z as it was drawn.

    Args:
        action: A.
        latents: the mixtures, of z variables.
        hidden: H, of the LSTM.
    """

    latents: Latents

    def __init__(self, action: int, latents: Mixtures, hidden: int) -> None:
        super().__init__()
        self.action, self.latents, self.hidden = action, latents, hidden
        self.feat_width = latents.width + hidden
        self._seen = Gaussians(latents.stoch)
        width = latents.width + action + hidden
        self.weight = nn.Parameter(torch.empty(4 * hidden, width))
        self.bias = nn.Parameter(torch.zeros(4 * hidden))
        self.out = nn.Linear(hidden, latents.raw)
        nn.init.xavier_uniform_(self.weight)
        nn.init.xavier_uniform_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def initial(self, batch: int) -> Memory:
        """State before anything was seen, (B, ...) zeros."""
        zeros = torch.zeros((), dtype=torch.float32, device=self.bias.device)
        deter = zeros.expand(batch, 2 * self.hidden + 1)
        return Memory(deter, zeros.expand(batch, self.latents.width))

    def recall(self, state: State, action: Tensor) -> Tensor:
        """(B, ...), (B, A) -> (B, D): one step of the LSTM; before anything was seen, zeros.

        The forget gate leans to keeping by 1 (the reference's `forget_bias`).
        """
        h, c, seen = state.deter.split([self.hidden, self.hidden, 1], -1)
        x = torch.cat([state.stoch.detach(), action, h], -1)
        gates = F.linear(x, self.weight, self.bias)
        write, value, keep, read = gates.chunk(4, -1)
        c = torch.sigmoid(keep + 1) * c + torch.sigmoid(write) * torch.tanh(value)
        h = torch.sigmoid(read) * torch.tanh(c)
        return torch.cat([h * seen, c * seen, torch.ones_like(seen)], -1)

    def prior(self, deter: Tensor) -> Tensor:
        """(..., D) -> (..., S, 3 K)."""
        return self.latents.dist(self.out(deter[..., : self.hidden]))

    def observe_step(
        self, state: State, action: Tensor, embed: Tensor, noise: Tensor
    ) -> tuple[Memory, Tensor]:
        """Move one step with an observation.

        Args:
            state: (B, ...) before.
            action: (B, A) taken in it.
            embed: (B, 2 S) mean and log variance by the encoder.
            noise: (B, S) uniform.

        Returns:
            The next state and its posterior (B, S, 2), which is the encoder's alone.
        """
        mean, log_var = embed.float().chunk(2, -1)
        post = torch.stack([mean, (0.5 * log_var).exp()], -1)
        return Memory(self.recall(state, action), self._seen.sample(post, noise)), post

    def imagine_step(self, state: State, action: Tensor, noise: Tensor) -> Memory:
        """Move one step without an observation: (B, ...), (B, A), noise (B, S) -> (B, ...)."""
        deter = self.recall(state, action)
        return Memory(deter, self.latents.sample(self.prior(deter), noise))


def next_latent(model: WorldModel, watched: Posterior, batch: Batch) -> dict[str, Tensor]:
    """NLL of the z that was seen, mean over its variables (B, T); 0 where nothing came before."""
    latents = model.dynamics.latents
    assert isinstance(latents, Mixtures)
    prior = model.dynamics.prior(watched.states.deter)
    nll = latents.nll(prior, watched.states.stoch.detach()).mean(-1)
    return {"next": torch.where(batch["is_first"], 0.0, nll)}


class FromMemory(nn.Module):
    """A head that reads h alone, out of z and h: foretold with z, not seen in it.

    Where nothing came before, h is zero and there is nothing to be learnt.

    Args:
        part: the head.
        hidden: H.
        rare: weight of the loss where the target is 0 (the reference counts each end of an
            episode ten times).
    """

    def __init__(self, part: nn.Module, hidden: int, rare: float = 1.0) -> None:
        super().__init__()
        self.part, self.hidden, self.rare = part, hidden, rare

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> prediction."""
        return self.part(feat[..., -self.hidden :])

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """(B, T, F), (B, T) -> (B, T)."""
        hidden = feat[..., -self.hidden :]
        loss = self.part.loss(hidden, target)  # type: ignore[operator]
        known = hidden.ne(0).any(-1)
        return torch.where(known, torch.where(target == 0, self.rare, 1.0) * loss, 0.0)
