"""RUN/offline/report.{json,md,png}: what was learnt from logs, held against held-out episodes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from launch.offline_plots import plot
from launch.offline_run import OfflineRun
from launch.run_folder import write_json
from learner.agent import Agent
from learner.model.open_loop import open_loop_errors
from learner.train.action_shift import actions, shift
from learner.train.calibration import calibration, values
from learner.train.conservative import actor_critic_of
from learner.train.examination import Chunks
from learner.train.insight import Glance, look
from learner.train.replay import Replay
from learner.train.sampling import EpisodeChunks, Sampler, UniformChunks

CONTEXT, HORIZON, FUTURES = 5, 45, 4  # as the first figure of its kind has them
CHUNKS = 48
LENGTHS = (200, 100, 50, 25, 12)  # of chunks for values and actions; the first that there is
SEED = 3
STEPS = (1, 5, 15, 45)  # of foresight, in the table


def write_report(lesson: OfflineRun, summary: Mapping[str, Any]) -> str:
    """Examine what was learnt on held-out episodes and write it down; a line about it."""
    agent, held = lesson.trainer.agent, lesson.data.held_out
    errors = foresight(agent, held)
    report = {
        "what": "learnt from logs, judged by held-out episodes",
        "summary": {key: summary[key] for key in ("updates", "computing_s", "offline", "command")},
        "config": summary["config"],
        "versions": summary["versions"],
        "losses": lesson.curve,
        "foresight": errors,
        **judged_behaviour(agent, held),
    }
    folder = lesson.folder.path / "offline"
    folder.mkdir(exist_ok=True)
    write_json(folder / "report.json", report)
    half = folder / f".report.{os.getpid()}"
    half.write_text(as_markdown(report))
    half.replace(folder / "report.md")
    plot(report, half)
    half.replace(folder / "report.png")
    return f"How well it foretells, values and keeps to the logs: {folder / 'report.md'}"


def foresight(agent: Agent, held: Replay) -> dict[str, Any]:
    """Open-loop errors by key and by steps of foresight, over those of foretelling the mean.

    None where there is nothing to compare; `persistence` believes that nothing changes.
    """
    for horizon in (HORIZON, 20, 10, 5):
        found = look(agent, held, Glance(CONTEXT, horizon, CHUNKS, FUTURES), [SEED])
        if found is not None:
            errors = open_loop_errors(found).items()
            return {key: {k: _numbers(v) for k, v in asdict(e).items()} for key, e in errors}
    return {}


def judged_behaviour(agent: Agent, held: Replay) -> dict[str, Any]:
    """Calibration of values and shift of actions; None for a behaviour without actor and critic."""
    behaviour = actor_critic_of(agent.behaviour)
    chunks = next((c for length in LENGTHS if (c := drawn(held, length)) is not None), None)
    if behaviour is None or chunks is None:
        return {"values": None, "actions": None}
    return {
        "values": calibration(values(agent, behaviour, [chunks], SEED)),
        "actions": shift(actions(agent, behaviour, [chunks], SEED)),
    }


def drawn(held: Replay, length: int) -> Chunks | None:
    """Chunks of held-out episodes, within them where any is long enough; None where none is."""
    samplers: Sequence[Sampler] = EpisodeChunks(prioritise_ends=False), UniformChunks()
    for sampler in samplers:
        found = held.peek(sampler, np.random.default_rng(SEED), CHUNKS, length)
        if found is not None:
            return found
    return None


def _numbers(values: np.ndarray) -> list[float | None]:
    return [round(float(x), 5) if np.isfinite(x) else None for x in values]


def as_markdown(report: Mapping[str, Any]) -> str:
    """The report in words and tables."""
    told, losses = report["summary"]["offline"], report["losses"]
    lines = [
        "# Learnt from logs\n",
        f"{told['logged']} transitions in {told['episodes']} episodes: {told['taught']} taught, "
        f"{told['held_out']} held out ({told['episodes_held_out']} episodes), "
        f"{told['invalid']} invalid, {told['duplicates']} logged twice. "
        f"{report['summary']['updates']} updates; weights of update {told['chosen_update']}"
        f"{', where the loss on held-out episodes was lowest' if told['best_loss'] else ''}.\n",
        "## Loss of the world model\n",
        "| updates | taught | held out |\n|---|---|---|",
        *(
            f"| {row['update']} | {row['train']['loss']:.3f} | {row['validation']['loss']:.3f} |"
            for row in _some(losses)
        ),
        "\n## Foresight\n",
        f"Squared error of what {CONTEXT} seen steps and the recorded actions foretell of held-out "
        "episodes; 1 is foretelling the mean. In brackets: believing that nothing changes.\n",
        f"| | {' | '.join(f'{n} steps' for n in STEPS)} |\n|---|{'---|' * len(STEPS)}",
        *(f"| {key} | {_row(found)} |" for key, found in report["foresight"].items()),
        *_values(report["values"]),
        *_actions(report["actions"]),
    ]
    return "\n".join(lines) + "\n"


def _some(rows: Sequence[Any], most: int = 12) -> list[Any]:
    picked = {round(i * (len(rows) - 1) / (most - 1)) for i in range(most)}
    return [rows[i] for i in sorted(picked)] if rows else []


def _row(found: Mapping[str, Sequence[float | None]]) -> str:
    told = found["foretold"], found["persistence"]
    cells = [
        "-" if n > len(told[0]) else f"{_number(told[0][n - 1])} ({_number(told[1][n - 1])})"
        for n in STEPS
    ]
    return " | ".join(cells)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _values(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    rows = [
        f"| {b['predicted']:.2f} | {b['realised']:.2f} | {b['realised_std']:.2f} | {b['states']} |"
        for b in found["bins"]
    ]
    return [
        "\n## Values\n",
        "What the critic promises of logged states, beside the discounted return that came. The "
        f"chunk's end is valued by the critic itself ({found['own_share']:.0%} of the discount). "
        "The log acted otherwise than the policy would: a promise above the return is right where "
        "the policy is better, and a slope near 0 is not.\n",
        f"Mean {found['predicted']:.2f} promised, {found['realised']:.2f} realised, correlation "
        f"{_number(found['correlation'])}, slope {_number(found['slope'])}.\n",
        "| promised | realised | deviation | states |\n|---|---|---|---|",
        *rows,
    ]


def _actions(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    return [
        "\n## Actions\n",
        "The policy's actions beside those of the log, in the same states.\n",
        "| figure | value |\n|---|---|",
        f"| mean difference of the policy's mode and the log's action | {found['distance']:.3f} |",
        f"| the same of two of the log's actions | {found['logged_spread']:.3f} |",
        f"| share of the policy's numbers outside the log's range | {found['outside']:.4f} |",
        "| log-likelihood of the log's actions per dimension, nats | "
        f"{found['log_likelihood']:.2f} |",
        f"| the same of the policy's own | {found['own_log_likelihood']:.2f} |",
        "| distance to what was done in like states, over the log's own | "
        f"{_number(found['support'])} |",
    ]
