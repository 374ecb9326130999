"""M of World Models: mixtures against SciPy, the LSTM against NumPy, and who may teach whom."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import logsumexp
from scipy.stats import norm
from torch import Tensor, nn

from learner.model.heads import ContinueHead, SymlogHead
from learner.model.mdn_rnn import FromMemory, MdnRnn, Memory, Mixtures, next_latent
from learner.model.nets import Hidden, Style, uniform_average
from learner.model.world_model import Posterior

STYLE = Style(F.relu, uniform_average)
S, K, H, A = 3, 4, 6, 2


def numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def mixture(weight: list, mean: list, std: list) -> Tensor:
    """One variable's distribution, (1, 3 K)."""
    return torch.tensor([[math.log(w) for w in weight] + mean + [math.log(s) for s in std]])


def evenly(count: int) -> Tensor:
    """(count, 1) noise that has every value once."""
    return ((torch.arange(count) + 0.5) / count)[:, None]


def make() -> MdnRnn:
    dynamics = MdnRnn(A, Mixtures(S, K), H)
    for weight in dynamics.parameters():
        weight.data += 0.2 * torch.randn_like(weight)
    return dynamics


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_log_weights_are_normalised():
    dist = Mixtures(S, K).dist(100 * torch.randn(5, 2, 3 * K * S))
    assert dist.shape == (5, 2, S, 3 * K) and dist.dtype == torch.float32
    np.testing.assert_allclose(np.exp(numbers(dist[..., :K])).sum(-1), 1, rtol=1e-5)


def test_the_likelihood_is_that_of_scipy():
    latents = Mixtures(S, K)
    dist, value = latents.dist(torch.randn(7, 3 * K * S)), torch.randn(7, S)
    weight, mean, log_std = np.split(numbers(dist), 3, -1)
    each = weight + norm.logpdf(numbers(value)[..., None], mean, np.exp(log_std))
    expected = np.negative(logsumexp(each, -1))
    np.testing.assert_allclose(numbers(latents.nll(dist, value)), expected, rtol=1e-5)


def test_one_component_is_a_normal_and_equal_ones_are_one():
    one = mixture([1.0], [0.3], [0.7])
    many = mixture([0.2, 0.5, 0.3], [0.3] * 3, [0.7] * 3)
    value = torch.tensor([1.1])
    expected = -norm.logpdf(1.1, 0.3, 0.7)
    for dist in (one, many):
        assert Mixtures(1, 1).nll(dist, value).item() == pytest.approx(expected, rel=1e-5)


def test_draws_have_the_mean_and_the_variance_of_the_mixture():
    w, m, s = np.array([0.2, 0.5, 0.3]), np.array([-2.0, 0.5, 3.0]), np.array([0.5, 0.1, 1.0])
    dist = mixture(w.tolist(), m.tolist(), s.tolist())
    drawn = numbers(Mixtures(1, 3).sample(dist.expand(100_000, 1, 9), evenly(100_000)))
    mean = w @ m
    assert drawn.mean() == pytest.approx(mean, abs=1e-3)
    assert drawn.var() == pytest.approx(float(w @ (s**2 + m**2) - mean**2), rel=2e-3)
    low = drawn[drawn < -1]
    assert len(low) / len(drawn) == pytest.approx(w @ norm.cdf(-1, m, s), abs=2e-3)


def test_temperature_sharpens_the_choice_and_scales_the_noise_by_its_root():
    dist = mixture([0.4, 0.6], [-50.0, 50.0], [1.0, 2.0]).expand(40_000, 1, 6)
    for heat in (0.5, 1.0, 1.5):
        drawn = numbers(Mixtures(1, 2, heat).sample(dist, evenly(40_000)))
        share = 0.6 ** (1 / heat) / (0.4 ** (1 / heat) + 0.6 ** (1 / heat))
        assert (drawn > 0).mean() == pytest.approx(share, abs=1e-3)
        assert drawn[drawn > 0].std() == pytest.approx(2 * math.sqrt(heat), rel=5e-3)
        assert drawn[drawn < 0].std() == pytest.approx(math.sqrt(heat), rel=5e-3)


def test_without_heat_the_likeliest_component_comes_without_noise():
    dist = mixture([0.45, 0.55], [-5.0, 7.0], [1.0, 2.0]).expand(100, 1, 6)
    cold = Mixtures(1, 2, 1e-6)
    np.testing.assert_allclose(numbers(cold.sample(dist, evenly(100))), 7.0, atol=0.02)
    np.testing.assert_allclose(numbers(cold.mode(dist)), 7.0)


def test_draws_are_finite_for_any_noise_and_any_network():
    latents = Mixtures(S, K)
    noise = torch.tensor([0.0, 0.5, 1 - 2**-24])[:, None].expand(3, S)
    for scale in (1.0, 30.0):
        dist = latents.dist(scale * torch.randn(3, 3 * K * S).clamp(-1, 1))
        assert latents.sample(dist, noise).isfinite().all()


