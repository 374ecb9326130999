"""C of World Models (arXiv 1803.10122): a controller of few parameters, and how it acts.

Its parameters are one flat vector, so that a population of them is a matrix and a whole population
acts in one batch. Evolution changes them; no gradient does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learner.behaviour.noise import Noise
from learner.model.mdn_rnn import MdnRnn, Memory
from learner.model.rssm import State
from learner.model.world_model import WorldModel
from robot.wire.spec import Spec

Reads = Callable[[Memory], Tensor]
Squash = Callable[[Tensor], Tensor]


def read_z(state: Memory) -> Tensor:
    """What is seen now; nothing remembered."""
    return state.stoch


def read_h(state: Memory) -> Tensor:
    """What is remembered, without what is seen."""
    return state.hidden


def read_zh(state: Memory) -> Tensor:
    """As the paper's car."""
    return torch.cat([state.stoch, state.hidden], -1)


def read_zc(state: Memory) -> Tensor:
    """With the LSTM's cells in place of its outputs."""
    return torch.cat([state.stoch, state.cell], -1)


def read_zch(state: Memory) -> Tensor:
    """As the paper's Doom."""
    return torch.cat([state.stoch, state.cell, state.hidden], -1)


def choose(scores: Tensor) -> Tensor:
    """(..., A) -> one-hot (..., A): the action of the highest score."""
    return F.one_hot(scores.argmax(-1), scores.shape[-1]).float()


def squash_of(action: Spec) -> Squash:
    """What makes actions of a controller's outputs: a choice, or tanh for movements."""
    return choose if action.is_discrete else torch.tanh


class Controller:
    """A family of controllers: action = squash(W x + b), with nothing hidden or a few tanh units.

    Attributes:
        size: P, numbers that make up one of them.

    Args:
        reads: what of a state it reads.
        dynamics: whose states those are, and whose actions it gives.
        squash: of the outputs.
        units: of each hidden layer; the paper's rival of the car has one of 40, on z.
        bias: whether there is b; the paper's Doom has none.
    """

    def __init__(
        self,
        reads: Reads,
        dynamics: MdnRnn,
        squash: Squash = torch.tanh,
        units: Sequence[int] = (),
        bias: bool = True,
    ) -> None:
        self.reads, self.squash, self.bias = reads, squash, bias
        self.widths = [reads(dynamics.initial(1)).shape[-1], *units, dynamics.action]
        pairs = zip(self.widths, self.widths[1:], strict=False)
        self.sizes = [(a + bias) * b for a, b in pairs]
        self.size = sum(self.sizes)

    def __call__(self, params: Tensor, state: Memory, push: Tensor | float = 0.0) -> Tensor:
        """Actions (L, N, A) of L controllers (L, P) in states (L, N, ...).

        `push` is added to the outputs before they are squashed.
        """
        first, *rest = params.split(self.sizes, -1)
        x = self._layer(0, first, self.reads(state))
        for i, layer in enumerate(rest):
            x = self._layer(i + 1, layer, torch.tanh(x))
        return self.squash(x + push)

    def _layer(self, i: int, params: Tensor, x: Tensor) -> Tensor:
        """W x, weights row by row, + b: (L, size), (L, N, in) -> (L, N, out)."""
        width, out = self.widths[i : i + 2]
        y = x @ params[:, : width * out].unflatten(-1, (out, width)).mT
        return y + params[:, None, width * out :] if self.bias else y


class Candidates(nn.Module):
    """What travels to the robot: the controller to try, and the one to show."""

    tried: Tensor
    shown: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        for name in ("tried", "shown"):
            self.register_buffer(name, torch.zeros(size))


class Evolved(nn.Module):
    """Acts by an evolved controller: exploring by the one that is tried, else by the best known.

    A controller stays for the whole of an episode, whenever newer ones arrive, so that an episode's
    return is that of the controller that began it.

    Args:
        controller: the family.
        explore: deviation of noise on the outputs before they are squashed, while exploring; 0 in
            the paper, where the candidates' own spread explores.
    """

    def __init__(self, controller: Controller, explore: float = 0.0) -> None:
        super().__init__()
        self.controller, self.explore = controller, explore
        self.candidates = Candidates(controller.size)
        self._held: Tensor | None = None

    def act(self, model: WorldModel, state: State, noise: Noise) -> Tensor:
        """(N, ...) -> (N, A)."""
        assert isinstance(state, Memory)
        begins = not bool(state.hidden.any())  # the memory is empty at the first observation only
        if begins or self._held is None:
            kept = self.candidates.tried if noise.exploring else self.candidates.shown
            self._held = kept.clone()
        push = self.explore * noise.action(model.dynamics.action)
        return self.controller(self._held[None], alone(state), push)[0]

    def parts(self, model: WorldModel) -> dict[str, nn.Module]:
        """The controllers."""
        return {"controller": self.candidates}


def alone(state: Memory) -> Memory:
    """(N, ...) -> (1, N, ...): as one controller sees it."""
    return Memory(state.deter[None], state.stoch[None])
