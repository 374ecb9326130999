r"""The recurrent core of DreamerV3 (arXiv 2301.04104v2): gates made in blocks, and RMS norms.

 stoch     action                 deter, as blocks
   |         |                |      |     |     |     |
one layer  one layer      one layer  |     |     |     |
    \________|________________/      |     |     |     |
             |_______________________|_____|_____|_____|   each block reads all of the left
                                     |     |     |     |   and its own slice
                                   gates gates gates gates
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.nets import Dense, Style
from learner.model.rssm import JoinedInputs


class RMSNorm(nn.Module):
    """Adds an offset, divides by the root mean square over the last axis, and multiplies by a gain.

    In the reference the offset is the bias of the layer before it, and the norm has none.
    """

    def __init__(self, width: int, style: Style) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = style.eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return F.rms_norm(x + self.bias, x.shape[-1:], self.weight, self.eps)


class BlockLinear(nn.Module):
    """Linear map in blocks: block k of the outputs reads slice k of the input alone.

    What all blocks read besides is given apart, so that it is multiplied once for all of them.

    The fan that weights are drawn by is the width of the inputs of all blocks together, `shared`
    counted once for each of them (nets.py, `compute_fans`, to which the blocks are one more axis of
    a kernel): smaller weights than a dense layer for each block would have.

    Args:
        width_in: of the input, a multiple of `blocks`.
        width_out: of the output, a multiple of `blocks`.
        blocks: how many.
        style: gives the initialisation.
        shared: width of what all blocks read.

    Raises:
        ValueError: for a width that the blocks do not divide.
    """

    def __init__(
        self, width_in: int, width_out: int, blocks: int, style: Style, shared: int = 0
    ) -> None:
        super().__init__()
        if width_in % blocks or width_out % blocks:
            raise ValueError(f"blocks {blocks}: allowed is what divides {width_in} and {width_out}")
        self.blocks, self.widths = blocks, (width_in // blocks, shared)
        self.weight = nn.Parameter(torch.empty(width_out, sum(self.widths)))
        style.init(self.weight, width_in + blocks * shared, width_out * blocks, 1.0)

    def forward(self, x: Tensor, shared: Tensor | None = None) -> Tensor:
        """(N, in) and (N, shared) -> (N, out), in the type of the weight."""
        own, common = self.weight.split(self.widths, 1)
        slices = x.to(own.dtype).unflatten(-1, (self.blocks, -1)).transpose(0, 1)  # (g, N, in / g)
        made = torch.bmm(slices, own.unflatten(0, (self.blocks, -1)).transpose(1, 2))
        made = made.transpose(0, 1).flatten(-2)  # (N, out)
        return made if shared is None else made + F.linear(shared.to(own.dtype), common)


def bounded(action: Tensor) -> Tensor:
    """Divide what leaves [-1, 1], as samples of an unbounded policy do, by its own size.

    The divisor is a constant to gradients. (B, A) -> (B, A).
    """
    return action / action.detach().abs().clamp(min=1.0)


class BoundedInputs(JoinedInputs):
    """One layer for the stochastic state and the action, which is bounded (`action_clip`)."""

    def forward(self, stoch: Tensor, action: Tensor) -> Tensor:
        """(B, width of a sample), (B, A) -> (B, width)."""
        return super().forward(stoch, bounded(action))


class SeparateInputs(nn.Module):
    """One layer for the stochastic state and one for the action, which is bounded.

    Args:
        stoch: width of the stochastic state.
        action: A.
        units: width of each layer.
        style: of the layers.
    """

    def __init__(self, stoch: int, action: int, units: int, style: Style) -> None:
        super().__init__()
        self.stoch, self.action = Dense(stoch, units, style), Dense(action, units, style)
        self.width = 2 * units

    def forward(self, stoch: Tensor, action: Tensor) -> Tensor:
        """(B, width of a sample), (B, A) -> (B, width)."""
        return torch.cat([self.stoch(stoch), self.action(bounded(action))], -1)


class BlockGRU(nn.Module):
    """GRU whose gates are made block by block: h' = u cand + (1 - u) h with u = sigmoid(p - 1).

    Args:
        width_in: of the input.
        deter: D, a multiple of `blocks`.
        style: of the layers.
        units: width of the layer that shows each block the memory of all.
        blocks: how many.

    Raises:
        ValueError: for a memory that the blocks do not divide.
    """

    def __init__(
        self, width_in: int, deter: int, style: Style, *, units: int, blocks: int = 8
    ) -> None:
        super().__init__()
        self.blocks, self.act = blocks, style.act
        self.memory = Dense(deter, units, style)
        self.mix = BlockLinear(deter, deter, blocks, style, shared=units + width_in)
        self.norm = style.norm(deter, style)
        self.gates = BlockLinear(deter, 3 * deter, blocks, style)
        self.bias = nn.Parameter(torch.zeros(3 * deter))

    def forward(self, x: Tensor, deter: Tensor) -> Tensor:
        """(B, in), (B, D) -> (B, D) in float32."""
        mixed = self.mix(deter, torch.cat([self.memory(deter), x], -1))
        raw = self.gates(self.act(self.norm(mixed))) + self.bias
        # Each block's outputs are its resets, then its candidates, then its updates.
        gates = raw.float().unflatten(-1, (self.blocks, 3, -1)).unbind(-2)
        reset, cand, update = (gate.flatten(-2) for gate in gates)
        cand = torch.tanh(torch.sigmoid(reset) * cand)
        return torch.lerp(deter, cand, torch.sigmoid(update - 1))