def test_draws_carry_gradients_to_mean_and_deviation():
    dist = mixture([1.0, 1e-9], [0.3, 9.0], [0.7, 1.0]).requires_grad_()
    Mixtures(1, 2).sample(dist, torch.tensor([norm.cdf(1.5)]).float()).sum().backward()
    assert dist.grad is not None
    np.testing.assert_allclose(dist.grad[0], [0, 0, 1, 0, 0.7 * 1.5, 0], atol=1e-4)


def test_the_divergence_bounds_the_true_one_and_is_exact_for_one_component():
    grid = np.linspace(-30, 30, 200_001)
    post = torch.tensor([[0.4, 0.9]])
    p = norm.pdf(grid, 0.4, 0.9)
    cases = [([1.0], [-0.5], [1.7]), ([0.3, 0.7], [-1.0, 2.0], [1.0, 0.6])]
    for weight, mean, std in cases:
        parts = [w * norm.pdf(grid, m, s) for w, m, s in zip(weight, mean, std, strict=True)]
        true = np.trapezoid(p * (norm.logpdf(grid, 0.4, 0.9) - np.log(sum(parts) + 1e-300)), grid)
        found = Mixtures(1, len(mean)).kl(post, mixture(weight, mean, std)).item()
        each = [
            math.log(s / 0.9) + (0.9**2 + (0.4 - m) ** 2) / (2 * s**2) - 0.5 - math.log(w)
            for w, m, s in zip(weight, mean, std, strict=True)
        ]
        assert true - 1e-5 <= found <= min(each) + 1e-5
        assert found == pytest.approx(true, abs=1e-4) or len(mean) > 1


def test_the_entropy_bounds_the_true_one_and_is_exact_where_parts_are_equal_or_apart():
    grid = np.linspace(-60, 60, 400_001)
    cases = [
        ([0.5, 0.5], [1.0, 1.0], [0.7, 0.7], 1e-3),
        ([0.3, 0.7], [-40.0, 40.0], [1.0, 0.5], 1e-3),
        ([0.3, 0.7], [-1.0, 2.0], [1.0, 0.6], 0.3),
    ]
    for weight, mean, std, slack in cases:
        density = sum(w * norm.pdf(grid, m, s) for w, m, s in zip(weight, mean, std, strict=True))
        true = -np.trapezoid(density * np.log(density + 1e-300), grid)
        found = Mixtures(1, 2).entropy(mixture(weight, mean, std)).item()
        assert true - 1e-4 <= found <= true + slack


@pytest.mark.parametrize(
    ("z", "action", "hidden", "extra", "weights"),
    [(32, 3, 256, 0, 422_368), (64, 2, 512, 1, 1_678_785)],
)
def test_it_is_as_large_as_the_papers(z: int, action: int, hidden: int, extra: int, weights: int):
    """Car, and Doom, whose input has a flag beside its action and whose output has the end."""
    parts: list[nn.Module] = [MdnRnn(action, Mixtures(z, 5), hidden)]
    parts += [ContinueHead(hidden, Hidden(hidden, 0, STYLE))] * extra
    assert sum(p.numel() for part in parts for p in part.parameters()) == weights


def test_the_cell_is_an_lstm_that_leans_to_keeping():
    dynamics = make()
    state = Memory(torch.cat([torch.randn(5, 2 * H), torch.ones(5, 1)], -1), torch.randn(5, S))
    action = torch.randn(5, A)
    h, c = numbers(state.deter[:, :H]), numbers(state.deter[:, H : 2 * H])
    x = np.concatenate([numbers(state.stoch), numbers(action), h], -1)
    gates = x @ numbers(dynamics.weight).T + numbers(dynamics.bias)
    i, j, f, o = np.split(gates, 4, -1)
    c = sigmoid(f + 1.0) * c + sigmoid(i) * np.tanh(j)
    h = sigmoid(o) * np.tanh(c)
    found = numbers(dynamics.recall(state, action))
    np.testing.assert_allclose(found, np.concatenate([h, c, np.ones((5, 1))], -1), atol=1e-5)


def test_the_memory_is_empty_at_the_first_observation_and_not_at_the_second():
    dynamics = make()
    embed, noise = torch.randn(2, 2 * S), torch.rand(2, S)
    first, _ = dynamics.observe_step(dynamics.initial(2), torch.zeros(2, A), embed, noise)
    assert first.hidden.eq(0).all() and first.cell.eq(0).all() and first.stoch.ne(0).all()
    second, _ = dynamics.observe_step(first, torch.ones(2, A), embed, noise)
    assert second.hidden.ne(0).all() and second.cell.ne(0).all()


