"""Which loss moves which weights, in every system; and that no loss and no weight is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from learner.train.joint import JointLesson
from learner.train.updates import Lesson, ModelLesson, Update
from learner.train.vision_memory import VisionMemory

BODY = {"encoder", "dynamics"}
SEES = {"vector": BODY | {"decoder"}, "image": BODY | {"decoder"}}
PAYS = {"reward": BODY | {"reward"}}
ENDS, NO_ENDS = {"continue": BODY | {"cont"}}, {"continue": set[str]()}
ONE_KL, TWO_KLS = {"kl": BODY}, {"dynamics": BODY, "representation": BODY}
ACTS = {"actor": {"actor"}, "critic": {"critic"}}
# All that a loss reaches; every other weight must get exactly nothing.
REACHES: dict[str, dict[str, set[str]]] = {
    "reverie": SEES | PAYS | NO_ENDS | TWO_KLS | ACTS,
    "world_models": {"vision": {"encoder", "decoder"}, "memory": {"dynamics", "reward", "cont"}},
    "daydreamer": SEES | PAYS | ENDS | ONE_KL | ACTS,
    "planet": SEES | PAYS | {"continue": {"cont"}, "overshooting": BODY} | ONE_KL,
    "dreamer_v1": SEES | PAYS | ENDS | ONE_KL | ACTS,
    "dreamer_v2": SEES | PAYS | ENDS | ONE_KL | ACTS,
    "dreamer_v3": SEES | PAYS | ENDS | TWO_KLS | ACTS | {"replay": BODY | {"critic"}},
    "dreamer_v3_2023": SEES | PAYS | ENDS | TWO_KLS | ACTS,
    "plan2explore": {
        **SEES | ONE_KL | ACTS,
        **{"reward": {"reward"}, "continue": {"cont"}, "heads": {"reward", "cont"}},
        **{"explorer_actor": {"explorer_actor"}, "explorer_critic": {"explorer_critic"}},
        **{"curiosity": {"curiosity"}},
    },
}


@pytest.fixture
def awake(make: Callable) -> Callable[[str, str], Any]:
    """A system in which no gradient is zero by chance: last layers start at zero."""

    def build(system: str, does: str) -> Any:
        agent = make(system, "all", does)
        for weight in agent.parameters():
            weight.data += 0.1 * torch.randn_like(weight)
        if hasattr(agent.model.objective, "free"):
            agent.model.objective.free = 0.0
        return agent

    return build


@pytest.fixture
def lesson(experience: Callable) -> Callable[[str], Lesson]:
    return lambda does: Lesson(
        {key: torch.as_tensor(value) for key, value in experience("all", does).items()}
    )


def group(name: str) -> str:
    """Which row of the table a weight belongs to."""
    first, part, *_ = name.split(".")
    if first == "model":
        return part
    if any(f".{word}." in name for word in ("ensemble", "predictor", "gauge")):
        return "curiosity"
    who = "explorer_" if ".explorer." in name else ""
    return f"{who}{'actor' if '.actor.' in name else 'critic'}"


def reached(agent: Any, loss: Tensor) -> set[str]:
    """Rows of which a weight gets a gradient that is not zero."""
    if not loss.requires_grad:
        return set()
    named = {name: p for name, p in agent.named_parameters() if p.requires_grad}
    weights = list(named.values())
    grads = torch.autograd.grad(loss, weights, allow_unused=True, retain_graph=True)
    pairs = zip(named, grads, strict=True)
    return {group(name) for name, grad in pairs if grad is not None and grad.ne(0).any()}


def losses(agent: Any, lesson: Lesson) -> Mapping[str, Tensor]:
    """Every loss of a system by name, each with the graph that its update would descend on."""
    found: dict[str, Tensor] = {}
    for update in agent.updates:
        owner = getattr(getattr(update, "loss", None), "__self__", None)
        if isinstance(owner, JointLesson) or (
            isinstance(owner, ModelLesson) and update.name == "model"
        ):
            named, lesson.watched = agent.model.losses(lesson.batch)
            found |= {name: loss.mean() for name, loss in named.items()}
        elif owner is not None:
            found[update.name] = update.loss(lesson)
        if isinstance(owner, JointLesson):
            found["actor"] = owner.dreams.actor_loss(lesson)
            found["critic"] = owner.dreams.critic_loss(lesson)
            found["replay"] = owner._replay_loss(lesson)
    return found


def test_every_loss_reaches_its_own_weights_and_no_others(
    system: str, does: str, awake: Callable, lesson: Callable
) -> None:
    agent, taught = awake(system, does), lesson(does)
    found = losses(agent, taught)
    assert {name: reached(agent, loss) for name, loss in found.items()} == REACHES[system]
    for lessons, dreamt in taught.dreams.items():
        # Where actions are learnt by their odds, no graph is made of the dream.
        assert dreamt.dream.states.deter.requires_grad == lessons.behaviour.gradient.through


def test_slow_critics_get_no_gradient_at_all(system: str, make: Callable) -> None:
    slow = [
        weight
        for name, weight in make(system, "vectors", "moves").named_parameters()
        if ".slow." in name or ".average." in name
    ]
    assert not any(weight.requires_grad for weight in slow)
    assert bool(slow) == (system not in ("world_models", "planet", "dreamer_v1"))


def test_every_weight_belongs_to_exactly_one_optimiser(system: str, make: Callable) -> None:
    agent = make(system, "all", "moves")
    optimisers = [update.optimiser for update in agent.updates if isinstance(update, Update)]
    claimed = [id(p) for adam in optimisers for flat in adam.flats for p in flat.params]  # type: ignore[attr-defined]
    assert len(claimed) == len(set(claimed))
    assert set(claimed) == {id(p) for p in agent.parameters() if p.requires_grad}


def test_no_loss_of_the_model_is_forgotten_by_what_updates_descend_on(
    system: str, make: Callable, lesson: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each named loss is multiplied by a knob; the total of all updates must feel every one."""
    agent, knobs, taught = make(system, "all", "moves"), dict[str, Tensor](), lesson("moves")

    def turned(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        knobs.update({name: torch.ones((), requires_grad=True) for name in named})
        return {name: loss * knobs[name] for name, loss in named.items()}

    whole, parts = agent.model.losses, VisionMemory._sum
    names = whole(taught.batch)[0].keys()
    monkeypatch.setattr(agent.model, "losses", lambda b: (turned((w := whole(b))[0]), w[1]))
    monkeypatch.setattr(VisionMemory, "_sum", lambda self, to, one: parts(self, to, turned(one)))
    total = sum(update.loss(taught) for update in agent.updates if isinstance(update, Update))
    assert isinstance(total, Tensor) and knobs.keys() == names
    felt = torch.autograd.grad(total, list(knobs.values()), allow_unused=True)
    assert {name for name, grad in zip(knobs, felt, strict=True) if grad is None} == set()
    owners = [getattr(getattr(update, "loss", None), "__self__", None) for update in agent.updates]
    for owner in owners:  # nor is a weight given to a name that no loss has
        if isinstance(owner, ModelLesson | VisionMemory):
            assert owner.scales.keys() <= names
