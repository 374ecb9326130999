"""The planner against NumPy, worked numbers and the analytic solution of a linear problem."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learner.behaviour.noise import ModeNoise, SeededNoise
from learner.behaviour.planner import Effort, Planner, Search, Softly, WarmPlanner
from learner.behaviour.plans import BoxPlans, OneHotPlans
from learner.model.heads import NeverEnds
from learner.model.latents import Gaussians
from learner.model.rssm import State
from learner.model.world_model import WorldModel

SEEDS = 5


class GivenNoise(ModeNoise):
    """The same numbers for every row and every call, so that searches can be worked by hand."""

    def __init__(self, each: int, horizon: int, action: int) -> None:
        super().__init__(0)
        self.given = self.normal(1, each, horizon, action)
        self.normal = lambda *shape: self.given.expand(shape)
        self.uniform = lambda *shape: torch.full(shape, 0.5)


class Linear(nn.Module):
    """s' = A s + B a for a cart that is pushed: place and speed; what was done is remembered."""

    feat_width = 3
    latents = Gaussians(1)
    action = 1
    A = torch.tensor([[1.0, 0.2], [0.0, 1.0]])
    B = torch.tensor([[0.02], [0.2]])

    def imagine_step(self, state: State, action: Tensor, noise: Tensor) -> State:
        """Move by a step: (N, 2), (N, 1) -> (N, 2)."""
        return State(state.deter @ self.A.T + action @ self.B.T, action)


class Cost(nn.Module):
    """The reward of arriving: less for being off, for speed and for effort; feat is (a, s)."""

    def forward(self, feat: Tensor) -> Tensor:
        """(..., 3) -> (...)."""
        return -(feat.square() * torch.tensor([0.05, 1.0, 0.1])).sum(-1)


class Ends(nn.Module):
    """The episode ends where the place is beyond 1."""

    def forward(self, feat: Tensor) -> Tensor:
        """(..., 3) -> (...)."""
        return (feat[..., 1] < 1).float()


def cart(cont: nn.Module | None = None) -> WorldModel:
    unused = nn.Identity()
    return WorldModel(unused, Linear(), unused, Cost(), cont or NeverEnds(), unused)  # type: ignore[arg-type]


def at(*rows: tuple[float, float]) -> State:
    return State(torch.tensor(rows), torch.zeros(len(rows), 1))


def target(horizon: int, action: int) -> Tensor:
    drawn = np.random.default_rng(1).uniform(-0.8, 0.8, (horizon, action))
    return torch.tensor(drawn).float()


def search(effort: Effort, goal: Tensor, noise_seed: int = 0, **parts: Softly) -> Tensor:
    """Belief (SEEDS, H, A, 2) after a search for `goal`, each row with noise of its own."""
    plans = BoxPlans(goal.shape[1])
    find = Search(plans, effort, **parts)
    start = plans.fresh(SEEDS, goal.shape[0])
    return find(lambda a: -(a - goal).square().sum((2, 3)), start, SeededNoise(noise_seed))


@pytest.mark.parametrize(
    ("horizon", "action", "most"), [(1, 2, 1e-4), (12, 1, 0.005), (12, 2, 0.022), (12, 6, 0.2)]
)
def test_the_paper_s_search_comes_as_near_as_a_reference_in_numpy(
    horizon: int, action: int, most: float
):
    """The reference's largest errors over 5 seeds: under 1e-4, .004, .018 and .16."""
    goal = target(horizon, action)
    error = (search(Effort(horizon), goal)[..., 0] - goal).abs()
    assert error.max() < most


def test_the_deviation_shrinks_as_in_a_reference_in_numpy():
    """For 12 x 2 its mean goes from .64 after the first iteration to .04 after the tenth."""
    goal = target(12, 2)
    ends = [search(Effort(12, iterations=i), goal)[..., 1].mean().item() for i in (1, 10)]
    assert ends[0] == pytest.approx(0.64, abs=0.03) and ends[1] == pytest.approx(0.04, abs=0.015)


