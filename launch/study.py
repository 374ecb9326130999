"""Tries several runs under several conditions, and says what came of it in figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from launch.candidates import Candidate
from launch.conditions import Condition
from launch.gait import weakest
from launch.intervals import Estimate, estimate
from launch.references import Reference
from launch.run_folder import Plan
from launch.trial import Episode, Trial, trial_plan, try_policy
from launch.yardsticks import Yardstick, yardstick_of

POINTS = 200  # of a line that is drawn over time


@dataclass(frozen=True)
class Outcome:
    """What came of one run under one condition.

    Args:
        name: of the run.
        condition: under which it was tried.
        trial: how; with the condition's perturbations.
        plan: of the perturbed twin.
        yardstick: that judges this condition.
        episodes: in the order of their seeds.
    """

    name: str
    condition: Condition
    trial: Trial
    plan: Plan
    yardstick: Yardstick
    episodes: list[Episode]

    @property
    def scores(self) -> np.ndarray:
        """(E,) mean reward per step of each episode."""
        reward = self.yardstick.rewards[0]
        return np.array([episode.terms[reward].mean() for episode in self.episodes])

    @property
    def passed(self) -> np.ndarray:
        """(E,) whether each episode alone passes every check."""
        gates = (self.yardstick.gate([episode]) for episode in self.episodes)
        return np.array([all(check.passes for check in gate) for gate in gates])


Watch = Callable[[Iterable[Episode]], Iterable[Episode]]


def try_candidate(
    candidate: Candidate, condition: Condition, trial: Trial, watch: Watch = iter
) -> Outcome:
    """Try one run under one condition.

    Args:
        candidate: the run.
        condition: what happens to the twin.
        trial: how policies are tried; its perturbations are replaced by the condition's.
        watch: passes episodes on as they come, to show how far they are.

    Raises:
        ConfigError: naming what cannot be.
    """
    trial = replace(trial, perturbations=condition.perturbations)
    plan = trial_plan(candidate.plan, trial)
    trial = trial.on(plan.robot)
    policy = candidate.policy(plan, trial.seed)
    episodes = list(watch(try_policy(plan, policy, trial)))
    return Outcome(candidate.name, condition, trial, plan, yardstick_of(plan, trial), episodes)


def describe(outcomes: Sequence[Outcome], reference: Reference | None = None) -> dict[str, Any]:
    """All figures of one robot's task, JSON-ready: per condition, per run, per episode.

    Args:
        outcomes: every run under every condition, conditions in order, clean first.
        reference: what scores are normalised with.
    """
    first = outcomes[0]
    grouped = by_condition(outcomes)
    reward = first.yardstick.rewards[0]
    conditions = [_condition(group, reference) for group in grouped.values()]
    return {
        "task": f"{first.plan.robot.robot} {first.plan.robot.task.name}",
        "question": first.yardstick.question,
        "answer": _answer(conditions[0]["gate"]["runs_passed"], len(conditions[0]["runs"])),
        "measure": f"{reward} reward per step",
        "reference": reference.as_dict() if reference else None,
        "trial": {**replace(first.trial, perturbations=()).as_dict(), "twin": first.plan.twin},
        "conditions": conditions,
        "course": course(next(iter(grouped.values()))),
    }


def _answer(passed: int, runs: int) -> str:
    """Whether all runs, or how many of them, pass every check over their own episodes."""
    if 0 < passed < runs:
        return f"{passed} of {runs} runs"
    return "Yes" if passed else "No"


def by_condition(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """Outcomes of each condition, in the order in which they come."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.condition.name, []).append(outcome)
    return groups


def course(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Reward per step over time: mean of all episodes, and where nine of ten are."""
    reward = outcomes[0].yardstick.rewards[0]
    lines = [episode.terms[reward] for outcome in outcomes for episode in outcome.episodes]
    length = min(map(len, lines))
    width = -(-length // POINTS)
    cut = np.stack([line[: length - length % width] for line in lines])
    means = cut.reshape(len(lines), -1, width).mean(axis=2)  # (episodes, points)
    low, high = np.quantile(means, (0.05, 0.95), axis=0)
    step_s = width / outcomes[0].plan.control_hz
    rows = {"mean": means.mean(axis=0), "low": low, "high": high}
    return {"step_s": step_s, **{name: np.round(row, 4).tolist() for name, row in rows.items()}}


def told(value: Estimate) -> dict[str, Any]:
    """An estimate, JSON-ready."""
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(value).items()}


def _condition(outcomes: Sequence[Outcome], reference: Reference | None) -> dict[str, Any]:
    first = outcomes[0]
    scores = [outcome.scores for outcome in outcomes]
    every = [episode for outcome in outcomes for episode in outcome.episodes]
    gates = [outcome.yardstick.gate(outcome.episodes) for outcome in outcomes]
    passes = [all(check.passes for check in gate) for gate in gates]
    return {
        "name": first.condition.name,
        "kind": first.condition.kind,
        "about": first.condition.about,
        "score": told(estimate(scores)),
        "normalised": _normalised(scores, reference),
        "passed": told(estimate([outcome.passed for outcome in outcomes])),
        "gate": {
            "passes": all(passes),
            "runs_passed": sum(passes),
            "checks": [asdict(weakest(checks)) for checks in zip(*gates, strict=True)],
        },
        "figures": first.yardstick.figures(every),
        "runs": [_run(*each) for each in zip(outcomes, passes, strict=True)],
    }


def _normalised(
    scores: Sequence[np.ndarray], reference: Reference | None
) -> Mapping[str, Any] | None:
    shares = [reference.normalised(score) if reference else None for score in scores]
    known = [share for share in shares if share is not None]
    return told(estimate(known)) if len(known) == len(scores) else None


def _run(outcome: Outcome, passes: bool) -> dict[str, Any]:
    lines = zip(outcome.episodes, outcome.scores, outcome.passed, strict=True)
    return {
        "name": outcome.name,
        "score": round(float(outcome.scores.mean()), 4),
        "passes": passes,
        "passed": int(outcome.passed.sum()),
        "episodes": [
            {
                "seed": episode.seed,
                "score": round(float(score), 4),
                "passes": bool(passed),
                "invalid_steps": int((~episode.valid).sum()),
                "body": episode.body,
            }
            for episode, score, passed in lines
        ],
    }
