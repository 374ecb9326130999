"""Heads against codes and losses worked out in NumPy."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from learner.model.heads import (
    ContinueHead,
    NeverEnds,
    SymlogHead,
    TwoHotHead,
    VectorHead,
    symexp,
    symlog,
)
from learner.model.nets import Hidden, Linear, Style, to_bfloat16, uniform_average
from learner.train.optimisers import Adam, AdamSettings

HIDDEN = Hidden(16, 1, Style(F.elu, uniform_average))
FEAT = torch.zeros(1, 1, 3)


def fixed(out: Linear, raw: list[float] | np.ndarray) -> None:
    """Let a head's last layer give these numbers, whatever it is shown."""
    out.weight.data.zero_()
    assert out.bias is not None
    out.bias.data.copy_(torch.tensor(np.array(raw)))


def two_hot(x: float, bins: np.ndarray) -> np.ndarray:
    """Weights of the two bins around x, nearer ones larger; clipped to the outermost bins."""
    x = float(np.clip(x, bins[0], bins[-1]))
    weights = np.zeros(len(bins))
    high = int(np.searchsorted(bins, x))
    if bins[high] == x:
        weights[high] = 1
        return weights
    gap = bins[high] - bins[high - 1]
    weights[high - 1], weights[high] = (bins[high] - x) / gap, (x - bins[high - 1]) / gap
    return weights


def squash(x: float) -> float:
    return math.copysign(math.log1p(abs(x)), x)


def log_softmax(raw: np.ndarray) -> np.ndarray:
    return raw - raw.max() - np.log(np.exp(raw - raw.max()).sum())


def loss(head: TwoHotHead | SymlogHead | ContinueHead, target: float) -> float:
    return float(head.loss(FEAT, torch.tensor([[target]])).detach())


@pytest.mark.parametrize("x", [0.0, 1e-8, 1.0, 1e6, -1e-8, -1.0, -1e6])
def test_symlog_is_odd_and_inverted_by_symexp(x: float):
    t = torch.tensor(x, dtype=torch.float64)
    assert float(symlog(t)) == pytest.approx(squash(x), rel=1e-12)
    assert float(symexp(symlog(t))) == pytest.approx(x, rel=1e-9)
    assert float(symlog(-t)) == -float(symlog(t))


def test_symlog_keeps_small_numbers_as_they_are():
    t = torch.tensor([-1e-4, 1e-4], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(symlog(t).sum(), t)
    np.testing.assert_allclose(slope, [1, 1], atol=2e-4)


@pytest.mark.parametrize("target", [0.0, 1.7, -3.0, 0.15, 250.0, -1e4, 1e6, -1e9, 4.9e8])
def test_two_hot_loss_is_the_cross_entropy_with_the_code(target: float):
    head = TwoHotHead(3, HIDDEN, bins=255, limit=20.0)
    raw = np.random.default_rng(0).normal(size=255)
    fixed(head.out, raw)
    code = two_hot(squash(target), np.linspace(-20, 20, 255))
    assert loss(head, target) == pytest.approx(-(code * log_softmax(raw)).sum(), abs=2e-4)


def test_golden_code_of_1_7():
    head = TwoHotHead(3, HIDDEN)
    raw = np.random.default_rng(1).normal(size=255)
    fixed(head.out, raw)
    logs = log_softmax(raw)
    expected = -(0.69285124 * logs[133] + (1 - 0.69285124) * logs[134])
    assert loss(head, 1.7) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("target", "only"), [(1e30, 254), (-1e30, 0), (math.expm1(20.0), 254)])
def test_targets_beyond_the_bins_count_as_the_outermost_bin(target: float, only: int):
    head = TwoHotHead(3, HIDDEN)
    raw = np.random.default_rng(2).normal(size=255)
    fixed(head.out, raw)
    assert loss(head, target) == pytest.approx(-log_softmax(raw)[only], rel=1e-5)


def test_equal_probabilities_predict_exactly_zero():
    head = TwoHotHead(3, HIDDEN)
    feat = torch.randn(50, 3)
    assert head(feat).eq(0).all()
    fixed(head.out, [1.234567] * 255)
    assert head(feat).eq(0).all()


