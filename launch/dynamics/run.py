"""`reverie dynamics`: learn a log's motion, and tell how far ahead it can be foretold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from launch.dynamics.drawing import draw
from launch.dynamics.latent import Course, Practice, learn
from launch.dynamics.linear import Persistence, choose
from launch.dynamics.score import HORIZONS_S, Test, score
from launch.dynamics.series import Series, read_series
from launch.run_folder import versions, write_json
from learner.systems import make_settings
from robot.config import ConfigError

LEARNT, HELD_BACK = 0.8, 0.1  # shares of the log that are learnt from; of those, to choose by
CONTEXT_S = 1.0
WHAT = (
    "Open-loop predictions on the last fifth of the log of models that learnt from the first four "
    "fifths, with the recorded actions, from every step that a second of context and a second of "
    "future surround. explained is 1 - squared error / squared distance from the mean of what was "
    "learnt from; explained_change is 1 - squared error / squared change since the last known "
    "state, which is 0 for persistence. A linear model's penalty and the world model's number of "
    "updates were chosen on the last tenth of what was learnt from; linear models were then fitted "
    "to all of it."
)


@dataclass(frozen=True)
class Study:
    """What is compared on a log.

    Args:
        system: whose world model learns.
        preset: of the system.
        changes: `learner.KEY=value` of its settings.
        updates: training steps; 0 leaves the world model out.
        history: states and actions that the longer linear model looks at.
        keys: of the observation; every vector unless given.
        seed: of everything that is random.
    """

    system: str = "reverie"
    preset: str = "cpu"
    changes: tuple[str, ...] = ()
    updates: int = 2000
    history: int = 5
    keys: tuple[str, ...] = ()
    seed: int = 0


def run_dynamics(log: Path, study: Study, out: Path, looks: int = 20) -> int:
    """Compare models of a log's motion; write figures as JSON and a picture beside it.

    Args:
        log: a log, or a run that has one.
        study: what is compared.
        out: JSON file; the picture has its name.
        looks: how often training is judged on what is held back.

    Returns:
        Exit code 0.

    Raises:
        ConfigError: naming what cannot be used; nothing is written then.
    """
    practice = _practice(study, looks)
    series = read_series(log, study.keys)
    ends, (context, horizon) = cuts(len(series.steps)), spans(series.spec.control_hz)
    practice = replace(practice, context=context, horizon=horizon)
    starts = series.starts(context + horizon, ends[1] - context, len(series.steps))
    if not len(starts):
        raise ConfigError(f"{log}: its last fifth has no unbroken {CONTEXT_S + 1:g} s to foretell")
    test = make_test(series, starts, ends[1], practice)
    told, about = _predict(series, test, starts, ends, study, practice)
    figures = {
        name: {f"{g.key} {g.kind}": score(test, values, g) for g in series.groups}
        for name, values in told.items()
    }
    facts = _facts(series, ends, starts, study)
    said = {"command": command(log, study, out), "what": WHAT, **facts, "models": about}
    write_json(out, {**said, "figures": figures, "versions": versions()})
    title = (
        f"{facts['robot']}: {len(series.steps)} steps at {test.hz:g} Hz, the last fifth foretold"
    )
    draw(out.with_suffix(".png"), title, test, told, series.groups)
    Console().print(table(figures, "explained_change"))
    if notes := series.origin.get("notes"):
        print(f"note: {' '.join(notes.split())}")
    print(f"wrote {out} and {out.with_suffix('.png')}")
    return 0


def cuts(steps: int) -> tuple[int, int]:
    """Where learning from a log ends while choosing, and where it ends in all."""
    end = round(LEARNT * steps)
    return round((1 - HELD_BACK) * end), end


def spans(hz: float) -> tuple[int, int]:
    """Steps of context and of the longest horizon."""
    return max(1, round(CONTEXT_S * hz)), max(1, round(max(HORIZONS_S) * hz))


def make_test(series: Series, starts: np.ndarray, learnt: int, practice: Practice) -> Test:
    """What follows on contexts that begin at `starts`."""
    states, actions = series.windows(starts, practice.context + practice.horizon)
    mean = series.state[:learnt].mean(0)
    return Test(states, actions, practice.context, series.spec.control_hz, mean)


def _practice(study: Study, looks: int) -> Practice:
    """Settings of the world model's training.

    Raises:
        ConfigError: for an unknown system, preset, key or value.
    """
    for change in study.changes:
        if not change.startswith("learner."):
            raise ConfigError(f"--set {change}: allowed are settings of the system, learner.KEY")
    changes = [change.removeprefix("learner.") for change in study.changes]
    settings = make_settings(study.system, study.preset, changes)
    if study.updates < 0 or study.history < 1:
        raise ConfigError("--updates: allowed is 0 or more; --history: 1 or more")
    every = max(1, study.updates // looks)
    return Practice(study.system, settings, study.updates, every, study.seed, 1, 1)


def _predict(
    series: Series,
    test: Test,
    starts: np.ndarray,
    ends: tuple[int, int],
    study: Study,
    practice: Practice,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Predictions (B, H, n) by model, and how each model came about."""
    context, horizon = test.context, test.horizon
    known, actions = test.states[:, :context], test.actions[:, : context + horizon - 1]
    told = {"persistence": Persistence().foretell(known, actions, horizon)}
    about: dict[str, Any] = {"persistence": {}}
    for history in dict.fromkeys((1, min(study.history, context))):
        model, penalty = choose(series, ends, history, horizon)
        name = f"linear, {history} step{'s' if history > 1 else ''}"
        told[name] = model.foretell(known, actions, horizon)
        about[name] = {"penalty": penalty, "numbers": int(model.weights.size)}
    if study.updates:
        with Progress(transient=True) as progress:
            bar = progress.add_task("learning", total=practice.updates)
            latent, course = learn(
                series,
                ends,
                practice,
                lambda made, error: progress.update(
                    bar, completed=made, description=f"held back {error:.4f}"
                ),
            )
        told[f"{study.system} world model"] = latent.foretell(series, starts)
        about[f"{study.system} world model"] = _course(course, practice)
    return told, about


