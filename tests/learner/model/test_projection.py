"""Two-hot codes as the projection of a distributional critic (C51, arXiv 1707.06887, algorithm 1).

Returns z_i of probability p_i move to r + gamma z_i; their codes, weighted by p_i, are again a
distribution over the bins. The oracle is the paper's loop over atoms.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from learner.model.heads import TwoHotHead
from learner.model.nets import Hidden, Style, uniform_average
from learner.model.scales import SymexpHead

HIDDEN = Hidden(4, 1, Style(F.elu, uniform_average))
BINS, LIMIT = 21, 4.0
EVEN = np.linspace(-LIMIT, LIMIT, BINS)
Project = Callable[[np.ndarray, np.ndarray], np.ndarray]


def symexp(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.expm1(np.abs(x))


GROWING = symexp(EVEN)


def projected(head: TwoHotHead | SymexpHead, values: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """What a head would learn from values (N,) of these probabilities: (BINS,).

    The gradient of a cross entropy to the outputs is softmax minus code, and outputs are all 0.
    """
    assert head.out.bias is not None
    head.out.bias.data.zero_()
    losses = head.loss(torch.zeros(1, len(values), 3), torch.tensor(values)[None])
    (grad,) = torch.autograd.grad((losses * torch.tensor(probs)).sum(), head.out.bias)
    return (probs.sum() / BINS - grad.double()).numpy()


def even(places: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """By the head whose bins are even in symlog: there, places are symlogs."""
    return projected(TwoHotHead(3, HIDDEN, BINS, LIMIT), symexp(places), probs)


def growing(places: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """By the head whose bins grow: there, places are the values themselves."""
    return projected(SymexpHead(3, HIDDEN, BINS, LIMIT), places, probs)


def by_atoms(atoms: np.ndarray, places: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """The paper's algorithm, for atoms that need not be even: b is a fractional number of one."""
    found = np.zeros(len(atoms))
    for place, prob in zip(places, probs, strict=True):
        b = float(np.interp(np.clip(place, atoms[0], atoms[-1]), atoms, np.arange(len(atoms))))
        low, high = math.floor(b), math.ceil(b)
        if low == high:
            found[low] += prob
            continue
        found[low] += prob * (high - b)
        found[high] += prob * (b - low)
    return found


HEADS: dict[str, tuple[Project, np.ndarray]] = {
    "even": (even, EVEN),
    "growing": (growing, GROWING),
}


@pytest.fixture(params=HEADS)
def head(request: pytest.FixtureRequest) -> tuple[Project, np.ndarray]:
    """How a head projects, and where its bins are."""
    return HEADS[request.param]


def drawn(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(BINS, 0.5))


@pytest.mark.parametrize(("reward", "gamma"), [(0.0, 1.0), (0.3, 0.9), (-1.7, 0.99), (9.0, 0.5)])
def test_it_is_the_projection_of_the_paper(
    head: tuple[Project, np.ndarray], reward: float, gamma: float
):
    project, atoms = head
    places, probs = reward + gamma * atoms, drawn()
    found = project(places, probs)
    np.testing.assert_allclose(found, by_atoms(atoms, places, probs), atol=2e-6)
    assert found.min() > -1e-6 and found.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("reward", "gamma"), [(0.21, 0.9), (-0.13, 0.5), (0.0, 0.0)])
def test_inside_the_support_the_mean_moves_as_returns_do(
    head: tuple[Project, np.ndarray], reward: float, gamma: float
):
    project, atoms = head
    places, probs = reward + gamma * atoms, drawn(1)
    assert atoms[0] <= places.min() and places.max() <= atoms[-1]
    mean = float(project(places, probs) @ atoms)
    assert mean == pytest.approx(reward + gamma * float(probs @ atoms), abs=2e-5)


def test_beyond_the_support_all_mass_is_at_its_end(head: tuple[Project, np.ndarray]):
    project, atoms = head
    for sign, end in ((1.0, -1), (-1.0, 0)):
        found = project(sign * 3 * atoms[-1] + 0.9 * atoms, drawn(2))
        assert found[end] == pytest.approx(1, abs=1e-6)


def test_a_return_that_falls_on_a_bin_keeps_its_mass_there(head: tuple[Project, np.ndarray]):
    """Where b is a whole number both shares of the plain formula, u - b and b - l, are nought."""
    project, atoms = head
    for place in (0, 7, BINS // 2, BINS - 1):
        found = project(atoms[place : place + 1], np.ones(1))
        np.testing.assert_allclose(found, np.eye(BINS)[place], atol=2e-5)


def test_a_shift_by_whole_bins_moves_every_mass_by_so_many():
    probs = np.zeros(BINS)
    probs[5:10] = drawn(3)[:5] / drawn(3)[:5].sum()
    found = even(EVEN + 4 * (EVEN[1] - EVEN[0]), probs)
    np.testing.assert_allclose(found, np.roll(probs, 4), atol=2e-5)