def test_a_target_outside_the_box_is_approached_from_within():
    found = search(Effort(12), torch.full((12, 1), 1.5))[..., 0]
    assert found.min() > 0.93 and found.max() <= 1


def test_one_iteration_is_that_of_numpy():
    noise, plans = GivenNoise(20, 3, 2), BoxPlans(2)
    goal = target(3, 2)
    find = Search(plans, Effort(3, 20, 1, 4))
    found = find(lambda a: -(a - goal).square().sum((2, 3)), plans.fresh(2, 3), noise)
    tried = np.clip(noise.given[0].numpy(), -1, 1)
    best = np.argsort([((one - goal.numpy()) ** 2).sum() for one in tried])[:4]
    std = np.sqrt(tried[best].var(0) + 1e-6)
    for row in found.numpy():
        np.testing.assert_allclose(row[..., 0], tried[best].mean(0), atol=1e-6)
        np.testing.assert_allclose(row[..., 1], std, atol=1e-6)


def test_better_elites_count_for_more_by_path_integral_control():
    noise, plans = GivenNoise(20, 2, 1), BoxPlans(1)
    score = lambda a: a.sum((2, 3))  # noqa: E731
    found = Search(plans, Effort(2, 20, 1, 5), Softly(0.5))(score, plans.fresh(1, 2), noise)
    tried = np.clip(noise.given[0, ..., 0].numpy(), -1, 1)
    best = tried[np.argsort(-tried.sum(1))[:5]]
    weight = np.exp(2 * best.sum(1)) / np.exp(2 * best.sum(1)).sum()
    np.testing.assert_allclose(found[0, :, 0, 0].numpy(), weight @ best, atol=1e-5)


def least_cost(state: np.ndarray, horizon: int) -> float:
    """Least cost of the cart over all action sequences, by the normal equations in float64."""
    a, b = (m.numpy().astype(np.float64) for m in (Linear.A, Linear.B))
    powers = [np.linalg.matrix_power(a, k) for k in range(horizon + 1)]
    free = np.concatenate([powers[k + 1] @ state for k in range(horizon)])
    pushed = np.zeros((2 * horizon, horizon))
    for k, j in itertools.product(range(horizon), repeat=2):
        if j <= k:
            pushed[2 * k : 2 * k + 2, j : j + 1] = powers[k - j] @ b
    weight = np.tile([1.0, 0.1], horizon)
    best = -np.linalg.solve(
        pushed.T * weight @ pushed + 0.05 * np.eye(horizon), pushed.T * weight @ free
    )
    assert np.abs(best).max() < 1, "the box must not bind, or this is not the optimum"
    return float(weight @ (free + pushed @ best) ** 2 + 0.05 * best @ best)


def test_plans_of_a_linear_model_cost_what_the_analytic_solution_does():
    starts = at((0.3, 0.0), (-0.2, 0.1), (0.1, -0.3))
    planner, model = Planner(Search(BoxPlans(1), Effort(12))), cart()
    plan = planner.plan(model, starts, SeededNoise(0))[..., 0]
    states = model.unroll(starts, plan, torch.full((12, 3, 1), 0.5))
    for row, cost in enumerate((-model.reward(states.feat)).sum(1)):
        least = least_cost(starts.deter[row].numpy().astype(np.float64), 12)
        assert least - 1e-6 < cost.item() < 1.05 * least


def test_rows_are_planned_independently_and_the_state_stays():
    state = at((0.3, 0.0), (-0.2, 0.1))
    before = state.deter.clone()
    planner = Planner(Search(BoxPlans(1), Effort(6, 50, 3, 5)))
    both, noise = planner.plan(cart(), state, GivenNoise(50, 6, 1)), GivenNoise(50, 6, 1)
    for row in range(2):
        alone = planner.plan(cart(), state[row : row + 1], noise)
        np.testing.assert_allclose(both[row : row + 1], alone, atol=1e-5)
    assert torch.equal(state.deter, before) and not torch.equal(both[0], both[1])


def test_without_iterations_nothing_is_done():
    planner = Planner(Search(BoxPlans(1), Effort(12, iterations=0)))
    assert planner.act(cart(), at((0.3, 0.0)), SeededNoise(0)).tolist() == [[0.0]]