def _course(course: Course, practice: Practice) -> dict[str, Any]:
    return {
        **asdict(course),
        "updates": practice.updates,
        "futures": practice.futures,
        "settings": practice.settings.model_dump(mode="json"),
    }


def _facts(
    series: Series, ends: tuple[int, int], starts: np.ndarray, study: Study
) -> dict[str, Any]:
    return {
        "seed": study.seed,
        "robot": series.steps[0].robot,
        "recording": series.origin,
        "control_hz": series.spec.control_hz,
        "steps": {
            "all": len(series.steps),
            "learnt_from": ends[1],
            "held_back_of_those": ends[1] - ends[0],
            "predictions": len(starts),
        },
    }


def command(log: Path, study: Study, out: Path) -> str:
    """The command line that makes the same again."""
    place = log.name if log.is_absolute() else log
    said = f"reverie dynamics {place} --system {study.system} --preset {study.preset}"
    said += f" --updates {study.updates} --history {study.history} --seed {study.seed}"
    said += "".join(f" --set {change}" for change in study.changes)
    said += f" --keys {' '.join(study.keys)}" if study.keys else ""
    return f"{said} --out {out}"


def table(figures: dict[str, Any], figure: str) -> Table:
    """One figure of every model and group by horizon."""
    models = list(figures)
    shown = Table("", "horizon", *models, title=figure.replace("_", " "))
    for group, horizons in figures[models[0]].items():
        for horizon in horizons:
            cells = [f"{figures[model][group][horizon][figure]:.3f}" for model in models]
            shown.add_row(group, horizon, *cells)
    return shown
