"""The recurrent cell against NumPy, and how sequences start."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learner.model.latents import Categoricals
from learner.model.nets import Dense, Norm, NormGRU, Style, to_bfloat16, uniform_average
from learner.model.rssm import RSSM, LearnedStart, State, ZeroStart

STYLE = Style(F.elu, uniform_average, eps=1e-3)
DETER, UNITS = 10, 12


def make(start: nn.Module, prior_layers: int = 3) -> RSSM:
    return RSSM(3, 7, DETER, UNITS, Categoricals(4, 5), STYLE, start, prior_layers)


def roughen(module: nn.Module) -> None:
    """Give norms and biases, which start at 1 and 0, numbers of their own."""
    for weight in module.parameters():
        weight.data += 0.3 * torch.randn_like(weight)


def numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-3) * weight + bias


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_cell_is_a_gru_with_a_norm_over_its_gates():
    cell = NormGRU(UNITS, DETER, STYLE)
    roughen(cell)
    x, h = torch.randn(6, UNITS), torch.randn(6, DETER)
    gates = np.concatenate([numbers(x), numbers(h)], -1) @ numbers(cell.linear.weight).T
    gates = layer_norm(gates, numbers(cell.norm.weight), numbers(cell.norm.bias))
    reset, cand, update = np.split(gates, 3, -1)
    update = sigmoid(update - 1)
    expected = update * np.tanh(sigmoid(reset) * cand) + (1 - update) * numbers(h)
    np.testing.assert_allclose(numbers(cell(x, h)), expected, atol=1e-5)


def test_a_dense_layer_norms_before_it_activates():
    layer = Dense(5, UNITS, STYLE)
    roughen(layer)
    x, norm = torch.randn(4, 5), layer.norm
    assert isinstance(norm, Norm)
    normed = layer_norm(
        numbers(x) @ numbers(layer.linear.weight).T,
        numbers(norm.weight),
        numbers(norm.bias),
    )
    expected = np.where(normed > 0, normed, np.expm1(normed))
    np.testing.assert_allclose(numbers(layer(x)), expected, atol=1e-5)
    assert layer.linear.bias is None


def test_memory_stays_float32_while_weights_are_bfloat16():
    rssm = make(LearnedStart(DETER))
    to_bfloat16(rssm)
    state = rssm.initial(2)
    for _ in range(3):
        state = rssm.imagine_step(state, torch.zeros(2, 3), torch.rand(2, 4))
        assert state.deter.dtype == state.stoch.dtype == torch.float32


def test_a_zero_start_is_zero():
    state = make(ZeroStart()).initial(3)
    assert state.deter.shape == (3, DETER) and state.stoch.shape == (3, 20)
    assert state.deter.eq(0).all() and state.stoch.eq(0).all()


def test_a_learned_start_is_a_squashed_memory_and_its_likeliest_latent():
    rssm = make(LearnedStart(DETER))
    roughen(rssm)
    state = rssm.initial(3)
    assert isinstance(rssm.start, LearnedStart)
    np.testing.assert_allclose(
        numbers(state.deter), np.tile(np.tanh(numbers(rssm.start.memory)), (3, 1)), atol=1e-6
    )
    x = state.deter[0]
    for layer in rssm.prior_layers:
        x = layer(x)
    raw = numbers(rssm.prior_out(x)).reshape(4, 5)
    expected = np.eye(5)[raw.argmax(-1)].ravel()
    np.testing.assert_array_equal(numbers(state.stoch), np.tile(expected, (3, 1)))


def test_the_start_learns_through_its_memory_alone():
    """As in DayDreamer, where the mode of the prior has no gradient."""
    rssm = make(LearnedStart(DETER))
    state = rssm.initial(2)
    (state.deter.sum() + state.stoch.sum()).backward()
    assert isinstance(rssm.start, LearnedStart) and rssm.start.memory.grad is not None
    np.testing.assert_allclose(numbers(rssm.start.memory.grad), np.full(DETER, 2.0))
    assert all(p.grad is None for p in rssm.prior_layers.parameters())


@pytest.mark.parametrize("prior_layers", [1, 3])
def test_the_prior_has_as_many_layers_as_it_was_given(prior_layers: int):
    rssm = make(ZeroStart(), prior_layers)
    layers = [m for m in rssm.prior_layers.modules() if isinstance(m, Dense)]
    widths = [layer.linear.weight.shape[1] for layer in layers]
    assert widths == [DETER, UNITS, UNITS][:prior_layers]


def test_imagining_uses_the_prior_and_observing_the_posterior_of_the_same_memory():
    rssm = make(ZeroStart())
    roughen(rssm)
    state = State(torch.randn(2, DETER), torch.rand(2, 20))
    action, noise, embed = torch.randn(2, 3), torch.rand(2, 4), torch.randn(2, 7)
    imagined = rssm.imagine_step(state, action, noise)
    observed, post = rssm.observe_step(state, action, embed, noise)
    assert torch.equal(imagined.deter, observed.deter)
    drawn = rssm.latents.sample(rssm.prior(imagined.deter), noise)
    assert torch.equal(imagined.stoch, drawn)
    assert torch.equal(observed.stoch, rssm.latents.sample(post, noise))
    assert not torch.equal(rssm.posterior(observed.deter, embed + 1), post)


def test_features_hold_all_of_the_state():
    state = State(torch.randn(2, DETER), torch.rand(2, 20))
    assert state.feat.shape == (2, make(ZeroStart()).feat_width)
    assert set(state.feat[0].tolist()) == {*state.deter[0].tolist(), *state.stoch[0].tolist()}
