"""CMA-ES: against published formulas, known efforts, the plain package, and a restart."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from learner.behaviour.evolution import Strategy

Cost = Callable[[np.ndarray], np.ndarray]


def make(size: int, start: float, sigma: float, seed: int = 0, population: int = 0) -> Strategy:
    torch.manual_seed(seed)
    strategy = Strategy(size, population or 4 + int(3 * np.log(size)), sigma)
    strategy.arrays["mean"].fill_(start)
    return strategy


def step(strategy: Strategy, cost: Cost) -> np.ndarray:
    """One generation; its candidates."""
    candidates = strategy.ask().numpy().copy()
    strategy.tell(torch.from_numpy(cost(candidates)))
    return candidates


def sphere(x: np.ndarray) -> np.ndarray:
    return np.square(x).sum(-1)


def rosenbrock(x: np.ndarray) -> np.ndarray:
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(-1)


def ellipsoid(x: np.ndarray) -> np.ndarray:
    return (10 ** (6 * np.arange(x.shape[-1]) / (x.shape[-1] - 1)) * np.square(x)).sum(-1)


def turned(x: np.ndarray) -> np.ndarray:
    """The ellipsoid along other axes."""
    axes, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(x.shape[-1],) * 2))
    return ellipsoid(x @ axes)


def effort(strategy: Strategy, cost: Cost, goal: float, most: int) -> int:
    """Evaluations until a candidate costs less than the goal."""
    for generation in range(1, most // strategy.population + 1):
        if cost(step(strategy, cost)).min() < goal:
            return generation * strategy.population
    return most


def published(n: int, population: int) -> dict[str, float]:
    """Hansen's tutorial (arXiv 1604.00772), table 1, in the form without negative weights."""
    mu = population // 2
    weight = np.log((population + 1) / 2) - np.log(np.arange(1, mu + 1))
    weight /= weight.sum()
    m = 1 / np.square(weight).sum()
    c1 = 2 / ((n + 1.3) ** 2 + m)
    c_sigma = (m + 2) / (n + m + 5)
    return {
        "mass": m,
        "c1": c1,
        "cmu": min(1 - c1, 2 * (m - 2 + 1 / m) / ((n + 2) ** 2 + m)),
        "cc": (4 + m / n) / (n + 4 + 2 * m / n),
        "c_sigma": c_sigma,
        "damping": 1 + 2 * max(0, np.sqrt((m - 1) / (n + 1)) - 1) + c_sigma,
        "first": weight[0],
        "last": weight[-1],
    }


@pytest.mark.parametrize(("size", "population"), [(867, 64), (1088, 64), (10, 10)])
def test_constants_are_the_published_ones(size: int, population: int):
    """Its rank-mu rate has a later form, with 1/4 added, and its path's rate has 3 for 5."""
    search = make(size, 0.0, 0.1, population=population)._search()
    weights = search.sp.weights
    found = {
        "mass": weights.mueff,
        "c1": search.sp.c1,
        "cmu": search.sp.cmu,
        "cc": search.sp.cc,
        "c_sigma": search.adapt_sigma.cs,
        "damping": search.adapt_sigma.damps,
        "first": weights.positive_weights[0],
        "last": weights.positive_weights[-1],
    }
    small = size < 100
    slack = {"cmu": 0.35 if small else 0.02, "c_sigma": 0.2 if small else 0.005, "damping": 0.1}
    for name, value in published(size, population).items():
        assert found[name] == pytest.approx(value, rel=slack.get(name, 1e-9)), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cost", "size", "start", "goal", "known"),
    [
        (sphere, 10, 3.0, 1e-9, 1600),
        (rosenbrock, 5, 0.0, 1e-6, 2300),
        (ellipsoid, 10, 3.0, 1e-9, 6800),
        (turned, 10, 3.0, 1e-9, 6800),
    ],
)
def test_it_takes_as_long_as_the_plain_algorithm(
    cost: Cost, size: int, start: float, goal: float, known: int
):
    """`known` evaluations were counted with the published formulas written out in NumPy."""
    for seed in range(5):
        assert effort(make(size, start, 0.5, seed), cost, goal, 2 * known) < 2 * known


def test_it_finds_the_bottom_of_a_bowl():
    strategy = make(5, 2.0, 0.5)
    for _ in range(60):
        step(strategy, sphere)
    assert np.abs(strategy.arrays["mean"].numpy()).max() < 0.01
    assert strategy.generation == 60


def test_nothing_is_lost_between_generations():
    """The plain package, kept alive throughout, draws the very same candidates."""
    import cma
    from cma.sigma_adaptation import CMAAdaptSigmaCSA

    strategy, generation = make(10, 3.0, 0.5), 0
    seed = int(strategy.arrays["seed"])

    def draw(*shape: int) -> np.ndarray:
        return np.random.default_rng([seed, generation]).standard_normal(shape)

    options = {"popsize": strategy.population, "AdaptSigma": CMAAdaptSigmaCSA, "randn": draw}
    options |= {"seed": np.nan, "verbose": -9, "verb_log": 0, "updatecovwait": 0}
    plain = cma.CMAEvolutionStrategy(10 * [3.0], 0.5, options)
    for generation in range(40):  # noqa: B007  read by `draw`
        expected = plain.ask()
        found = step(strategy, ellipsoid)
        np.testing.assert_allclose(found, np.stack(expected), rtol=1e-6, atol=1e-9)
        plain.tell(expected, ellipsoid(np.stack(expected)).tolist())


def test_only_the_order_of_costs_counts():
    one, other = make(6, 1.0, 0.3), make(6, 1.0, 0.3)
    for _ in range(15):
        found = step(one, sphere), step(other, lambda x: np.exp(3 * sphere(x)) - 7)
        np.testing.assert_array_equal(*found)


def test_a_generation_goes_on_bit_for_bit_in_another():
    one, other = make(6, 1.0, 0.3, seed=1), make(6, -5.0, 2.0, seed=2)
    for _ in range(7):
        step(one, rosenbrock)
    one.ask()
    other.load({name: array.clone() for name, array in one.arrays.items()})
    for _ in range(7):
        np.testing.assert_array_equal(step(one, rosenbrock), step(other, rosenbrock))
    assert all(torch.equal(one.arrays[name], other.arrays[name]) for name in one.arrays)


def test_its_arrays_stay_where_they_are():
    strategy = make(4, 0.0, 0.1)
    before = dict(strategy.arrays)
    step(strategy, sphere)
    assert all(strategy.arrays[name] is array for name, array in before.items())


def test_asking_twice_is_asking_once_and_seeds_differ():
    strategy = make(4, 0.0, 0.1)
    assert torch.equal(strategy.ask(), strategy.ask())
    assert not torch.equal(strategy.ask(), make(4, 0.0, 0.1, seed=1).ask())


def test_a_candidate_without_a_finite_cost_is_the_worst():
    strategy = make(3, 0.0, 1.0)

    def cost(x: np.ndarray) -> np.ndarray:
        return np.where(x[:, 0] > 0, np.nan, sphere(x))

    for _ in range(5):
        step(strategy, cost)
    assert float(strategy.arrays["mean"][0]) < 0 and strategy.arrays["mean"].isfinite().all()


def test_the_step_size_has_a_floor():
    torch.manual_seed(0)
    strategy = Strategy(3, 8, 0.5, least=0.2)
    for _ in range(30):
        step(strategy, sphere)
    assert float(strategy.arrays["sigma"]) == 0.2
