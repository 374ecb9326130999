"""Plain layers, cells and latents against NumPy, torch's own cell and torch.distributions."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical, kl_divergence

from learner.model.nets import Dense, Hidden, Linear, mlp
from learner.model.plain import (
    BareGRU,
    BiasedNormGRU,
    KerasGRU,
    PureCategoricals,
    SigmoidGaussians,
    conv_style,
    dense_style,
    glorot_uniform,
)

ELU = dense_style(F.elu)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def randomise(part: nn.Module) -> None:
    for weight in part.parameters():
        nn.init.normal_(weight, 0, 0.5)


def test_a_plain_layer_is_an_affine_map_and_an_activation():
    layer = Dense(3, 2, ELU)
    randomise(layer)
    weights = {k: v.detach().numpy() for k, v in layer.named_parameters()}
    x = np.array([0.5, -2.0, 1.0], np.float32)
    affine = weights["linear.weight"] @ x + weights["norm.bias"]
    by_hand = np.where(affine > 0, affine, np.expm1(affine))
    np.testing.assert_allclose(layer(torch.tensor(x)).detach(), by_hand, rtol=1e-6)


def test_a_plain_network_has_as_many_weights_as_one_of_keras():
    layers = mlp(7, Hidden(5, 2, ELU))
    assert sum(w.numel() for w in layers.parameters()) == 7 * 5 + 5 + 5 * 5 + 5


@pytest.mark.parametrize(("shape", "fans"), [((30, 20), 50), ((8, 4, 5, 5), 12 * 25)])
def test_weights_start_as_in_keras(shape: tuple[int, ...], fans: int):
    weight = torch.empty(shape)
    glorot_uniform(weight, 0, 0, 1.0)
    limit = math.sqrt(6 / fans)
    assert 0.98 * limit < float(weight.abs().max()) <= limit
    assert float(weight.std()) == pytest.approx(limit / math.sqrt(3), rel=0.1)


def test_a_plain_convolution_has_no_norm():
    assert not list(conv_style(F.relu).norm(4, ELU).parameters())


def norm_gru(cell: BiasedNormGRU, x: np.ndarray, h: np.ndarray, normed: bool) -> np.ndarray:
    """DreamerV2's cell in NumPy, one row at a time."""
    assert cell.linear.bias is not None
    weight, bias = cell.linear.weight.detach().numpy(), cell.linear.bias.detach().numpy()
    parts = weight @ np.concatenate([x, h]) + bias
    if normed:
        parts = (parts - parts.mean()) / np.sqrt(parts.var() + 1e-3)
        parts = parts * cell.norm.weight.detach().numpy() + cell.norm.bias.detach().numpy()
    reset, cand, update = np.split(parts, 3)
    update = sigmoid(update - 1)
    return update * np.tanh(sigmoid(reset) * cand) + (1 - update) * h


@pytest.mark.parametrize(("make", "normed"), [(BiasedNormGRU, True), (BareGRU, False)])
def test_the_cell_of_dreamer_v2_by_hand(make: type[BiasedNormGRU], normed: bool):
    cell = make(3, 4, ELU)
    randomise(cell)
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=3).astype(np.float32), rng.normal(size=4).astype(np.float32)
    found = cell(torch.tensor(x)[None], torch.tensor(h)[None])[0].detach()
    np.testing.assert_allclose(found, norm_gru(cell, x, h, normed), rtol=1e-5, atol=1e-6)


def test_the_cell_of_keras_is_that_of_torch_with_gates_in_another_order():
    cell, other = KerasGRU(3, 4, ELU), nn.GRUCell(3, 4)
    randomise(cell)

    def reordered(weight: torch.Tensor | None) -> torch.Tensor:
        assert weight is not None
        update, reset, cand = weight.detach().chunk(3)
        return torch.cat([reset, update, cand])

    pairs = {"ih": cell.of_input, "hh": cell.of_memory}
    for name, part in pairs.items():
        getattr(other, f"weight_{name}").data.copy_(reordered(part.weight))
        getattr(other, f"bias_{name}").data.copy_(reordered(part.bias))
    x, h = torch.randn(5, 3), torch.randn(5, 4)
    torch.testing.assert_close(cell(x, h), other(x, h))


def test_the_memory_of_the_keras_cell_starts_orthogonal():
    weight = KerasGRU(3, 4, ELU).of_memory.weight.detach()
    torch.testing.assert_close(weight.T @ weight, torch.eye(4), atol=1e-5, rtol=0)


def test_pure_categoricals_are_those_of_torch():
    latents = PureCategoricals(2, 5)
    post, prior = torch.randn(3, 10), torch.randn(3, 10)
    made = [latents.dist(raw) for raw in (post, prior)]
    truth = [Categorical(logits=raw.unflatten(-1, (2, 5))) for raw in (post, prior)]
    torch.testing.assert_close(latents.kl(*made), kl_divergence(*truth).sum(-1))
    torch.testing.assert_close(latents.entropy(made[0]), truth[0].entropy().sum(-1))


def test_pure_categoricals_stay_finite_however_sure():
    latents = PureCategoricals(1, 2)
    sure = latents.dist(torch.tensor([[1e4, 0.0]]))
    other = latents.dist(torch.tensor([[0.0, 3.0]]))
    assert float(latents.kl(sure, other)) == pytest.approx(math.log1p(math.exp(3.0)))
    assert latents.entropy(sure).tolist() == [0.0]


def test_deviations_of_sigmoid_gaussians():
    dist = SigmoidGaussians(2).dist(torch.tensor([0.5, -1.0, 0.0, 4.0]))
    by_hand = [[0.5, 1.1], [-1.0, 2 / (1 + math.exp(-2)) + 0.1]]
    np.testing.assert_allclose(dist, by_hand, rtol=1e-6)


def test_linear_maps_of_a_plain_style_start_without_offset():
    bias = Linear(3, 2, ELU).bias
    assert bias is not None
    assert bias.tolist() == [0.0, 0.0]