def test_candidates_of_no_finite_return_are_the_worst():
    goal = target(4, 1)

    def score(tried: Tensor) -> Tensor:
        good = -(tried - goal).square().sum((2, 3))
        good[:, ::3], good[:, 1::3] = float("nan"), float("inf")
        return good

    plans = BoxPlans(1)
    found = Search(plans, Effort(4))(score, plans.fresh(1, 4), SeededNoise(0))
    assert (found[0, ..., 0] - goal).abs().max() < 0.05
    nothing = Search(plans, Effort(4), Softly(1.0))(
        lambda a: a.sum((2, 3)) / 0, found, SeededNoise(0)
    )
    assert nothing.isfinite().all()


def test_what_comes_after_an_end_does_not_count():
    """Beyond place 1 nothing is paid any more, so the costly cart runs for it."""
    planner = Planner(Search(BoxPlans(1), Effort(8, 300, 6, 30)))
    start = at((0.95, 0.0))
    stays, runs = (
        planner.act(cart(cont), start, ModeNoise(0)).item() for cont in (NeverEnds(), Ends())
    )
    assert stays < -0.2 and runs > 0.2


def test_a_warm_search_goes_on_from_the_rest_of_the_last_plan():
    plans = BoxPlans(1)
    belief = torch.stack([torch.tensor([[[0.1], [0.2], [0.3]]]), torch.full((1, 3, 1), 0.05)], -1)
    later = plans.later(belief)
    assert torch.equal(later[0, :, 0, 0], torch.tensor([0.2, 0.3, 0.0]))
    assert torch.equal(later[..., 1], torch.ones(1, 3, 1))
    warm, still = WarmPlanner(Search(plans, Effort(12))), at((0.3, 0.0))
    first = warm.plan(cart(), still, SeededNoise(0))
    warm.search = Search(plans, Effort(12, iterations=0))
    assert torch.equal(warm.plan(cart(), still, SeededNoise(0)), plans.later(first))
    two = warm.plan(cart(), at((0.3, 0.0), (0.1, 0.0)), SeededNoise(0))
    assert torch.equal(two, plans.fresh(2, 12)), "the plan of one row is no plan of two"


def test_a_sequence_of_choices_is_found():
    plans, right = OneHotPlans(3), torch.eye(3)[torch.tensor([0, 2, 1, 1, 0, 2])]
    find = Search(plans, Effort(6, 100, 5, 10))
    found = find(lambda a: (a * right).sum((2, 3)), plans.fresh(2, 6), SeededNoise(0))
    assert torch.equal(found[..., 0].round(), right.expand(2, 6, 3))
    np.testing.assert_allclose(found.sum(2), np.ones((2, 6, 1)), atol=1e-5)
    tried = plans.sample(plans.fresh(1, 2), torch.randn(1, 6000, 2, 3))
    assert set(tried.unique().tolist()) == {0, 1} and (tried.sum(-1) == 1).all()
    np.testing.assert_allclose(tried.mean(1), np.full((1, 2, 3), 1 / 3), atol=0.03)


def test_the_likeliest_choice_is_made_and_a_warm_search_doubts_half_of_what_it_found():
    plans = OneHotPlans(4)
    belief = torch.tensor([0.2, 0.5, 0.3, 0.0])[None, None, :, None]
    assert plans.first(belief).tolist() == [[0, 1, 0, 0]]
    later = plans.later(belief.expand(1, 2, 4, 1))
    np.testing.assert_allclose(later[0, 0, :, 0], [0.225, 0.375, 0.275, 0.125], atol=1e-6)
    np.testing.assert_allclose(later[0, 1, :, 0], [0.25] * 4)


def test_more_elites_than_candidates_are_refused():
    with pytest.raises(ValueError, match="elites 20: allowed is up to 10 candidates"):
        Effort(candidates=10, elites=20)


def test_a_robot_needs_what_scores_plans():
    model = cart()
    assert Planner(Search(BoxPlans(1), Effort())).parts(model) == {
        "reward": model.reward,
        "cont": model.cont,
    }