@pytest.mark.parametrize("target", [0.0, 1.7, -3.0, 250.0, -20_000.0])
def test_a_code_is_decoded_to_its_number(target: float):
    head = TwoHotHead(3, HIDDEN, bins=127, limit=10.0)
    fixed(head.out, np.log(two_hot(squash(target), np.linspace(-10, 10, 127)) + 1e-30))
    assert float(head(FEAT).detach()) == pytest.approx(target, rel=1e-4, abs=1e-6)


def test_the_loss_is_least_where_the_prediction_is_the_code():
    head = TwoHotHead(3, HIDDEN, bins=21, limit=4.0)
    assert head.out.bias is not None
    descent = Adam([head.out.bias], AdamSettings(lr=0.3))
    for _ in range(400):
        descent.step(head.loss(FEAT, torch.tensor([[1.7]])).sum())
    code = two_hot(squash(1.7), np.linspace(-4, 4, 21))
    entropy = -(code[code > 0] * np.log(code[code > 0])).sum()
    assert loss(head, 1.7) == pytest.approx(entropy, abs=1e-3)
    got = F.softmax(head.out.bias.detach(), -1).numpy()
    np.testing.assert_allclose(got, code, atol=2e-3)


def test_bins_keep_their_places_when_weights_are_rounded_to_bfloat16():
    head = TwoHotHead(3, HIDDEN, bins=127, limit=10.0)
    to_bfloat16(head)
    fixed(head.out, np.eye(127)[100] * 64)
    place = 37 * 10 / 63
    assert float(head(FEAT).detach()) == pytest.approx(math.expm1(place), rel=1e-5)


@pytest.mark.parametrize("bins", [0, 1, 128])
def test_without_a_bin_for_zero_a_head_is_refused(bins: int):
    with pytest.raises(ValueError, match=f"bins {bins}: allowed is an odd number"):
        TwoHotHead(3, HIDDEN, bins=bins)


@pytest.mark.parametrize("target", [0.0, 7.5, -900.0])
def test_a_symlog_head_regresses_the_squashed_scalar(target: float):
    head = SymlogHead(3, HIDDEN)
    fixed(head.out, [1.3])
    assert loss(head, target) == pytest.approx((1.3 - squash(target)) ** 2, rel=1e-5)
    assert float(head(FEAT).detach()) == pytest.approx(math.expm1(1.3), rel=1e-6)


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_a_continue_head_is_scored_by_the_binary_cross_entropy(target: float):
    head = ContinueHead(3, HIDDEN)
    fixed(head.out, [0.8])
    p = 1 / (1 + math.exp(-0.8))
    assert float(head(FEAT).detach()) == pytest.approx(p, rel=1e-6)
    expected = -math.log(p if target else 1 - p)
    assert loss(head, target) == pytest.approx(expected, rel=1e-5)


def test_what_never_ends_costs_nothing():
    feat = torch.randn(2, 3, 4)
    assert NeverEnds()(feat).eq(1).all()
    assert NeverEnds().loss(feat, torch.zeros(2, 3)).eq(0).all()


def test_a_vector_head_sums_squares_over_its_entries():
    head = VectorHead(3, 2, HIDDEN)
    fixed(head.out, [1.0, -2.0])
    got = head.loss(torch.zeros(1, 2, 3), torch.tensor([[[0.0, 0.0], [1.0, 1.0]]]))
    assert got.tolist() == [[5.0, 9.0]]


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_last_layers_start_with_their_share_of_the_variance(scale: float):
    """DayDreamer, nets.py: uniform within sqrt(3 scale / mean(in, out))."""
    head = SymlogHead(3, Hidden(5000, 1, HIDDEN.style), scale)
    bound = math.sqrt(3 * scale / ((5000 + 1) / 2))
    assert float(head.out.weight.detach().abs().max()) == pytest.approx(bound, rel=1e-3)
    assert head.out.bias is not None and head.out.bias.eq(0).all()
