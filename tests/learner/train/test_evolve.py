"""The step that evolves: when, towards what, and from where it goes on."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from learner.behaviour.controller import Controller, Evolved, read_z
from learner.behaviour.evolution import Strategy
from learner.behaviour.fitness import EpisodeFitness
from learner.model.mdn_rnn import MdnRnn, Memory, Mixtures
from learner.train.evolve import Evolve, Pace, live_starts
from learner.train.updates import Lesson
from robot.wire.transition import Transition

DYNAMICS = MdnRnn(1, Mixtures(2, 1), 1)
GOAL = torch.tensor([0.5, -0.3, 0.2])


class Distance:
    """Judges by the distance to the goal; may stay silent."""

    def __init__(self, silent: int = 0) -> None:
        self.silent, self.offered = silent, []
        self.kept = torch.zeros(1)

    def scores(self, candidates: Tensor, starts: Memory) -> Tensor | None:
        self.silent -= 1
        return None if self.silent >= 0 else -(candidates - GOAL).square().sum(1)

    def best(self, shown: Tensor, mean: Tensor, starts: Memory) -> Tensor:
        return mean

    def offer(self, version: int) -> int:
        self.offered.append(version)
        return version

    def lived(self, step: Transition) -> None:
        self.kept += 1

    def tensors(self) -> dict[str, Tensor]:
        return {"kept": self.kept}


def make(fitness: Any, pace: Pace, seed: int = 0, population: int = 8) -> Evolve:
    torch.manual_seed(seed)
    controller = Controller(read_z, DYNAMICS)
    return Evolve(Evolved(controller), Strategy(controller.size, population, 0.3), fitness, pace)


def lesson() -> Lesson:
    found = Lesson({"is_terminal": torch.zeros(2, 3, dtype=torch.bool)})
    found.watched = Memory(torch.zeros(2, 3, 3), torch.zeros(2, 3, 2))
    return found


def run(evolve: Evolve, times: int) -> list[Lesson]:
    lessons = [lesson() for _ in range(times)]
    for each in lessons:
        evolve(each)
    return lessons


def test_it_moves_to_what_is_judged_well_and_shows_it():
    evolve = make(Distance(), Pace(show_every=10, decay=0.0))
    run(evolve, 60)
    np.testing.assert_allclose(evolve.behaviour.candidates.shown, GOAL, atol=0.02)
    assert evolve.strategy.generation == 60


def test_it_waits_for_the_model_and_for_the_judge():
    evolve = make(Distance(silent=3), Pace(after=5))
    metrics = [each.metrics for each in run(evolve, 10)]
    assert [bool(m) for m in metrics] == [False] * 8 + [True] * 2
    assert evolve.strategy.generation == 2


def test_the_one_shown_changes_every_so_often():
    evolve = make(Distance(), Pace(show_every=4))
    shown = []
    for _ in range(9):
        run(evolve, 1)
        shown.append(evolve.behaviour.candidates.shown.clone())
    changes = [i for i in range(1, 9) if not torch.equal(shown[i], shown[i - 1])]
    assert changes == [3, 7]


def test_large_weights_cost():
    """With the sign of the released code the mean would run away."""
    size = []
    for decay in (0.0, 100.0):
        evolve = make(Distance(), Pace(decay=decay))
        run(evolve, 40)
        size.append(float(evolve.strategy.arrays["mean"].norm()))
    assert size[1] < 0.2 * size[0]


def test_a_candidate_is_chosen_when_weights_are_about_to_be_sent():
    fitness = Distance()
    evolve = make(fitness, Pace())
    evolve.issued(8 + 3)
    assert fitness.offered == [11]
    expected = evolve.strategy.ask()[3].float()
    assert torch.equal(evolve.behaviour.candidates.tried, expected)


def test_it_goes_on_bit_for_bit_in_another():
    one, other = make(Distance(), Pace()), make(Distance(), Pace(), seed=5)
    run(one, 5)
    one.lived(Transition("r", "a", 0, 0, 0, 0, True, {}))
    other.load({name: tensor.clone() for name, tensor in one.tensors().items()})
    other.behaviour.load_state_dict(one.behaviour.state_dict())
    for evolve in (one, other):
        run(evolve, 5)
    ours, theirs = one.tensors(), other.tensors()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert torch.equal(one.behaviour.candidates.tried, other.behaviour.candidates.tried)


def test_arrays_that_do_not_fit_are_named_and_change_nothing():
    evolve = make(Distance(), Pace())
    before = {name: tensor.clone() for name, tensor in evolve.tensors().items()}
    wrong = {name: tensor + 1 for name, tensor in before.items()} | {"mean": torch.zeros(99)}
    with pytest.raises(ValueError, match=r"controller: mean is \(99,\)"):
        evolve.load(wrong)
    assert all(torch.equal(before[name], tensor) for name, tensor in evolve.tensors().items())


def test_dreams_start_where_the_episode_goes_on():
    one = lesson()
    one.batch["is_terminal"][0, 1] = one.batch["is_terminal"][1, 2] = True
    assert one.watched is not None
    one.watched.stoch[..., 0] = torch.arange(6.0).view(2, 3)
    assert live_starts(one).stoch[:, 0].tolist() == [0, 2, 3, 4]
    one.batch["is_terminal"][:] = True
    assert live_starts(one).stoch.shape == (6, 2), "better any than none"


@pytest.mark.parametrize("lag", [0, 1])
def test_candidates_evolve_on_episodes_that_robots_live(lag: int):
    """Each episode pays by its controller, which is told by nothing but the version of weights."""
    evolve = make(EpisodeFitness(8, episodes=1), Pace(show_every=1, decay=0.0))
    sent: dict[int, Tensor] = {}
    waiting: list[Transition] = []
    for version in range(1, 500):
        evolve.issued(version)
        sent[version] = evolve.behaviour.candidates.tried.clone()
        waiting += episode(version, -float((sent[version] - GOAL).square().sum()))
        for step in waiting[: -2 * lag or None]:
            evolve.lived(step)
        waiting = waiting[len(waiting) - 2 * lag :]
        run(evolve, 1)
    generations = evolve.strategy.generation
    assert generations == 499 // 8 if lag == 0 else 499 // 20 < generations < 499 // 8
    np.testing.assert_allclose(evolve.behaviour.candidates.shown, GOAL, atol=0.05)


def episode(version: int, reward: float) -> list[Transition]:
    """Two steps, the second of which pays."""
    steps = []
    for number in range(2):
        flags = {"is_first": np.array(number == 0), "is_last": np.array(number == 1)}
        arrays = {**flags, "reward": np.array(reward, np.float32)}
        steps.append(Transition("r", "a", number, version, number, version, True, arrays))
    return steps
