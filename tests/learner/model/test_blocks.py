"""The block-diagonal core against NumPy, and against the dense layers that it stands for."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from learner.model.blocks import BlockGRU, BlockLinear, BoundedInputs, RMSNorm, SeparateInputs
from learner.model.latents import Categoricals
from learner.model.nets import Style, to_bfloat16, truncated_normal
from learner.model.rssm import RSSM, State, ZeroStart

STYLE = Style(F.silu, truncated_normal, eps=1e-4, norm=RMSNorm)


def array(x: Tensor) -> np.ndarray:
    return x.detach().double().numpy()


def random(module: torch.nn.Module) -> torch.nn.Module:
    """The same with every weight drawn anew, gains and offsets too."""
    generator = torch.Generator().manual_seed(1)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.5
    return module


def rms(x: np.ndarray, norm: torch.nn.Module) -> np.ndarray:
    x = x + array(norm.bias)  # type: ignore[arg-type]
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-4) * array(norm.weight)  # type: ignore[arg-type]


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def dense(x: np.ndarray, layer: torch.nn.Module) -> np.ndarray:
    weight = array(layer.linear.weight)  # type: ignore[union-attr]
    return silu(rms(x @ weight.T, layer.norm))  # type: ignore[arg-type]


def spread(layer: BlockLinear) -> np.ndarray:
    """The dense matrix (out, in + shared) that a block layer stands for, entry by entry."""
    weight = array(layer.weight)
    out, blocks = weight.shape[0], layer.blocks
    width, shared = layer.widths
    full = np.zeros((out, blocks * width + shared))
    for row in range(out):
        block = row // (out // blocks)
        for i in range(width):
            full[row, block * width + i] = weight[row, i]
        full[row, blocks * width :] = weight[row, width:]
    return full


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_a_layer_in_blocks_is_a_matrix_with_zeros_elsewhere(blocks: int):
    layer, x, shared = BlockLinear(8, 12, blocks, STYLE, 5), torch.randn(3, 8), torch.randn(3, 5)
    expected = np.concatenate([array(x), array(shared)], 1) @ spread(layer).T
    np.testing.assert_allclose(array(layer(x, shared)), expected, atol=1e-5)


def test_a_block_reads_its_own_slice_alone():
    layer, x = BlockLinear(6, 9, 3, STYLE), torch.randn(1, 6, requires_grad=True)
    (slope,) = torch.autograd.grad(layer(x)[:, 3:6].sum(), x)
    assert slope[:, 2:4].ne(0).all() and slope[:, [0, 1, 4, 5]].eq(0).all()


def test_weights_of_blocks_are_as_small_as_the_fan_of_all_blocks_says():
    """64 inputs in 8 slices and 40 shared: 8 x (8 + 40) = 384, cut at two deviations."""
    layer = BlockLinear(64, 4096, 8, STYLE, 40)
    scale = 1.1368 / math.sqrt(384)
    assert float(layer.weight.detach().abs().max()) <= 2 * scale
    # A unit normal cut at +-2 has a deviation of 0.8796, which 1.1368 undoes.
    assert float(layer.weight.detach().std()) == pytest.approx(1 / math.sqrt(384), rel=0.01)


def test_widths_that_blocks_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="blocks 3: allowed is what divides 8 and 9"):
        BlockLinear(8, 9, 3, STYLE)


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_the_cell_is_that_of_the_reference(blocks: int):
    cell = random(BlockGRU(6, 8, STYLE, units=3, blocks=blocks))
    x, h = torch.randn(5, 6), torch.randn(5, 8)
    read = np.concatenate([array(h), dense(array(h), cell.memory), array(x)], 1)  # type: ignore[arg-type]
    mixed = silu(rms(read @ spread(cell.mix).T, cell.norm))  # type: ignore[arg-type]
    raw = mixed @ spread(cell.gates).T + array(cell.bias)  # type: ignore[arg-type]
    reset, cand, update = np.zeros((5, 8)), np.zeros((5, 8)), np.zeros((5, 8))
    size = 8 // blocks
    for k in range(blocks):
        own, start = slice(k * size, (k + 1) * size), 3 * k * size
        for i, gate in enumerate((reset, cand, update)):
            gate[:, own] = raw[:, start + i * size : start + (i + 1) * size]
    u = sigmoid(update - 1)
    expected = u * np.tanh(sigmoid(reset) * cand) + (1 - u) * array(h)
    np.testing.assert_allclose(array(cell(x, h)), expected, atol=1e-5)


def test_at_the_start_a_memory_keeps_about_three_quarters():
    """All gates near zero: u = sigmoid(-1) = 0.2689."""
    cell = BlockGRU(6, 64, STYLE, units=16)
    cell.gates.weight.data.zero_()
    h = torch.randn(2, 64)
    kept = array(h) * (1 - 1 / (1 + math.e))
    np.testing.assert_allclose(array(cell(torch.randn(2, 6), h)), kept, atol=1e-6)


@pytest.mark.parametrize("make", [SeparateInputs, BoundedInputs])
def test_an_action_beyond_the_bounds_counts_as_the_bound(make: type):
    inputs = make(4, 3, 8, STYLE)
    stoch = torch.randn(1, 4).expand(2, -1)
    actions = torch.tensor([[-7.0, 0.3, 1.5], [-1.0, 0.3, 1.0]])
    one, two = inputs(stoch, actions)
    np.testing.assert_allclose(array(one), array(two), atol=1e-6)
    assert one.shape == (inputs.width,) and not np.allclose(
        array(inputs(stoch, 0 * actions)[0]), array(one)
    )


def test_state_and_action_enter_by_layers_of_their_own():
    inputs = random(SeparateInputs(4, 3, 8, STYLE))
    stoch, action = torch.randn(2, 4), 0.9 * torch.rand(2, 3)
    expected = [dense(array(stoch), inputs.stoch), dense(array(action), inputs.action)]  # type: ignore[arg-type]
    np.testing.assert_allclose(array(inputs(stoch, action)), np.concatenate(expected, 1), atol=1e-5)


@pytest.mark.parametrize("coarse", [False, True])
def test_the_norm_is_by_the_root_mean_square(coarse: bool):
    norm, x = RMSNorm(16, STYLE), 3 + torch.randn(4, 16)
    if coarse:
        to_bfloat16(norm)
    made = norm(x.to(norm.weight.dtype))
    expected = array(x) / np.sqrt((array(x) ** 2).mean(-1, keepdims=True) + 1e-4)
    np.testing.assert_allclose(array(made), expected, rtol=1e-2 if coarse else 1e-5)


def test_a_model_with_such_a_core_steps_in_bfloat16():
    def cell(width: int, deter: int, style: Style) -> BlockGRU:
        return BlockGRU(width, deter, style, units=8, blocks=4)

    latents = Categoricals(3, 5)
    model = RSSM(2, 6, 16, 8, latents, STYLE, ZeroStart(), cell=cell, inputs=SeparateInputs)
    to_bfloat16(model)
    state, post = model.observe_step(
        State(torch.randn(4, 16), torch.zeros(4, 15)), torch.rand(4, 2), torch.randn(4, 6),
        torch.rand(4, 3),
    )  # fmt: skip
    assert state.deter.shape == (4, 16) and state.deter.dtype == torch.float32
    assert post.shape == (4, 3, 5) and post.isfinite().all()
    state.deter.sum().backward()
    slopes = [p.grad for p in model.cell.parameters()]
    assert all(g is not None and g.ne(0).any() for g in slopes)
