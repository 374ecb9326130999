"""C of World Models: its sizes, what it reads, and which candidate acts when."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from learner.behaviour.controller import (
    Controller,
    Evolved,
    choose,
    read_h,
    read_z,
    read_zc,
    read_zch,
    read_zh,
)
from learner.behaviour.noise import ModeNoise, SeededNoise
from learner.model.mdn_rnn import MdnRnn, Memory, Mixtures

S, H, A = 3, 4, 2
DYNAMICS = MdnRnn(A, Mixtures(S, 2), H)
PAST = [0.0] * (2 * H)


def dynamics(z: int, hidden: int, action: int) -> MdnRnn:
    return MdnRnn(action, Mixtures(z, 1), hidden)


def states(count: int) -> Memory:
    return Memory(torch.randn(count, 2 * H + 1), torch.randn(count, S))


def numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def test_controllers_are_as_small_as_the_papers():
    car, doom = dynamics(32, 256, 3), dynamics(64, 512, 1)
    assert Controller(read_zh, car).size == 867
    assert Controller(read_z, car, units=(40,)).size == 1443
    assert Controller(read_zch, doom, bias=False).size == 1088


@pytest.mark.parametrize(
    ("reads", "parts"),
    [(read_z, "z"), (read_h, "h"), (read_zh, "zh"), (read_zc, "zc"), (read_zch, "zch")],
)
def test_each_reads_what_its_name_says(reads: Any, parts: str):
    state = states(5)
    found = {"z": state.stoch, "h": state.deter[:, :H], "c": state.deter[:, H : 2 * H]}
    assert torch.equal(reads(state), torch.cat([found[part] for part in parts], -1))


def test_a_population_acts_in_one_batch_as_each_alone():
    controller, many, each = Controller(read_zh, DYNAMICS), 3, 5
    params, state = torch.randn(many, controller.size), states(many * each)
    together = Memory(*(part.unflatten(0, (many, each)) for part in state))
    found = numbers(controller(params, together))
    for row in range(many):
        weight = numbers(params[row, : A * (S + H)]).reshape(A, S + H)
        bias = numbers(params[row, A * (S + H) :])
        for n in range(each):
            x = numbers(state.feat[row * each + n])
            np.testing.assert_allclose(found[row, n], np.tanh(weight @ x + bias), atol=1e-5)


def test_a_hidden_layer_is_of_tanh_units():
    controller = Controller(read_z, DYNAMICS, units=(7,))
    params, state = torch.randn(controller.size), states(4)
    one, rest = np.split(numbers(params), [7 * S + 7])
    hidden = np.tanh(numbers(state.stoch) @ one[: 7 * S].reshape(7, S).T + one[7 * S :])
    expected = np.tanh(hidden @ rest[: 7 * A].reshape(A, 7).T + rest[7 * A :])
    alone = Memory(state.deter[None], state.stoch[None])
    np.testing.assert_allclose(numbers(controller(params[None], alone))[0], expected, atol=1e-5)


def test_a_choice_is_the_action_of_the_highest_score():
    scores = torch.tensor([[0.1, 3.0, -1.0], [5.0, 4.0, 4.9]])
    assert choose(scores).tolist() == [[0, 1, 0], [1, 0, 0]]


def act(behaviour: Evolved, begins: bool, exploring: bool = True, seed: int = 0) -> list[float]:
    past = PAST if begins else [0.5] * (2 * H)
    state = Memory(torch.tensor([[*past, 1.0]]), torch.zeros(1, S))
    noise = SeededNoise(seed) if exploring else ModeNoise(seed)
    model: Any = SimpleNamespace(dynamics=DYNAMICS)
    return behaviour.act(model, state, noise)[0].tolist()


def biased(value: float) -> Tensor:
    """Parameters of a linear controller on z whose outputs are `value` where z is 0."""
    return torch.cat([torch.zeros(A * S), torch.full((A,), value)])


def test_a_controller_stays_for_a_whole_episode():
    behaviour = Evolved(Controller(read_z, DYNAMICS))
    behaviour.candidates.tried.copy_(biased(0.5))
    half, one = [pytest.approx(np.tanh(v)) for v in (0.5, 1.0)]
    assert act(behaviour, begins=True) == [half] * A
    behaviour.candidates.tried.copy_(biased(1.0))
    assert act(behaviour, begins=False) == [half] * A
    assert act(behaviour, begins=True) == [one] * A


def test_without_exploring_the_best_is_shown_and_never_pushed():
    behaviour = Evolved(Controller(read_z, DYNAMICS), explore=0.5)
    behaviour.candidates.tried.copy_(biased(0.5))
    behaviour.candidates.shown.copy_(biased(-2.0))
    assert act(behaviour, begins=True, exploring=False) == [pytest.approx(np.tanh(-2.0))] * A
    pushed = act(behaviour, begins=True, exploring=True, seed=3)
    noise = numbers(SeededNoise(3).action(A))[0]
    np.testing.assert_allclose(pushed, np.tanh(0.5 + 0.5 * noise), rtol=1e-5)


def test_pushed_choices_are_choices():
    behaviour = Evolved(Controller(read_z, DYNAMICS, choose), explore=1.0)
    found = {tuple(act(behaviour, begins=True, seed=seed)) for seed in range(20)}
    assert found == {(0.0, 1.0), (1.0, 0.0)}


def test_both_controllers_travel_to_the_robot():
    behaviour: Any = Evolved(Controller(read_z, DYNAMICS))
    (part,) = behaviour.parts(None).values()
    assert {k: v.shape for k, v in part.state_dict().items()} == {
        "tried": (A * S + A,),
        "shown": (A * S + A,),
    }
