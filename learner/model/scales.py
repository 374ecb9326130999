"""What lets one set of numbers serve any task: symlog vectors, and bins of every magnitude.

DreamerV3 (arXiv 2301.04104v2), section "robust predictions".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from learner.model.encoders import Inputs, Observation
from learner.model.heads import ContinueHead, Trunk, symexp, symlog
from learner.model.nets import Hidden
from robot.wire.spec import Spec


class SymlogInputs(Inputs):
    """Vectors in symlog, for the encoder and as the decoder's target; no scale is needed.

    Args:
        specs: spec of each key to use.
    """

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        super().__init__(specs, gain=0.0)

    def vector(self, observation: Observation) -> Tensor:
        """All vector keys, (..., width) float32."""
        return symlog(super().vector(observation))

    def told(self, vector: Tensor | None, image: Tensor | None) -> dict[str, Tensor]:
        """What was foretold, by key and in each key's own units; see `Inputs.told`."""
        return super().told(None if vector is None else symexp(vector), image)


class SymexpHead(Trunk):
    """Predicts a scalar as a distribution over bins that grow exponentially, in its own units.

    The target is coded by its two neighbours and decoded by sum p b: the mean of what was seen,
    unlike the first generation's, which is that of the symlogs (`TwoHotHead`). Weights of the last
    layer start at zero, so that the first prediction is exactly 0.

    Args:
        width: F, of the features.
        hidden: layers between features and bins.
        bins: number of bins, odd.
        limit: symlog of the outermost bins; targets beyond count as there.

    Raises:
        ValueError: for an even number of bins, among which none stands for zero.
    """

    bins: Tensor

    def __init__(self, width: int, hidden: Hidden, bins: int = 255, limit: float = 20.0) -> None:
        if bins < 3 or bins % 2 == 0:
            raise ValueError(f"bins {bins}: allowed is an odd number from 3")
        super().__init__(width, bins, hidden, 0.0)
        above = symexp(torch.linspace(0, limit, bins // 2 + 1))
        self.register_buffer("bins", torch.cat([-above.flip(0)[:-1], above]), persistent=False)

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (...) expected value, exactly 0 for uniform probabilities."""
        probs, middle = F.softmax(self.raw(feat), -1), len(self.bins) // 2
        # Each bin is taken with its opposite, so that equal probabilities cancel to exactly zero.
        skew = probs[..., middle + 1 :] - probs[..., :middle].flip(-1)
        return (skew * self.bins[middle + 1 :].float()).sum(-1)

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """Cross entropy with the two-hot code of the target: (B, T, F), (B, T) -> (B, T)."""
        log_probs = F.log_softmax(self.raw(feat), -1)
        target = target.clamp(self.bins[0], self.bins[-1]).contiguous()
        low = (torch.searchsorted(self.bins, target, right=True) - 1).clamp(max=len(self.bins) - 2)
        share = (target - self.bins[low]) / (self.bins[low + 1] - self.bins[low])
        at_low = log_probs.gather(-1, low[..., None]).squeeze(-1)
        at_high = log_probs.gather(-1, low[..., None] + 1).squeeze(-1)
        return -((1 - share) * at_low + share * at_high)


class FirmContinueHead(ContinueHead):
    """Predicts whether the episode goes on, as a yes or no (DreamerV3's first generation)."""

    def __init__(self, width: int, hidden: Hidden) -> None:
        super().__init__(width, hidden, scale=1.0)

    def forward(self, feat: Tensor) -> Tensor:
        """(..., F) -> (...) 0 or 1, without a gradient."""
        return (super().forward(feat) > 0.5).float()
