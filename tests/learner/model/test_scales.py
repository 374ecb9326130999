"""Symlog vectors and exponential bins: golden numbers, and an obvious second version."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gymnasium.spaces import Box
from torch import Tensor

from learner.model.nets import Hidden, Style, truncated_normal
from learner.model.scales import FirmContinueHead, SymexpHead, SymlogInputs
from robot.wire.spec import Spec

HIDDEN = Hidden(8, 1, Style(F.silu, truncated_normal))


def symexp(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.expm1(np.abs(x))


def bins() -> np.ndarray:
    half = symexp(np.linspace(-20, 0, 128))
    return np.concatenate([half, -half[:-1][::-1]])


def code(x: float) -> np.ndarray:
    """Two-hot code by counting, as the paper puts it."""
    at = bins()
    x = float(np.clip(x, at[0], at[-1]))
    low, high = int((at <= x).sum()) - 1, 255 - int((at > x).sum())
    low, high = (int(np.clip(k, 0, 254)) for k in (low, high))
    weights = np.zeros(255)
    if low == high:
        weights[low] = 1
        return weights
    below, above = abs(at[low] - x), abs(at[high] - x)
    weights[low], weights[high] = above / (below + above), below / (below + above)
    return weights


def head_saying(raw: Tensor) -> SymexpHead:
    """A head whose outputs are `raw` (255,), whatever it is shown."""
    head = SymexpHead(4, HIDDEN)
    head.out.bias.data.copy_(raw)  # type: ignore[union-attr]
    return head


def test_bins_are_where_the_paper_puts_them():
    at = SymexpHead(4, HIDDEN).bins.numpy()
    np.testing.assert_allclose(at, bins(), rtol=1e-5)
    np.testing.assert_allclose(at[126:131], [-0.17055772, 0, 0.17055772, 0.37020536, 0.60390446])
    assert at[127] == 0 and at[-1] == pytest.approx(485165194.4, rel=1e-5)


@pytest.mark.parametrize("x", [0.0, 1.7, -3.0, 250.0, -1e5, 0.60390446, 1e-6, 4.9e8, -1e12])
def test_the_loss_is_the_cross_entropy_with_the_two_hot_code(x: float):
    torch.manual_seed(0)
    raw = 3 * torch.randn(255)
    loss = head_saying(raw).loss(torch.zeros(1, 1, 4), torch.tensor([[x]]))
    log_probs = raw.double().numpy() - np.log(np.exp(raw.double().numpy()).sum())
    assert float(loss.detach()) == pytest.approx(-(code(x) * log_probs).sum(), rel=1e-4)


@pytest.mark.parametrize(
    ("x", "weights"),
    [
        (1.7, {133: 0.70943092, 134: 0.29056908}),
        (-3.0, {118: 0.79031781, 119: 0.20968219}),
        (0.0, {127: 1.0}),
        (1e12, {254: 1.0}),
    ],
)
def test_golden_codes(x: float, weights: dict[int, float]):
    """The gradient of the loss is probabilities minus code, and probabilities are all 1 / 255."""
    head = head_saying(torch.zeros(255))
    head.loss(torch.zeros(1, 1, 4), torch.tensor([[x]])).sum().backward()
    found = 1 / 255 - head.out.bias.grad  # type: ignore[union-attr,operator]
    expected = np.zeros(255)
    expected[list(weights)] = list(weights.values())
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("x", [0.3, -0.05, 1.7, -3.0, 999.0, -52345.6, 3e7])
def test_what_is_learnt_is_what_was_shown(x: float):
    log_code = torch.as_tensor(np.log(np.maximum(code(x), 1e-30)), dtype=torch.float32)
    said = head_saying(log_code)(torch.zeros(1, 4))
    assert float(said.detach()) == pytest.approx(x, rel=1e-4)


def test_an_untrained_head_says_exactly_zero():
    head = SymexpHead(4, HIDDEN)
    assert head(10 * torch.randn(3, 5, 4)).eq(0).all() and head.out.weight.eq(0).all()
    assert head_saying(torch.full((255,), 3.7))(torch.zeros(2, 4)).eq(0).all()


def test_the_mean_is_that_of_the_values_and_not_of_their_symlogs():
    """Half 0 and half 1000 is 500; the first generation's head would say about 31."""
    raw = torch.as_tensor(np.log(np.maximum(0.5 * code(0) + 0.5 * code(1000), 1e-30))).float()
    assert float(head_saying(raw)(torch.zeros(1, 4)).detach()) == pytest.approx(500, rel=1e-4)


@pytest.mark.parametrize("count", [1, 2, 254])
def test_a_number_of_bins_without_a_middle_is_refused(count: int):
    with pytest.raises(ValueError, match=f"bins {count}: allowed is an odd number from 3"):
        SymexpHead(4, HIDDEN, count)


def test_vectors_enter_as_symlogs_without_a_scale():
    spaces = {"a": Box(-9, 9, (2,), np.float32), "b": Box(-1, 1, (1,), np.float32)}
    inputs = SymlogInputs({k: Spec(v, "m", "body", scale=np.array(7.0)) for k, v in spaces.items()})
    seen = {"a": torch.tensor([[1e6, -1.0]]), "b": torch.tensor([[0.0]])}
    expected = [np.log(1e6 + 1), -np.log(2), 0]
    np.testing.assert_allclose(inputs.vector(seen)[0].numpy(), expected, rtol=1e-6)


def test_a_firm_head_says_yes_or_no_and_still_learns_odds():
    head = FirmContinueHead(4, HIDDEN)
    feat = torch.randn(200, 4)
    odds = head.raw(feat).squeeze(-1)
    assert torch.equal(head(feat), (odds > 0).float()) and 0 < head(feat).mean() < 1
    expected = np.log1p(np.exp(odds.detach().numpy()))
    np.testing.assert_allclose(
        head.loss(feat, torch.zeros(200)).detach(), expected, rtol=1e-4, atol=1e-6
    )
