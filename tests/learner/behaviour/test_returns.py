"""Returns against the mixture of n-step returns that defines them, and weights against loops."""

import numpy as np
import pytest
import torch

from learner.behaviour.returns import dream_weights, lambda_return

REWARD, VALUE, DISCOUNT = [1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0], [0.9, 0.8, 0.7, 0.6]


def row(values: list[float] | np.ndarray) -> torch.Tensor:
    return torch.tensor(np.array(values)[None], dtype=torch.float64)


def own(reward, value, discount, lam: float) -> np.ndarray:
    """A value that includes its own state's reward: entry t of all three belongs to state t."""
    return lambda_return(row(reward[:-1]), row(value), row(discount[:-1]), lam)[0].numpy()


def arrival(reward, value, discount, lam: float) -> np.ndarray:
    """A value that excludes it: what is predicted on arriving in t+1 stands at t."""
    return lambda_return(row(reward[1:]), row(value), row(discount[1:]), lam)[0].numpy()


def mixture(reward, value, discount, lam: float, shift: int) -> np.ndarray:
    """R_t = (1 - lam) sum_k lam^(k-1) G^k + lam^(M-1) G^M over M - 1 and then all steps."""
    steps = len(reward) - 1

    def n_step(t: int, k: int) -> float:
        total, left = 0.0, 1.0
        for i in range(k):
            total += left * reward[t + i + shift]
            left *= discount[t + i + shift]
        return total + left * value[t + k]

    def one(t: int) -> float:
        most = steps - t
        inner = sum(lam ** (k - 1) * n_step(t, k) for k in range(1, most))
        return (1 - lam) * inner + lam ** (most - 1) * n_step(t, most)

    return np.array([one(t) for t in range(steps)])


def draw(steps: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=steps + 1), rng.normal(size=steps + 1), rng.uniform(size=steps + 1)


def test_golden_return_where_values_include_their_own_reward():
    np.testing.assert_allclose(own(REWARD, VALUE, DISCOUNT, 0.5), [21.88, 26.40, 31.00])


def test_golden_return_where_values_exclude_their_own_reward():
    np.testing.assert_allclose(arrival(REWARD, VALUE, DISCOUNT, 0.5), [19.32, 23.30, 28.00])


@pytest.mark.parametrize("lam", [0.0, 0.3, 0.95, 1.0])
@pytest.mark.parametrize("steps", range(1, 16))
def test_return_is_the_mixture_of_n_step_returns(steps: int, lam: float):
    numbers = draw(steps, seed=steps)
    np.testing.assert_allclose(own(*numbers, lam), mixture(*numbers, lam, 0), atol=1e-12)
    np.testing.assert_allclose(arrival(*numbers, lam), mixture(*numbers, lam, 1), atol=1e-12)


def test_lambda_zero_looks_one_step_ahead():
    reward, value, discount = draw(7, seed=1)
    expected = reward[1:] + discount[1:] * value[1:]
    np.testing.assert_allclose(arrival(reward, value, discount, 0.0), expected)


def test_lambda_one_sums_all_rewards_and_bootstraps_at_the_end():
    reward, value, discount = draw(5, seed=2)
    expected, left = 0.0, 1.0
    for r, d in zip(reward[1:], discount[1:], strict=True):
        expected, left = expected + left * r, left * d
    got = arrival(reward, value, discount, 1.0)[0]
    np.testing.assert_allclose(got, expected + left * value[-1])


def test_return_minus_value_is_the_generalised_advantage():
    reward, value, discount = draw(9, seed=3)
    lam, carried, expected = 0.9, 0.0, []
    for t in reversed(range(9)):
        delta = reward[t + 1] + discount[t + 1] * value[t + 1] - value[t]
        carried = delta + discount[t + 1] * lam * carried
        expected.append(carried)
    got = arrival(reward, value, discount, lam) - value[:-1]
    np.testing.assert_allclose(got, expected[::-1], atol=1e-12)


def test_the_value_of_a_constant_reward_is_a_fixed_point():
    reward, value = np.full(16, 2.0), np.full(16, 2.0 / (1 - 0.9))
    np.testing.assert_allclose(arrival(reward, value, np.full(16, 0.9), 0.7), value[:-1])


def test_a_value_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="value has 3 steps; reward has 3"):
        lambda_return(torch.zeros(1, 3), torch.zeros(1, 3), torch.zeros(1, 3), 0.5)


def test_golden_weights():
    got = dream_weights(torch.tensor([DISCOUNT]), 0.5)
    np.testing.assert_allclose(got[0], [0.9, 0.36, 0.126, 0.0378], rtol=1e-6)


@pytest.mark.parametrize("k", range(4))
def test_an_end_takes_the_weight_from_its_own_state_on(k: int):
    cont = torch.ones(1, 4)
    cont[0, k] = 0
    got = dream_weights(cont, 0.9)[0]
    assert (got[:k] > 0).all() and (got[k:] == 0).all()


def test_weights_carry_no_gradient():
    assert not dream_weights(torch.rand(2, 4, requires_grad=True), 0.9).requires_grad
