"""Who teaches whom in World Models: V by its own losses, M by its own, C by neither."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learner.agent import Agent
from learner.systems import world_models
from learner.train.optimisers import AdamSettings
from learner.train.updates import Lesson, Update
from learner.train.vision_memory import ValueClippedAdam, VisionMemory
from robot.wire.spec import RobotSpec

SMALL = {"batch": 4, "length": 6, "stoch": 4, "deter": 8, "units": 8, "population": 4}
VISION = {"encoder", "decoder"}
MEMORY = {"dynamics", "reward", "cont"}


@pytest.fixture
def agent(spec: RobotSpec) -> Agent:
    """A tiny one in which no gradient is zero by chance."""
    changes = SMALL | {"rollouts": 2, "horizon": 3, "evolve_after": 0}
    built = world_models.build(spec, world_models.PRESETS["cpu"].model_copy(update=changes))
    for weight in built.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    return built


@pytest.fixture
def lesson(agent: Agent, batch: Callable, as_tensors: Callable) -> Lesson:
    return Lesson(as_tensors(batch(agent)))


def reached(agent: Agent) -> set[str]:
    names = VISION | MEMORY
    parts = {name: getattr(agent.model, name) for name in names}
    return {
        name
        for name, part in parts.items()
        if any(p.grad is not None and p.grad.ne(0).any() for p in part.parameters())
    }


def update(agent: Agent, name: str) -> Update:
    found = next(u for u in agent.updates if u.name == name)
    assert isinstance(found, Update)
    return found


@pytest.mark.parametrize(
    ("loss", "parts"),
    [
        ("kl", {"encoder"}),
        ("vector", VISION),
        ("next", {"dynamics"}),
        ("reward", {"dynamics", "reward"}),
        ("continue", {"dynamics", "cont"}),
    ],
)
def test_each_loss_reaches_its_own_part_alone(
    loss: str, parts: set[str], agent: Agent, lesson: Lesson
):
    agent.model.objective.free = 0.0  # type: ignore[attr-defined]
    agent.model.losses(lesson.batch)[0][loss].mean().backward()
    assert reached(agent) == parts


def test_the_two_updates_reach_all_of_v_and_all_of_m(agent: Agent, lesson: Lesson):
    update(agent, "vision").loss(lesson).backward()
    assert reached(agent) == VISION
    agent.model.zero_grad(set_to_none=False)
    update(agent, "memory").loss(lesson).backward()
    assert reached(agent) == MEMORY


def test_evolution_changes_no_weight_of_the_model(agent: Agent, lesson: Lesson):
    update(agent, "vision").loss(lesson)
    before = {k: v.clone() for k, v in agent.model.state_dict().items()}
    tried = agent.behaviour.candidates.tried.clone()  # type: ignore[union-attr, attr-defined]
    agent.updates[2](lesson)
    assert all(torch.equal(before[k], v) for k, v in agent.model.state_dict().items())
    assert not reached(agent)
    assert not torch.equal(tried, agent.behaviour.candidates.tried)  # type: ignore[union-attr, attr-defined]


def test_both_losses_together_are_those_of_the_model(agent: Agent, lesson: Lesson):
    found = VisionMemory(agent.model, {"vector": 7.0, "reward": 3.0})
    torch.manual_seed(1)
    vision, memory = found.vision(lesson), found.memory(lesson)
    torch.manual_seed(1)
    losses, states = agent.model.losses(lesson.batch)
    means = {name: float(loss.detach().mean()) for name, loss in losses.items()}
    assert float(vision.detach()) == pytest.approx(means["kl"] + 7 * means["vector"], rel=1e-5)
    expected = means["next"] + 3 * means["reward"] + means["continue"]
    assert float(memory.detach()) == pytest.approx(expected, rel=1e-5)
    assert lesson.watched is not None
    assert torch.equal(lesson.watched.stoch, states.stoch)
    assert {k.partition("/")[2] for k in lesson.metrics} == means.keys()


def test_z_is_drawn_afresh_in_every_batch(agent: Agent, lesson: Lesson):
    drawn = []
    for _ in range(2):
        update(agent, "vision").loss(lesson)
        assert lesson.watched is not None
        drawn.append(lesson.watched.stoch.detach())
    assert drawn[0].ne(drawn[1]).all()


def test_each_part_has_its_weights_once(agent: Agent):
    found = VisionMemory(agent.model, {})
    ours = [id(p) for p in (*found.sees, *found.recalls)]
    assert sorted(ours) == sorted(id(p) for p in agent.model.parameters())


def test_gradients_are_clipped_entry_by_entry():
    weight = nn.Parameter(torch.zeros(3))
    slope = torch.tensor([5.0, -0.25, -9.0])
    adam = ValueClippedAdam([weight], AdamSettings(lr=0.1, clip=1.0))
    norm = adam.step((weight * slope).sum())
    assert float(norm) == pytest.approx(float(slope.norm()))
    np.testing.assert_allclose(moments(adam), 0.1 * np.array([1.0, -0.25, -1.0]), rtol=1e-6)
    np.testing.assert_allclose(weight.detach(), [-0.1, 0.1, 0.1], rtol=1e-5)


def moments(adam: ValueClippedAdam) -> Tensor:
    (found,) = [tensor for name, tensor in adam.tensors().items() if name.endswith("mean")]
    return found
