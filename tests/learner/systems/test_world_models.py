"""World Models put together: its presets, its parts, and going on bit for bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from learner.agent import Agent, AgentPolicy
from learner.behaviour.fitness import DreamFitness, EpisodeFitness
from learner.behaviour.noise import ModeNoise, SeededNoise
from learner.systems.world_models import PRESETS, Config, build
from learner.train.evolve import Evolve
from robot.wire.spec import OneHot, RobotSpec, Spec, box, image
from robot.wire.transition import Transition

SMALL = {
    **{"batch": 3, "length": 5, "stoch": 4, "deter": 8, "units": 8, "population": 5},
    **{"rollouts": 2, "horizon": 3, "evolve_after": 1, "show_every": 2},
}
MOUSE = RobotSpec(
    {"camera": image(64, 64), "whiskers": box(-1.0, 1.0, (3,))}, Spec(OneHot(4)), control_hz=20.0
)


def make(spec: RobotSpec, seed: int = 0, **changes: Any) -> Agent:
    torch.manual_seed(seed)
    return build(spec, PRESETS["cpu"].model_copy(update=SMALL | changes))


def evolve(agent: Agent) -> Evolve:
    found = agent.updates[-1]
    assert isinstance(found, Evolve)
    return found


def live(agent: Agent, version: int, pay: float) -> None:
    """An episode of three steps with the candidate that is sent with these weights."""
    step = evolve(agent)
    step.issued(version)
    for number in range(3):
        flags = {"is_first": np.array(number == 0), "is_last": np.array(number == 2)}
        arrays = {**flags, "reward": np.array(pay, np.float32)}
        step.lived(Transition("r", "a", 0, 0, number, version, True, arrays))


def saved(agent: Agent) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in agent.tensors().items()}


def test_the_papers_sizes_and_numbers():
    paper = build(
        RobotSpec({"camera": image(64, 64)}, box(-1.0, 1.0, (3,)), 50.0), Config(keys=("camera",))
    )
    model: Any = paper.model
    weights = [sum(p.numel() for p in part) for part in (model.parameters(), vision_of(model))]
    heads = 2 * (256 + 1)
    assert weights == [4_348_547 + 422_368 + heads, 4_348_547]
    step = evolve(paper)
    assert step.behaviour.controller.size == 867
    assert step.strategy.population == 64 and step.pace.show_every == 25
    assert float(step.strategy.arrays["sigma"]) == 0.1
    vision, memory = (update.optimiser for update in paper.updates[:2])  # type: ignore[union-attr, attr-defined]
    assert vision.settings.lr == 1e-4 and memory.settings.lr == 1e-3 and memory.bound == 1.0


def vision_of(model: Any) -> list:
    return [*model.encoder.parameters(), *model.decoder.parameters()]


@pytest.mark.parametrize(
    ("reads", "units", "size"),
    [
        ("z", (), 5 * 12),
        ("z", (40,), 5 * 40 + 41 * 12),
        ("h", (), 9 * 12),
        ("zh", (), 13 * 12),
        ("zc", (), 13 * 12),
        ("zch", (), 21 * 12),
    ],
)
def test_each_controller_can_be_had(reads: str, units: tuple, size: int, spec: RobotSpec):
    agent = make(spec, reads=reads, controller_units=units)
    assert evolve(agent).behaviour.controller.size == size


def test_each_fitness_can_be_had(spec: RobotSpec):
    for name, kind in (("dream", DreamFitness), ("real", EpisodeFitness)):
        assert isinstance(evolve(make(spec, fitness=name)).fitness, kind)


def experience(agent: Agent, spec: RobotSpec) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    made = {"reward": rng.normal(size=(3, 5)).astype(np.float32)}
    for key in agent.keys:
        shape = (3, 5, *spec.observation[key].shape)
        high = 255 if spec.observation[key].is_image else 1
        made[key] = (high * rng.uniform(size=shape)).astype(spec.observation[key].dtype)
    width = spec.action.shape[0]
    made["action"] = np.eye(width, dtype=np.float32)[rng.integers(width, size=(3, 5))]
    flags = {key: np.zeros((3, 5), bool) for key in ("is_first", "is_last", "is_terminal")}
    flags["is_first"][:, 0] = True
    return made | flags


def test_pictures_vectors_and_choices_are_learnt_together_and_acted_on():
    agent = make(MOUSE, keys=("camera", "vectors"))
    batch = experience(agent, MOUSE)
    for _ in range(3):
        metrics = agent.learn(batch)
    assert {"model/image", "model/vector", "controller/return"} <= metrics.keys()
    for noise in (SeededNoise(0), ModeNoise(0)):
        policy = AgentPolicy(agent, noise)
        carry = policy.initial()
        for t in range(3):
            seen = {key: batch[key][0, t] for key in (*agent.keys, "is_first")}
            carry, action = policy.act(carry, seen)
            assert sorted(action.tolist()) == [0, 0, 0, 1]


@pytest.mark.parametrize("fitness", ["dream", "real"])
def test_learning_goes_on_bit_for_bit_in_another(fitness: str, spec: RobotSpec, batch: Callable):
    one, other = make(spec, fitness=fitness), make(spec, seed=1, fitness=fitness)
    versions = iter(range(1, 100))

    def learn(agents: list[Agent], first: int) -> None:
        numbers = [next(versions) for _ in range(4)]
        for agent in agents:
            for i, version in enumerate(numbers):
                torch.manual_seed(first + i)
                live(agent, version, pay=float(version % 3))
                agent.learn(batch(agent, seed=first + i))

    for round in range(3):  # several generations, and a part of one
        learn([one], 10 * round)
    other.load_tensors(saved(one))
    learn([one, other], 50)
    a, b = saved(one), saved(other)
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    assert evolve(one).strategy.generation > 0


def test_nothing_evolves_on_the_robot_before_all_candidates_are_judged(
    spec: RobotSpec, batch: Callable
):
    agent = make(spec, fitness="real", rollouts=1)
    for version in range(1, 6):
        agent.learn(batch(agent))
        assert evolve(agent).strategy.generation == 0
        live(agent, version, pay=1.0)
    agent.learn(batch(agent))
    assert evolve(agent).strategy.generation == 1


def test_what_the_robot_tries_is_what_was_chosen_for_its_weights(spec: RobotSpec):
    agent = make(spec, fitness="real")
    evolve(agent).issued(3)
    sent = agent.policy_weights()["controller.tried"]
    np.testing.assert_array_equal(sent, evolve(agent).strategy.ask()[0].float())
