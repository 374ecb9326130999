"""Changes to batches before they are learnt from."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch
from torch import Tensor

from robot.config import ConfigError


class Mirror:
    """Reflects a random half of the chunks left to right: the body's symmetry doubles the data.

    A legged body is (nearly) its own mirror image, so that a reflected chunk of experience is as
    true as the recorded one, with the same reward.

    Args:
        mirror: per key (permutation, sign); empty for a body without that symmetry.
        keys: observation keys that are learnt from.

    Raises:
        ConfigError: for a key whose reflection is not known, such as a picture: a chunk that is
            reflected in part would be a lie.
    """

    def __init__(
        self, mirror: Mapping[str, tuple[np.ndarray, np.ndarray]], keys: Collection[str]
    ) -> None:
        self.maps = {
            key: (torch.as_tensor(order), torch.as_tensor(sign, dtype=torch.float32))
            for key, (order, sign) in mirror.items()
        }
        missing = [key for key in (*keys, "action") if mirror and key not in mirror]
        if missing:
            raise ConfigError(
                f"mirror true: no reflection of '{missing[0]}' is known; set mirror=false, "
                f"or choose keys from {', '.join(mirror)}"
            )

    def __call__(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """(B, T, ...) -> the same with about half of the rows reflected."""
        chosen = torch.rand(batch["action"].shape[0]) < 0.5
        done = dict(batch)
        for key, (order, sign) in self.maps.items():
            if key in batch:
                flipped = batch[key][..., order] * sign
                done[key] = torch.where(chosen[:, None, None], flipped, batch[key])
        return done


class ShiftReward:
    """Subtracts a constant, so that a critic need not creep up to a large common value.

    Args:
        offset: task units.
    """

    def __init__(self, offset: float) -> None:
        self.offset = offset

    def __call__(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Batch with the reward lowered."""
        return {**batch, "reward": batch["reward"] - self.offset}


class PickStarts:
    """Chooses at most `count` states, at random, that dreams start from; 0 takes all.

    Args:
        count: N.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, live: Tensor) -> Tensor:
        """(M,) -> (N,) row numbers."""
        if not 0 < self.count < live.shape[0]:
            return torch.arange(live.shape[0])
        return torch.randperm(live.shape[0])[: self.count]


class PickLive(PickStarts):
    """Chooses as `PickStarts` does, but among states after which the episode goes on."""

    def __call__(self, live: Tensor) -> Tensor:
        """(M,) -> (N,) row numbers; all of them terminal gives none."""
        rows = live.nonzero().flatten()
        return rows[super().__call__(rows)]


class TanhReward:
    """Keeps rewards within -1 and 1, as DreamerV2 does on Atari (`clip_rewards: tanh`)."""

    def __call__(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Batch with the reward's tanh."""
        return {**batch, "reward": torch.tanh(batch["reward"])}
