"""What evolution is told: returns of dreams by hand, and episodes that come late or broken."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from learner.behaviour.controller import Controller, read_z
from learner.behaviour.fitness import DreamFitness, EpisodeFitness
from learner.model.mdn_rnn import MdnRnn, Memory, Mixtures
from robot.wire.transition import Transition


class Walk(MdnRnn):
    """A world of one number: z' = z + a + 0.1 noise; pays z, and ends above 3."""

    def __init__(self) -> None:
        super().__init__(1, Mixtures(1, 1), 1)

    def imagine_step(self, state: Any, action: Tensor, noise: Tensor) -> Memory:
        return Memory(state.deter, state.stoch + action + 0.1 * noise)


def dreams(rollouts: int = 4, horizon: int = 5) -> DreamFitness:
    walk = Walk()
    model: Any = SimpleNamespace(
        dynamics=walk,
        reward=lambda feat: feat[..., 0],
        cont=lambda feat: (feat[..., 0] < 3).float(),
    )
    return DreamFitness(model, Controller(read_z, walk, lambda y: y), rollouts, horizon)


def starts(*places: float) -> Memory:
    return Memory(torch.zeros(len(places), 3), torch.tensor(places, dtype=torch.float32)[:, None])


def test_returns_are_sums_of_rewards_until_the_end(monkeypatch: pytest.MonkeyPatch):
    """Actions are constants 0.5, 2 and -1; every path starts at 1 and has its noise at zero."""
    monkeypatch.setattr(torch, "rand", lambda *shape: torch.zeros(*shape))
    candidates = torch.tensor([[0.0, 0.5], [0.0, 2.0], [0.0, -1.0]])
    found = dreams().scores(candidates, starts(1.0, 1.0))
    assert found is not None
    # 1.5 + 2 + 2.5 + 3 and then the end; 3 and the end; 0 - 1 - 2 - 3 - 4
    np.testing.assert_allclose(found, [9.0, 3.0, -10.0])


def test_candidates_meet_the_same_starts_and_the_same_chance():
    same = torch.tensor([[-0.3, 0.1]]).repeat(6, 1)
    found = dreams().scores(same, starts(*np.linspace(-1, 1, 50)))
    assert found is not None and found.eq(found[0]).all()


def test_each_rollout_has_a_start_and_a_chance_of_its_own():
    fitness, many = dreams(rollouts=500, horizon=1), torch.zeros(2, 2)
    returns = fitness._returns(many, fitness._pick(starts(-1.0, 1.0), 500))
    assert returns.shape == (2, 500)
    assert len(set(returns[0].tolist())) > 400
    assert float(returns.mean()) == pytest.approx(0.05, abs=0.15)


def test_the_better_of_the_mean_and_the_one_shown_is_shown():
    fitness, place = dreams(), starts(0.0)
    good, bad = torch.tensor([0.0, 0.2]), torch.tensor([0.0, -0.2])
    assert torch.equal(fitness.best(good, bad, place), good)
    assert torch.equal(fitness.best(bad, good, place), good)


def step(version: int, number: int, last: int = 3, **other: Any) -> Transition:
    """Step of an episode whose rewards are 100 at first, then 1, 2, 3 and so on."""
    arrays = {
        "is_first": np.array(number == 0),
        "is_last": np.array(number == last),
        "reward": np.array(number or 100, np.float32),
    }
    facts = {"robot": "r", "run": "a", "valid": True} | other
    return Transition(
        index=0, episode=0, step=number, weights_version=version, arrays=arrays, **facts
    )


def live(fitness: EpisodeFitness, version: int, last: int = 3, **other: Any) -> None:
    for number in range(last + 1):
        fitness.lived(step(version, number, last, **other))


def scores(fitness: EpisodeFitness) -> list[float] | None:
    found = fitness.scores(torch.empty(0), starts(0.0))
    return None if found is None else found.tolist()