def test_the_posterior_is_the_encoders_alone():
    dynamics, embed, noise = make(), torch.randn(2, 2 * S), torch.full((2, S), float(norm.cdf(0.7)))
    for _ in range(2):
        deter = torch.cat([torch.randn(2, 2 * H), torch.ones(2, 1)], -1)
        state, post = dynamics.observe_step(
            Memory(deter, torch.randn(2, S)), torch.randn(2, A), embed, noise
        )
        mean, std = numbers(embed[:, :S]), np.exp(numbers(embed[:, S:]) / 2)
        np.testing.assert_allclose(numbers(post), np.stack([mean, std], -1), rtol=1e-5)
        np.testing.assert_allclose(numbers(state.stoch), mean + 0.7 * std, rtol=1e-4, atol=1e-5)


def test_imagining_draws_the_next_z_from_the_mixture_of_the_memory():
    dynamics = make()
    start = Memory(torch.cat([torch.randn(4, 2 * H), torch.ones(4, 1)], -1), torch.randn(4, S))
    action, noise = torch.randn(4, A), torch.rand(4, S)
    moved = dynamics.imagine_step(start, action, noise)
    deter = dynamics.recall(start, action)
    raw = numbers(deter[:, :H]) @ numbers(dynamics.out.weight).T + numbers(dynamics.out.bias)
    weight, mean, log_std = np.split(raw.reshape(4, S, 3 * K), 3, -1)
    weight = np.exp(weight - logsumexp(weight, -1, keepdims=True))
    # The chosen component is the first whose summed weight exceeds the noise.
    upper = weight.cumsum(-1)
    k = (upper <= numbers(noise)[..., None]).sum(-1)[..., None]
    low = np.take_along_axis(upper - weight, k, -1)
    within = (numbers(noise)[..., None] - low) / np.take_along_axis(weight, k, -1)
    expected = np.take_along_axis(mean, k, -1) + np.exp(
        np.take_along_axis(log_std, k, -1)
    ) * norm.ppf(within)
    np.testing.assert_allclose(numbers(moved.stoch), expected[..., 0], rtol=1e-3, atol=1e-3)
    assert torch.equal(moved.deter, deter)


def test_features_are_z_and_h_without_the_cell():
    state = Memory(torch.arange(2.0 * H + 1)[None], 100 + torch.arange(float(S))[None])
    assert state.feat[0].tolist() == [100, 101, 102, *range(H)]
    assert state.cell[0].tolist() == list(range(H, 2 * H))
    assert state.feat.shape[-1] == make().feat_width


def test_the_memory_never_teaches_what_z_should_be():
    dynamics = make()
    embed = torch.randn(2, 2 * S, requires_grad=True)
    state, _ = dynamics.observe_step(
        dynamics.initial(2), torch.zeros(2, A), embed, torch.rand(2, S)
    )
    moved = dynamics.imagine_step(state, torch.ones(2, A), torch.rand(2, S))
    moved.feat.sum().backward()
    assert embed.grad is None
    assert dynamics.weight.grad is not None and dynamics.weight.grad.ne(0).any()


def test_nothing_is_foretold_of_an_episodes_first_z():
    dynamics = make()

    class Model:
        pass

    model = Model()
    model.dynamics = dynamics  # type: ignore[attr-defined]
    deter = torch.cat([torch.randn(2, 3, 2 * H), torch.ones(2, 3, 1)], -1)
    states = Memory(deter, torch.randn(2, 3, S))
    first = torch.tensor([[True, False, False], [True, False, True]])
    found = next_latent(model, Posterior(states, torch.empty(0)), {"is_first": first})["next"]  # type: ignore[arg-type]
    dist = numbers(dynamics.prior(deter))
    weight, mean, log_std = np.split(dist, 3, -1)
    each = weight + norm.logpdf(numbers(states.stoch)[..., None], mean, np.exp(log_std))
    expected = -np.mean(logsumexp(each, -1), -1)  # over dimensions too, as in the reference
    np.testing.assert_allclose(numbers(found), np.where(first, 0, expected), rtol=1e-4)


def test_a_head_of_the_memory_reads_h_and_learns_nothing_where_it_is_empty():
    head = FromMemory(SymlogHead(H, Hidden(H, 0, STYLE)), H)
    feat = torch.randn(1, 3, S + H, requires_grad=True)
    empty = torch.cat([feat[:, :1, :S], torch.zeros(1, 1, H)], -1)
    feats = torch.cat([empty, feat[:, 1:]], 1)
    loss = head.loss(feats, torch.ones(1, 3))
    assert loss[0, 0] == 0 and loss[0, 1:].ne(0).all()
    head(feats).sum().backward()
    assert feat.grad is not None and feat.grad[..., :S].eq(0).all()
    assert feat.grad[:, 1:, S:].ne(0).all()


def test_the_end_of_an_episode_counts_ten_times():
    plain = ContinueHead(H, Hidden(H, 0, STYLE))
    feat, goes_on = torch.randn(1, 4, S + H), torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    probability = numbers(plain(feat[..., S:]))[0]
    found = numbers(FromMemory(plain, H, rare=10.0).loss(feat, goes_on))[0]
    p = probability
    expected = [-np.log(p[0]), -10 * np.log(1 - p[1]), -np.log(p[2]), -10 * np.log(1 - p[3])]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
