"""What evolution is told of its candidates: returns of dreams, or of episodes on robots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from learner.behaviour.controller import Controller
from learner.model.mdn_rnn import Memory
from learner.model.world_model import WorldModel
from robot.wire.transition import Transition

VERSIONS = 512  # of weights, that may still be on their way back


class Fitness(Protocol):
    """Judges candidates."""

    def scores(self, candidates: Tensor, starts: Memory) -> Tensor | None:
        """Mean return (L,) of candidates (L, P), higher is better; None while it is not known.

        Args:
            candidates: of this generation.
            starts: (N, ...) states in which dreams may begin.
        """
        ...

    def best(self, shown: Tensor, mean: Tensor, starts: Memory) -> Tensor:
        """Which to show from now on, (P,): the one shown so far, or the distribution's mean."""
        ...

    def offer(self, version: int) -> int:
        """Which candidate to send to the robots with weights of this version."""
        ...

    def lived(self, step: Transition) -> None:
        """Take note of a step that a robot made."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """All that it goes on from, by name: live."""
        ...


class DreamFitness:
    """Judges candidates inside the model: all of them, and all their rollouts, in one batch.

    They start from the same states and meet the same chance, so that they differ by what they do.
    A dream ends where the model thinks that the episode does; nothing is discounted (section 4 of
    the paper, whose agents are paid for staying alive). How certain dreams are is the temperature
    of the model's latents.

    Args:
        model: dreams, and foretells the reward.
        controller: the candidates' family.
        rollouts: R, of each candidate.
        horizon: H, steps of each at most.
    """

    def __init__(
        self, model: WorldModel, controller: Controller, rollouts: int, horizon: int
    ) -> None:
        self.model, self.controller = model, controller
        self.rollouts, self.horizon = rollouts, horizon

    def scores(self, candidates: Tensor, starts: Memory) -> Tensor | None:
        """Mean return (L,)."""
        return self._returns(candidates, self._pick(starts, self.rollouts)).mean(1)

    def best(self, shown: Tensor, mean: Tensor, starts: Memory) -> Tensor:
        """The better of the two, in the model of today and with as many rollouts as a generation.

        The paper compares means with the best score ever; a score in a model of the past, that
        knew less, would say little.
        """
        both = torch.stack([shown, mean])
        rollouts = 16 * self.rollouts
        returns = self._returns(both, self._pick(starts, rollouts)).mean(1)
        return both[int(returns.argmax())]

    def offer(self, version: int) -> int:
        """One after the other: their spread explores."""
        return version

    def lived(self, step: Transition) -> None:
        """Nothing: dreams say it all."""

    def tensors(self) -> dict[str, Tensor]:
        """Nothing: each generation is judged at once."""
        return {}

    def _pick(self, starts: Memory, count: int) -> Memory:
        return starts[torch.randint(starts.stoch.shape[0], (count,))]

    @torch.no_grad()
    def _returns(self, candidates: Tensor, starts: Memory) -> Tensor:
        """(L, P), (R, ...) -> (L, R) sums of rewards until the end."""
        many, each, dynamics = candidates.shape[0], starts.stoch.shape[0], self.model.dynamics
        state = starts[torch.arange(each).repeat(many)]  # (L R, ...)
        total, live = torch.zeros(many * each), torch.ones(many * each)
        for _ in range(self.horizon):
            seen = Memory(*(part.unflatten(0, (many, each)) for part in state))
            action = self.controller(candidates, seen).flatten(0, 1)
            noise = torch.rand(each, dynamics.latents.stoch).repeat(many, 1)
            moved = dynamics.imagine_step(state, action, noise)
            state = Memory(moved.deter, moved.stoch)
            total = total + live * self.model.reward(state.feat)
            live = live * (self.model.cont(state.feat) > 0.5)
        return total.unflatten(0, (many, each))


class EpisodeFitness:
    """Judges candidates by what robots got with them, in episodes that they ruled from the start.

    Weights that carry a candidate have a version, and each step of a robot names the version that
    chose its action. A robot changes its controller between two episodes only, so an episode
    belongs to the candidate that came with the version of its first step, however late that was.
    Episodes count for nobody when their first step was not seen, when the body did not follow all
    the way, or when their candidate is of an earlier generation. Candidates that are still in need
    of an episode are sent first.

    Args:
        population: L.
        episodes: of each candidate; 16 in the paper.
    """

    def __init__(self, population: int, episodes: int) -> None:
        self.episodes = episodes
        self.arrays = {
            "total": torch.zeros(population, dtype=torch.float64),
            "done": torch.zeros(population, dtype=torch.long),
            "begun": torch.zeros(population, dtype=torch.long),
            "versions": torch.full((VERSIONS, 2), -1),
        }
        self._running: dict[tuple[str, str], _Episode] = {}

    def scores(self, candidates: Tensor, starts: Memory) -> Tensor | None:
        """Mean return (L,), once all have enough episodes; the next generation begins anew."""
        done = self.arrays["done"]
        if int(done.min()) < self.episodes:
            return None
        mean = self.arrays["total"] / done
        for name, array in self.arrays.items():
            array.fill_(-1 if name == "versions" else 0)
        self._running.clear()
        return mean

    def best(self, shown: Tensor, mean: Tensor, starts: Memory) -> Tensor:
        """The mean: a comparison would cost a robot more time than it is worth."""
        return mean

    def offer(self, version: int) -> int:
        """The candidate with the fewest episodes begun, of those that need more."""
        need = self.arrays["done"] < self.episodes
        begun = self.arrays["begun"]
        chosen = int(torch.where(need, begun, begun.max() + 1).argmin())
        self.arrays["versions"][version % VERSIONS] = torch.tensor([version, chosen])
        return chosen

    def lived(self, step: Transition) -> None:
        """Count its reward; where an episode ends, count that."""
        if bool(step.arrays["is_first"]):
            self._begin(step)
        episode = self._running.get(step.stream)
        if episode is None:
            return
        episode.add(step)
        if not episode.whole:
            del self._running[step.stream]
        elif bool(step.arrays["is_last"]):
            self.arrays["total"][episode.candidate] += episode.total
            self.arrays["done"][episode.candidate] += 1
            del self._running[step.stream]

    def tensors(self) -> dict[str, Tensor]:
        """Sums and counts; episodes that are under way are begun again after a restart."""
        return self.arrays

    def _begin(self, step: Transition) -> None:
        self._running.pop(step.stream, None)
        version, candidate = self.arrays["versions"][step.weights_version % VERSIONS].tolist()
        if version == step.weights_version:
            self.arrays["begun"][candidate] += 1
            self._running[step.stream] = _Episode(candidate)


@dataclass
class _Episode:
    """An episode under way."""

    candidate: int
    total: float = 0.0
    steps: int = 0
    whole: bool = True

    def add(self, step: Transition) -> None:
        """Count a step; what comes with the first was not earned by an action."""
        self.whole = self.whole and step.valid and step.step == self.steps
        self.total += float(step.arrays["reward"]) if self.steps else 0.0
        self.steps += 1
