"""A system's world model, trained on a log alone and asked what comes next."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from launch.dynamics.series import Series
from learner.agent import Agent
from learner.model.open_loop import foretell
from learner.systems import build_agent
from learner.train.replay import Replay
from learner.train.settings import Settings
from learner.train.updates import Lesson, Step
from robot.config import ConfigError

JUDGED = 32  # windows, evenly spread, by which training is judged on the way
ROWS = 64  # windows that are foretold at once
MODEL = "model"  # name of the update that trains the world model alone

Told = Callable[[int, float], None]


@dataclass(frozen=True)
class Practice:
    """How the model is trained.

    Args:
        system: whose world model it is.
        settings: of the system.
        updates: training steps.
        every: training steps between two looks at what was held back.
        seed: of everything that is random.
        context: steps that are watched before a prediction.
        horizon: steps that are foretold.
        futures: dreams of which a prediction is the mean.
    """

    system: str
    settings: Settings
    updates: int
    every: int
    seed: int
    context: int
    horizon: int
    futures: int = 8


@dataclass
class Course:
    """What came of training.

    Args:
        held_back: by number of updates, mean squared error of standardised numbers, over all
            horizons, on the part that was held back.
        best: updates after which that was least.
        computing_s: processor time of training.
        parameters: of the world model.
    """

    held_back: dict[int, float] = field(default_factory=dict)
    best: int = 0
    computing_s: float = 0.0
    parameters: int = 0


class Latent:
    """A world model as a predictor of states."""

    def __init__(self, agent: Agent, practice: Practice, keys: tuple[str, ...]) -> None:
        self.agent, self.practice, self.keys = agent, practice, keys

    def foretell(self, series: Series, starts: np.ndarray) -> np.ndarray:
        """Mean of dreams (B, H, n) that follow on the contexts which begin at `starts` (B,)."""
        torch.manual_seed(self.practice.seed)
        length = self.practice.context + self.practice.horizon
        pieces = np.array_split(starts, -(-len(starts) // ROWS))
        return np.concatenate([self._piece(series.batch(piece, length)) for piece in pieces])

    def _piece(self, chunk: dict[str, np.ndarray]) -> np.ndarray:
        batch = {key: torch.as_tensor(value) for key, value in chunk.items()}
        found = foretell(self.agent.model, batch, self.practice.context, self.practice.futures)
        futures = torch.cat([found.futures[key] for key in self.keys], -1)  # (B, K, H, n)
        return futures.mean(1).double().numpy()


def learn(
    series: Series, ends: tuple[int, int], practice: Practice, told: Told
) -> tuple[Latent, Course]:
    """Train a system's world model, and keep it as it was when it foretold best.

    Args:
        series: what happened.
        ends: steps before the first are learnt from; those up to the second are held back, and
            choose when training was best.
        practice: how.
        told: called with updates made and the latest error on what was held back.

    Raises:
        ConfigError: for a system that does not train its world model by itself, or too few steps.
    """
    torch.set_num_threads(1)
    torch.manual_seed(practice.seed)
    settings = practice.settings.model_copy(update={"keys": tuple(series.spec.observation)})
    agent = build_agent(practice.system, series.spec, settings)
    update = _model_update(agent, practice.system)
    replay = Replay(series.spec, max(100, ends[0]), agent.sampler, practice.seed, agent.keys)
    for step in series.steps[: ends[0]]:
        replay.add(step)
    if not replay.ready(settings.length):
        raise ConfigError(f"no {settings.length} steps in a row to learn from; see learner.length")
    latent = Latent(agent, practice, tuple(series.spec.observation))
    first = ends[0] - practice.context
    starts = series.starts(practice.context + practice.horizon, first, ends[1])
    if first < 0 or not len(starts):
        raise ConfigError(f"too few steps are held back to foretell {practice.horizon} of them")
    starts = starts[:: -(-len(starts) // JUDGED)]
    course = Course(parameters=sum(p.numel() for p in agent.model.parameters()))
    _train(latent, update, replay, _Judge(series, starts, ends[0]), course, told)
    return latent, course


@dataclass
class _Judge:
    """Tells how well a model foretells some windows, in standardised numbers."""

    series: Series
    starts: np.ndarray
    learnt: int

    def __call__(self, latent: Latent) -> float:
        context = latent.practice.context
        length = context + latent.practice.horizon
        truth = self.series.windows(self.starts, length)[0][:, context:]
        scale = self.series.state[: self.learnt].std(0) + 1e-12
        miss = (latent.foretell(self.series, self.starts) - truth) / scale
        return float(np.square(miss).mean())


def _model_update(agent: Agent, system: str) -> Step:
    found = [update for update in agent.updates if update.name == MODEL]
    if not found:
        raise ConfigError(f"--system {system}: does not train its world model by itself")
    return found[0]


def _train(
    latent: Latent, update: Step, replay: Replay, judge: _Judge, course: Course, told: Told
) -> None:
    agent, practice = latent.agent, latent.practice
    best = {name: value.clone() for name, value in agent.model.state_dict().items()}
    began = time.process_time()
    for made in range(1, practice.updates + 1):
        batch = replay.sample(practice.settings.batch, practice.settings.length)
        tensors = {key: torch.as_tensor(value) for key, value in batch.items()}
        for change in agent.diet.prepare:
            tensors = change(tensors)
        update(Lesson(tensors))
        if made % practice.every == 0 or made == practice.updates:
            random = torch.get_rng_state()
            course.held_back[made] = error = judge(latent)
            torch.set_rng_state(random)
            if error <= min(course.held_back.values()):
                course.best = made
                best = {name: value.clone() for name, value in agent.model.state_dict().items()}
        told(made, min(course.held_back.values(), default=float("nan")))
    course.computing_s = round(time.process_time() - began, 1)
    agent.model.load_state_dict(best)