def test_a_return_belongs_to_the_candidate_of_its_version_once_all_are_judged():
    fitness = EpisodeFitness(2, episodes=1)
    assert fitness.offer(7) == 0
    live(fitness, 7, last=3)
    assert scores(fitness) is None
    assert fitness.offer(8) == 1
    live(fitness, 8, last=5)
    assert scores(fitness) == [1 + 2 + 3, 1 + 2 + 3 + 4 + 5]
    assert scores(fitness) is None, "the next generation starts from nothing"


def test_returns_are_averaged_over_episodes():
    fitness = EpisodeFitness(1, episodes=2)
    fitness.offer(1)
    live(fitness, 1, last=1)
    assert scores(fitness) is None
    fitness.offer(2)
    live(fitness, 2, last=3)
    assert scores(fitness) == [(1 + 6) / 2]


def test_the_candidate_of_the_first_step_owns_the_episode():
    """Newer weights arrive in its middle; the robot keeps its controller until the next one."""
    fitness = EpisodeFitness(2, episodes=1)
    fitness.offer(1)
    fitness.lived(step(1, 0))
    assert fitness.offer(2) == 1, "the next one is sent as soon as this one has begun"
    for number in (1, 2, 3):
        fitness.lived(step(2, number))
    live(fitness, 2, last=1)
    assert scores(fitness) == [6, 1]


def test_a_candidate_is_sent_until_a_robot_takes_it():
    fitness = EpisodeFitness(3, episodes=1)
    assert [fitness.offer(v) for v in (1, 2, 3)] == [0, 0, 0]
    fitness.lived(step(3, 0))
    assert [fitness.offer(v) for v in (4, 5)] == [1, 1]
    fitness.lived(step(4, 0, robot="other"))
    assert fitness.offer(6) == 2
    fitness.lived(step(6, 0, robot="third"))
    assert fitness.offer(7) == 0, "all are under way: the first one might be lost"


def test_late_episodes_count_for_whom_they_were_meant():
    fitness = EpisodeFitness(3, episodes=1)
    for version in range(1, 4):
        fitness.lived(step(fitness.offer(version) + version, 99))  # a step without a beginning
        fitness.lived(step(version, 0, robot=str(version)))
    for version in (3, 1, 2):
        for number in range(1, version + 1):
            fitness.lived(step(9, number, version, robot=str(version)))
    assert scores(fitness) == [1, 3, 6]


@pytest.mark.parametrize("fault", ["invalid", "gap", "unseen start", "random policy", "stranger"])
def test_broken_episodes_count_for_nobody(fault: str):
    fitness = EpisodeFitness(1, episodes=1)
    fitness.offer(5)
    version = {"random policy": 0, "stranger": 5 + 512}.get(fault, 5)
    for number in range(4):
        if (fault, number) in (("gap", 2), ("unseen start", 0)):
            continue
        fitness.lived(step(version, number, valid=(fault, number) != ("invalid", 1)))
    assert scores(fitness) is None
    live(fitness, 5)
    assert scores(fitness) == [6]


def test_an_episode_of_the_last_generation_does_not_count_in_this_one():
    fitness = EpisodeFitness(1, episodes=1)
    fitness.offer(1)
    live(fitness, 1)
    fitness.lived(step(1, 0))
    assert scores(fitness) == [6]
    for number in (1, 2, 3):
        fitness.lived(step(1, number))
    live(fitness, 1)
    assert scores(fitness) is None


def test_an_episode_that_was_broken_off_makes_room_for_the_next():
    fitness = EpisodeFitness(1, episodes=1)
    fitness.offer(1)
    fitness.lived(step(1, 0))
    fitness.lived(step(1, 1))
    live(fitness, 1, last=2)
    assert scores(fitness) == [3]


def test_what_was_counted_goes_on_in_another():
    one, other = EpisodeFitness(2, episodes=1), EpisodeFitness(2, episodes=1)
    one.offer(1)
    live(one, 1)
    one.offer(2)
    for name, array in one.tensors().items():
        other.tensors()[name].copy_(array)
    live(other, 2, last=1)
    assert scores(other) == [6, 1]
    assert scores(one) is None
