r"""An ensemble of one-step predictors: several guesses at what the next step holds, as one batch.

    index        t            t+1
    feat        f_t
    action      a_t
    target                    y_{t+1}        predicted from (f_t, a_t), unless t+1 is_first

Members differ in where they begin, and in which rows of a batch they learn from. All are fitted by
squared error, so that with enough data each tends to the mean of what can follow: noise that
nothing can foretell leaves their errors large and their disagreement small (Plan2Explore, arXiv
2005.05960, section 3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from learner.model.nets import Hidden, Style


class OneStep(NamedTuple):
    """Pairs of a step and what came of it, all without a gradient.

    Args:
        feat: (B, T-1, F) at steps 0..T-2.
        action: (B, T-1, A) taken there.
        target: (B, T-1, P) of steps 1..T-1.
        live: (B, T-1) 1, or 0 where the next step starts another episode.
    """

    feat: Tensor
    action: Tensor
    target: Tensor
    live: Tensor


def one_step(feat: Tensor, action: Tensor, target: Tensor, is_first: Tensor) -> OneStep:
    """Pair each step with the next one of its chunk: (B, T, F), (B, T, A), (B, T, P), (B, T)."""
    live = 1 - is_first[:, 1:].float()
    return OneStep(feat[:, :-1].detach(), action[:, :-1].detach(), target[:, 1:].detach(), live)


Bootstrap = Callable[[int, int], Tensor]


def every_row(members: int, rows: int) -> Tensor:
    """(K, B) ones: all members learn from all rows (DreamerV2's code, DayDreamer's)."""
    return torch.ones(members, rows)


def resampled_rows(members: int, rows: int) -> Tensor:
    """(K, B) how often each row is drawn, B times with replacement (Plan2Explore's code)."""
    drawn = torch.randint(rows, (members, rows))
    return torch.zeros(members, rows).scatter_add_(1, drawn, torch.ones(members, rows))


class _Layer(nn.Module):
    """K affine maps (K, N, in) -> (K, N, out), in the type of their weights."""

    def __init__(self, members: int, width_in: int, width_out: int, style: Style) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, width_out, width_in))
        self.bias = nn.Parameter(torch.zeros(members, 1, width_out))
        for weight in self.weight.detach():
            style.init(weight, width_in, width_out, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """(K, N, in) -> (K, N, out)."""
        return torch.baddbmm(self.bias, x.to(self.weight.dtype), self.weight.mT)


class Ensemble(nn.Module):
    """K networks that foretell the same thing from features and an action.

    As in Plan2Explore's code (one_step_model.py) the action enters every layer, and there is no
    norm.

    Args:
        inputs: F and A, widths of features and action.
        outputs: P, width of what is foretold.
        members: K.
        hidden: layers of each member; its style gives activation and initialisation.
        bootstrap: how much each row of a batch counts for each member.

    Raises:
        ValueError: for less than one member.
    """

    def __init__(
        self,
        inputs: tuple[int, int],
        outputs: int,
        members: int,
        hidden: Hidden,
        bootstrap: Bootstrap = every_row,
    ) -> None:
        if members < 1:
            raise ValueError(f"members {members}: allowed is 1 or more")
        super().__init__()
        feat, action = inputs
        widths = [feat] + [hidden.units] * hidden.layers + [outputs]
        pairs = zip(widths, widths[1:], strict=False)
        self.layers = nn.ModuleList(
            _Layer(members, width + action, to, hidden.style) for width, to in pairs
        )
        self.members, self.act, self.bootstrap = members, hidden.style.act, bootstrap

    def forward(self, feat: Tensor, action: Tensor) -> Tensor:
        """(..., F), (..., A) -> (K, ..., P) float32."""
        shape = action.shape[:-1]
        rows, x = action.reshape(-1, action.shape[-1]), feat.reshape(-1, feat.shape[-1])
        rows, x = rows.expand(self.members, -1, -1), x.expand(self.members, -1, -1)
        for i, layer in enumerate(self.layers):
            x = layer(torch.cat([self.act(x) if i else x, rows.to(x.dtype)], -1))
        return x.float().unflatten(1, shape)

    def errors(self, step: OneStep) -> Tensor:
        """Squared error of each member, summed over what is foretold: (K, B, T-1)."""
        return (self(step.feat, step.action) - step.target).square().sum(-1)

    def loss(self, step: OneStep) -> Tensor:
        """Sum over members, so that each is trained as if alone: (B, T-1), 0 at episodes' seams."""
        share = self.bootstrap(self.members, step.live.shape[0])[..., None]  # (K, B, 1)
        return (share.to(step.live.device) * self.errors(step)).sum(0) * step.live
