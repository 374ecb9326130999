"""Two behaviours of one robot: one that explores for its own sake, and one that does a task.

Plan2Explore (arXiv 2005.05960, sections 2 and 4): while a robot explores, the task touches neither
what it does nor what its model becomes. Its best is shown by the task's behaviour, which was made
in dreams alone (zero-shot); after `steps` of exploration that behaviour also collects (few-shot).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from learner.behaviour.distributions import OneHot
from learner.behaviour.interface import Behaviour
from learner.behaviour.noise import Noise
from learner.model.heads import Aside
from learner.model.rssm import State
from learner.model.world_model import WorldModel
from robot.wire.spec import Spec


class Phase(nn.Module):
    """Whether a robot still explores for its own sake.

    The learner counts, and tells the robot with the weights, so that both agree.

    Args:
        steps: robot steps of exploration, those of random play counted in.

    Raises:
        ValueError: for a number below 0.
    """

    exploring: Tensor

    def __init__(self, steps: int) -> None:
        if steps < 0:
            raise ValueError(f"steps {steps}: allowed is a number from 0")
        super().__init__()
        self.steps = steps
        self.register_buffer("exploring", torch.tensor(steps > 0))

    def count(self, steps: int) -> None:
        """Note that `steps` robot steps have been learnt from in all."""
        self.exploring.fill_(steps < self.steps)


class WithheldWhileExploring(Aside):
    """A head whose loss does not reach the features that it reads, until exploration is over.

    Args:
        part: the head.
        phase: tells when.
    """

    def __init__(self, part: nn.Module, phase: Phase) -> None:
        super().__init__(part)
        self.phase = phase

    def loss(self, feat: Tensor, target: Tensor) -> Tensor:
        """(B, T, F) and the target -> (B, T)."""
        if self.phase.exploring:
            return super().loss(feat, target)
        return self.part.loss(feat, target)  # type: ignore[operator]


class RandomPlay:
    """Acts at random whatever is believed: uniform in [-1, 1], or any choice alike.

    Args:
        action: spec of the action.
    """

    def __init__(self, action: Spec) -> None:
        self.action = action

    def act(self, model: WorldModel, state: State, noise: Noise) -> Tensor:
        """(1, ...) -> (1, A)."""
        drawn = noise.action(self.action.shape[0])
        if self.action.is_discrete:
            return OneHot(torch.log_softmax(torch.zeros_like(drawn), -1)).sample(drawn)
        return 2 * torch.special.ndtr(drawn) - 1

    def parts(self, model: WorldModel) -> dict[str, nn.Module]:
        """Nothing is needed."""
        return {}


class Explorer(nn.Module):
    """Lets one behaviour collect while it explores, and another one show what was learnt.

    Args:
        explorer: collects until exploration is over.
        task: does the task.
        phase: tells when exploration is over.
    """

    def __init__(self, explorer: Behaviour, task: Behaviour, phase: Phase) -> None:
        super().__init__()
        self.explorer, self.task, self.phase = explorer, task, phase

    def act(self, model: WorldModel, state: State, noise: Noise) -> Tensor:
        """(1, ...) -> (1, A)."""
        curious = noise.exploring and bool(self.phase.exploring)
        return (self.explorer if curious else self.task).act(model, state, noise)

    def parts(self, model: WorldModel) -> dict[str, nn.Module]:
        """Those of both behaviours, and the phase."""
        both = {"explorer": self.explorer.parts(model), "task": self.task.parts(model)}
        named = {f"{who}.{n}": part for who, parts in both.items() for n, part in parts.items()}
        return {**named, "phase": self.phase}
