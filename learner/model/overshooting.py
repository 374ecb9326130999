r"""Latent overshooting: the prior is trained to foretell several steps ahead, without looking.

s_t (seen) --a_t--> prior_{t+1} --a_{t+1}--> prior_{t+2} ...     open loop, from every t at once
                        |                        |
                   post_{t+1}               post_{t+2}           targets, without gradients
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from learner.model.rssm import State
from learner.model.world_model import Batch, Posterior, WorldModel


class LatentOvershooting:
    """Divergences of priors that look 2..D steps ahead (PlaNet, arXiv 1811.04551, eq. 6 and 7).

    As there, all distances count the same and the posteriors are targets without a gradient; the
    states from which the priors start keep theirs. The distance of one is the objective's own.
    Nothing is foretold across an episode's start.

    Args:
        distance: D, furthest prediction.
        free: nats per prediction below which there is no gradient.
        scale: beta, of the loss.

    Raises:
        ValueError: for a distance below 2.
    """

    def __init__(self, distance: int, free: float, scale: float = 1.0) -> None:
        if distance < 2:
            raise ValueError(f"distance {distance}: allowed is 2 or more steps")
        self.distance, self.free, self.scale = distance, free, scale

    def __call__(self, model: WorldModel, watched: Posterior, batch: Batch) -> dict[str, Tensor]:
        """One loss (B, T), told at the step where the prediction starts.

        Its mean over all entries is that over the pairs that exist, distances averaged.
        """
        excess, exists = (x[..., 1:] for x in self.divergences(model, watched, batch))
        least = 1 / exists[..., 0].numel()  # one pair in all; where there is none, all is zero
        share = exists / exists.mean((0, 1)).clamp(min=least)
        return {"overshooting": self.scale * (share * excess).mean(-1)}

    def divergences(
        self, model: WorldModel, watched: Posterior, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """KL(sg(post_{t+d}) || prior_{t -> t+d}) above the free nats, and whether t+d exists.

        Returns:
            Two (B, T, D) float32; entry d - 1 is of distance d. Where the second is 0, the first
            is too.
        """
        dynamics, post = model.dynamics, watched.post.detach()
        length = post.shape[1]
        first, action = batch["is_first"], batch["action"]
        state, valid = watched.states, torch.ones_like(first)
        excess, exists = [], []
        for d in range(1, self.distance + 1):
            # Row t of `state` was foretold for step t + d - 1; those of the end have no next step.
            state, valid = state.at(slice(None, -1)), valid[:, :-1] & ~first[:, d:]
            state = _step(model, state, action[:, d - 1 : -1])
            prior = dynamics.prior(state.deter)  # (B, T - d, S, P)
            over = (dynamics.latents.kl(post[:, d:], prior) - self.free).clamp(min=0)
            over = torch.where(valid, over, 0.0)
            excess.append(_pad(over, length))
            exists.append(_pad(valid.float(), length))
        return torch.stack(excess, -1), torch.stack(exists, -1)


def _step(model: WorldModel, state: State, action: Tensor) -> State:
    """Foretell one step for (B, T, ...) states at once."""
    count, length = action.shape[:2]
    noise = torch.rand(count * length, model.dynamics.latents.stoch, device=action.device)
    after = model.dynamics.imagine_step(state.flatten(), action.flatten(0, 1), noise)
    return type(after)(*(part.unflatten(0, (count, length)) for part in after))


def _pad(x: Tensor, length: int) -> Tensor:
    """(B, t) -> (B, T), zeros at the end."""
    return F.pad(x, (0, length - x.shape[1]))
