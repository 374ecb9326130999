"""Recurrent cells without norms, as PlaNet's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from learner.model.nets import Linear, Style


class ResetFirstGRU(nn.Module):
    """GRU whose reset gate chooses what of the memory the candidate reads (arXiv 1406.1078).

    As PlaNet's cell (TensorFlow's GRUBlockCell), and unlike torch's, the gate multiplies the memory
    before the candidate's matrix does; both gates start with an offset of 1, leaning to keep.
    h' = u h + (1 - u) tanh(W [x, r h]).

    Args:
        width_in: of the input.
        deter: D.
        style: gives the initialisation.
    """

    def __init__(self, width_in: int, deter: int, style: Style) -> None:
        super().__init__()
        self.gates = Linear(width_in + deter, 2 * deter, style)
        self.cand = Linear(width_in + deter, deter, style)
        nn.init.ones_(self.gates.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, deter: Tensor) -> Tensor:
        """(B, in), (B, D) -> (B, D) in float32."""
        memory = deter.to(x.dtype)
        reset, keep = torch.sigmoid(self.gates(torch.cat([x, memory], -1))).chunk(2, -1)
        cand = torch.tanh(self.cand(torch.cat([x, reset * memory], -1)).float())
        return torch.lerp(cand, deter, keep.float())
