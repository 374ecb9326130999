"""Recurrent cells against NumPy."""

import numpy as np
import torch
from torch import nn

from learner.model.cells import ResetFirstGRU
from learner.model.nets import Style, uniform_average


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_reset_gate_comes_before_the_candidate_s_matrix():
    cell = ResetFirstGRU(3, 4, Style(torch.relu, uniform_average))
    for weight in cell.parameters():
        nn.init.normal_(weight, 0, 0.7)
    w = {k: v.detach().numpy().astype(np.float64) for k, v in cell.named_parameters()}
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=3), rng.normal(size=4)
    gates = sigmoid(w["gates.weight"] @ np.concatenate([x, h]) + w["gates.bias"])
    reset, keep = gates[:4], gates[4:]
    cand = np.tanh(w["cand.weight"] @ np.concatenate([x, reset * h]) + w["cand.bias"])
    found = cell(torch.tensor(x)[None].float(), torch.tensor(h)[None].float())
    np.testing.assert_allclose(found[0].detach(), keep * h + (1 - keep) * cand, atol=1e-6)


def test_both_gates_lean_to_keep_at_first():
    cell = ResetFirstGRU(3, 4, Style(torch.relu, uniform_average))
    assert cell.gates.bias is not None and cell.cand.bias is not None
    assert cell.gates.bias.tolist() == [1.0] * 8 and cell.cand.bias.tolist() == [0.0] * 4


def test_rows_are_independent_and_memory_stays_float32():
    cell = ResetFirstGRU(3, 4, Style(torch.relu, uniform_average)).bfloat16()
    x, h = torch.randn(5, 3), torch.randn(5, 4)
    after = cell(x.bfloat16(), h)
    assert after.dtype == torch.float32
    assert torch.equal(after[2:3], cell(x[2:3].bfloat16(), h[2:3]))
