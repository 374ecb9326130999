"""What a world model sees, and what it foretells without seeing, beside the truth.

    index          0  ..  C-1 | C  ..  C+H-1
    observed       o_0 .. o_{C-1}                 context: the model sees
    foretold                  | C  ..  C+H-1      it dreams on with the actions that were recorded
    seen           0  ..  C-1 | C  ..  C+H-1      what it decodes where it sees every step

Dreamer (arXiv 1912.01603, figure 4) shows such predictions with C = 5 and H = 45.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from learner.model.rssm import State
from learner.model.world_model import Batch, WorldModel

# Below this share of a quantity's mean square, its variance is only rounding.
ROUNDING = 1e-12
Decoded = dict[str, Tensor]


@dataclass(frozen=True)
class Foretold:
    """What a model made of B chunks of T = C + H steps; by key, the reward among them.

    Vectors are in their own units, pictures in [0, 1].

    Args:
        truth: (B, T, ...) what happened.
        seen: (B, T, ...) decoded from states that have seen every step up to it.
        futures: (B, K, H, ...) decoded from K dreams, which have seen the context alone.
        live: (B, H) whether the episode of the context still goes on.
    """

    truth: Decoded
    seen: Decoded
    futures: Decoded
    live: Tensor

    @property
    def context(self) -> int:
        """C: steps that were seen before the dreams."""
        return next(iter(self.truth.values())).shape[1] - self.live.shape[1]


@dataclass(frozen=True)
class Errors:
    """Squared errors of one key by steps of foresight, over those of foretelling its mean: (H,).

    0 is perfect, 1 as bad as the mean of all chunks; NaN where the key does not vary, or no chunk
    goes on so long.

    Args:
        foretold: of the mean of the dreams.
        persistence: of believing that nothing changes after the context.
        seen: of decoding what was seen, which no prediction should beat.
        rms: of `foretold` per entry, not squared and in the key's own units.
    """

    foretold: np.ndarray
    persistence: np.ndarray
    seen: np.ndarray
    rms: np.ndarray


@torch.inference_mode()
def foretell(model: WorldModel, batch: Batch, context: int, futures: int) -> Foretold:
    """Let a model watch the first steps of chunks, and dream on with the recorded actions.

    Args:
        model: the world model; it is not changed.
        batch: (B, T, ...) observations, action, reward and is_first, as a replay draws them.
        context: C, steps that are observed.
        futures: K, dreams of each chunk, which differ by chance.

    Raises:
        ValueError: for a context that leaves nothing to see, or nothing to foretell.
    """
    rows, length = batch["is_first"].shape
    if not 1 <= context < length:
        raise ValueError(f"context {context}: allowed is 1 to {length - 1} of {length} steps")
    horizon = length - context
    watched = model.observe(batch).states
    again = torch.arange(rows).repeat_interleave(futures)
    noise = torch.rand(horizon, rows * futures, model.dynamics.latents.stoch)
    # actions[:, t] was taken in the state of index t: the last one of the context starts the dream.
    actions = batch["action"][:, context - 1 : -1][again]
    dreamt = model.unroll(watched.at(context - 1)[again], actions, noise)  # (B * K, H, ...)
    seen = decode(model, watched)
    truth = {key: _own_units(batch[key]) for key in seen if key != "reward"}
    told = {
        key: value.unflatten(0, (rows, futures)) for key, value in decode(model, dreamt).items()
    }
    live = batch["is_first"][:, context:].cumsum(1) == 0
    return Foretold(truth | {"reward": batch["reward"][..., None].float()}, seen, told, live)


def decode(model: WorldModel, states: State) -> Decoded:
    """What states (N, T, ...) tell of every observed key, and of the reward (N, T, 1).

    Row by row, for pictures of many rows at once would need much memory.
    """
    rows = [_decode_row(model, row) for row in states.feat.split(1)]
    return {key: torch.cat([row[key] for row in rows]) for key in rows[0]}


def open_loop_errors(found: Foretold) -> dict[str, Errors]:
    """Errors of every key by steps of foresight; see `Errors`."""
    return {key: _errors(found, key) for key in found.truth}


def reconstruction_errors(found: Foretold) -> dict[str, float]:
    """Squared error of `seen` over the variance of the truth, of all steps of each key."""
    return {
        key: float(_squares(found.seen[key], truth).mean() / _spread(truth).mean())
        for key, truth in found.truth.items()
    }


def _decode_row(model: WorldModel, feat: Tensor) -> Decoded:
    found: Mapping[str, Tensor] = model.decoder(feat)
    return {**{k: v.float() for k, v in found.items()}, "reward": model.reward(feat)[..., None]}


def _own_units(value: Tensor) -> Tensor:
    return value.float() / 255 if value.dtype == torch.uint8 else value.float()


def _errors(found: Foretold, key: str) -> Errors:
    truth, start = found.truth[key], found.context
    future, last = truth[:, start:], truth[:, start - 1 : start]
    misses = {
        "foretold": _squares(found.futures[key].mean(1), future),
        "persistence": _squares(last.expand_as(future), future),
        "seen": _squares(found.seen[key][:, start:], future),
    }
    means = {name: _mean(miss, found.live) for name, miss in misses.items()}
    spread = _mean(_spread(truth)[:, start:], found.live)
    shares = {
        name: torch.where(spread > 0, mean / spread, torch.nan) for name, mean in means.items()
    }
    arrays = {name: share.numpy() for name, share in shares.items()}
    return Errors(**arrays, rms=means["foretold"].sqrt().numpy())


def _squares(a: Tensor, b: Tensor) -> Tensor:
    """(B, T, ...) twice -> (B, T) squared distances, mean over entries; in float64, row by row."""
    return torch.stack(
        [(x.double() - y).square().flatten(1).mean(1) for x, y in zip(a, b, strict=True)]
    )


def _spread(truth: Tensor) -> Tensor:
    """(B, T) squared distances from the mean of all steps; NaN where nothing ever varies."""
    mean = truth.mean((0, 1), dtype=torch.float64)
    away = _squares(truth, mean.expand_as(truth))
    varies = away.mean() > ROUNDING * _squares(truth, torch.zeros_like(truth)).mean()
    return torch.where(varies, away, torch.nan)


def _mean(value: Tensor, live: Tensor) -> Tensor:
    """(B, H) -> (H,) mean over the chunks that still go on; NaN where none does."""
    return torch.where(live, value, torch.nan).nanmean(0)
