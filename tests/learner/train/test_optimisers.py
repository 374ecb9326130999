"""The flat Adam against torch.optim.AdamW and a loop of floats, and its float32 masters."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learner.model.nets import to_bfloat16
from learner.train.optimisers import Adam, AdamSettings, check_fit

Loss = Callable[[nn.Module], Tensor]


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 2))


def loss_of(model: nn.Module, step: int) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(16, 4, generator=generator)
    kind = next(model.parameters()).dtype
    return 100 * (model(x.to(kind)).float() - x[:, :2]).square().mean()


def numbers(model: nn.Module) -> list[np.ndarray]:
    return [p.detach().float().numpy().copy() for p in model.parameters()]


def descend(optimiser: Adam, model: nn.Module, steps: Sequence[int]) -> None:
    for step in steps:
        optimiser.step(loss_of(model, step))


def test_it_is_adamw_that_decays_matrices_alone():
    settings = AdamSettings(lr=1e-2, eps=1e-6, clip=100.0, decay=1e-1)
    mine, theirs = net(), net()
    optimiser = Adam(mine.parameters(), settings)
    weights = list(theirs.parameters())
    groups = [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": 1e-1},
        {"params": [p for p in weights if p.ndim == 1], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=1e-2, eps=1e-6, fused=False, foreach=False)
    clipped = 0
    for step in range(30):
        norm = optimiser.step(loss_of(mine, step))
        loss_of(theirs, step).backward()
        expected = nn.utils.clip_grad_norm_(weights, 100.0)
        assert float(norm) == pytest.approx(float(expected), rel=1e-3)
        clipped += float(norm) > 100.0
        reference.step()
        reference.zero_grad()
    assert 0 < clipped < 30, "both sides of the limit must have been seen"
    for a, b in zip(numbers(mine), numbers(theirs), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_one_weight_follows_the_textbook():
    """DayDreamer, tfutils.py: decay first, eps beside the root of the corrected moment."""
    weight = nn.Parameter(torch.tensor([[2.0]]))
    optimiser = Adam([weight], AdamSettings(lr=0.1, eps=1e-6, clip=1e9, decay=0.5))
    theta, m, v = 2.0, 0.0, 0.0
    for t in range(1, 20):
        grad = 3 * theta**2
        optimiser.step(weight.pow(3).sum())
        theta *= 1 - 0.1 * 0.5
        m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
        theta -= 0.1 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-6)
        assert float(weight.detach()) == pytest.approx(theta, rel=1e-4)


def test_gradients_are_clipped_together_and_the_norm_is_told_before():
    a, b = nn.Parameter(torch.zeros(1, 1)), nn.Parameter(torch.zeros(1))
    optimiser = Adam([a, b], AdamSettings(lr=1.0, eps=1.0, clip=5.0))
    norm = optimiser.step((30 * a + 40 * b).sum())
    assert float(norm) == 50.0
    # Clipped to (3, 4); one step of Adam moves g / (|g| + eps).
    assert float(a.detach()) == pytest.approx(-3 / 4, rel=1e-5)
    assert float(b.detach()) == pytest.approx(-4 / 5, rel=1e-5)


def test_masters_gather_what_bfloat16_cannot_hold():
    weight = nn.Parameter(torch.ones(1, 1, dtype=torch.bfloat16))
    optimiser = Adam([weight], AdamSettings(lr=1e-4, clip=1e9))
    for _ in range(100):
        optimiser.step(weight.sum().float())
    # One step of 1e-4 is far below the distance of 2^-8 to the next smaller number.
    assert float(optimiser.flats[0].master.detach()) == pytest.approx(0.99, abs=1e-5)
    assert float(weight.detach()) == pytest.approx(0.99, abs=2**-9)


def test_weights_in_bfloat16_descend_like_those_in_float32():
    mine, theirs = net(), net()
    to_bfloat16(mine)
    settings = AdamSettings(lr=3e-3)
    coarse, fine = Adam(mine.parameters(), settings), Adam(theirs.parameters(), settings)
    descend(coarse, mine, range(100))
    descend(fine, theirs, range(100))
    assert {p.dtype for p in mine.parameters()} == {torch.bfloat16}
    masters = {flat.master.dtype for flat in coarse.flats}
    assert masters == {torch.float32}
    assert float(loss_of(mine, 999).detach()) == pytest.approx(
        float(loss_of(theirs, 999).detach()), rel=0.2
    )


def test_weights_that_are_frozen_stay_out():
    model = net()
    model[0].requires_grad_(False)
    before = numbers(model)
    optimiser = Adam(model.parameters(), AdamSettings(lr=0.1))
    descend(optimiser, model, range(3))
    after = numbers(model)
    assert sum(flat.master.numel() for flat in optimiser.flats) == 8 + 8 + 16 + 2
    np.testing.assert_array_equal(before[0], after[0])
    assert not np.array_equal(before[4], after[4])


def test_weights_live_in_flat_memory_and_modules_see_every_step():
    model = net()
    optimiser = Adam(model.parameters(), AdamSettings(lr=0.1))
    descend(optimiser, model, range(2))
    held = np.concatenate([w.ravel() for w in numbers(model) if w.ndim > 1])
    np.testing.assert_array_equal(optimiser.flats[0].master.detach().numpy(), held)


def test_no_gradient_is_left_for_the_next_step():
    model = net()
    descend(Adam(model.parameters(), AdamSettings(lr=0.1)), model, range(2))
    assert all(p.grad is not None and p.grad.eq(0).all() for p in model.parameters())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_changes_nothing(bad: float):
    model = net()
    optimiser = Adam(model.parameters(), AdamSettings(lr=0.1))
    descend(optimiser, model, range(2))
    before = numbers(model)
    with pytest.raises(FloatingPointError, match="gradient norm"):
        optimiser.step(loss_of(model, 3) * bad)
    for a, b in zip(before, numbers(model), strict=True):
        np.testing.assert_array_equal(a, b)


def saved(optimiser: Adam) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in optimiser.tensors().items()}


@pytest.mark.parametrize("coarse", [False, True])
def test_another_optimiser_goes_on_from_what_was_saved(coarse: bool):
    settings = AdamSettings(lr=0.01, decay=0.1)
    first, second = net(0), net(1)
    if coarse:
        to_bfloat16(first, second)
    one, two = Adam(first.parameters(), settings), Adam(second.parameters(), settings)
    descend(one, first, range(5))
    two.load(saved(one))
    descend(one, first, range(5, 8))
    descend(two, second, range(5, 8))
    for a, b in zip(numbers(first), numbers(second), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_was_saved_before_the_first_step_forgets_later_moments():
    settings = AdamSettings(lr=0.01)
    first, second = net(0), net(0)
    one, two = Adam(first.parameters(), settings), Adam(second.parameters(), settings)
    start = saved(one)
    descend(one, first, range(5))
    one.load(start)
    descend(one, first, range(5, 7))
    descend(two, second, range(5, 7))
    for a, b in zip(numbers(first), numbers(second), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("1.master"), "1.master is missing"),
        (lambda t: t.pop("0.mean"), "0.mean is missing"),
        (lambda t: t.update({"9.master": torch.zeros(1)}), "9.master is not known here"),
        (lambda t: t.update({"0.mean": torch.zeros(1)}), r"0.mean is \(1,\); allowed is \(48,\)"),
    ],
)
def test_what_does_not_fit_is_named(change: Callable, said: str):
    model = net()
    optimiser = Adam(model.parameters(), AdamSettings(lr=0.01))
    descend(optimiser, model, range(1))
    tensors = saved(optimiser)
    change(tensors)
    with pytest.raises(ValueError, match=said):
        optimiser.load(tensors)


def test_arrays_that_fit_are_taken():
    check_fit("weights", {"a": torch.zeros(2, 3)}, {"a": np.zeros((2, 3))})
