"""`reverie replay`: finds the life that is meant, and watches, verifies or acts it again."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from launch.exchange.export import Export, write_export
from launch.exchange.fresh import need
from launch.exchange.outline import Outline
from launch.exchange.source import Source
from launch.replay.acting import act_again
from launch.replay.lives import Life, read_lives
from launch.replay.minds import Mind, read_mind
from launch.replay.verify import Verdict, verify
from launch.replay.watching import film, watch_in_terminal
from robot.config import ConfigError
from robot.wire.log.names import TRANSITIONS

DIFFERS = 1


def run_verify(path: Path, as_json: bool = False) -> int:
    """Verify every life in a log: a line for each, or with `as_json` one JSON object at the end.

    Args:
        path: a file, a folder of log files, or a run's folder.
        as_json: print one object instead of lines.

    Returns:
        Exit code 0 only when every recorded step is the same today, 1 otherwise.

    Raises:
        ConfigError: when there is no log, or it does not say enough.
    """
    lives = read_lives(path)
    for life in lives:
        if not life.plan or not life.process:
            raise ConfigError(f"{path}: holds no life of a robot process")
    verdicts = _verify(lives, Console(stderr=True))
    if as_json:
        found = [{"files": [str(f) for f in life.files]} for life in lives]
        told = [{**about, **asdict(v)} for about, v in zip(found, verdicts, strict=True)]
        print(json.dumps({"holds": all(v.holds for v in verdicts), "lives": told}))
    else:
        for life, verdict in zip(lives, verdicts, strict=True):
            Console().print(f"{life.files[0].name}: {tell(verdict)}", highlight=False)
    return 0 if all(verdict.holds for verdict in verdicts) else DIFFERS


def run_watch(path: Path, life: int, show: str, speed: float, out: Path | None) -> int:
    """Show one life in the terminal, as a film, or as a file for rerun.

    Returns:
        Exit code 0.

    Raises:
        ConfigError: when there is no such life, or the speed is below 0.
    """
    if not 0 <= speed < math.inf:
        raise ConfigError(f"--speed {speed:g}: allowed is 0, as fast as can be, or more")
    chosen, run = choose(path, life), run_of(path)
    where = out or run / "replay"
    if show == "terminal":
        return watch_in_terminal(chosen, run, speed, Console())
    if show == "rerun":
        where.mkdir(parents=True, exist_ok=True)
        return _to_rerun(path, chosen, run, where / "watch.rrd")
    Console().print(f"Film: {film(chosen, run, where, speed)}", highlight=False)
    return 0


def run_act_again(
    path: Path, life: int, twin: str, out: Path | None, yes: bool, keys: Path | None
) -> int:
    """Act as one life did; see `launch.replay.acting`.

    Raises:
        ConfigError: when there is no such life, or nobody confirms that a body moves.
        TimeoutError: when no body answers.
    """
    return act_again(choose(path, life), twin, out or run_of(path) / "replay", yes, keys)


def _to_rerun(path: Path, life: Life, run: Path, out: Path) -> int:
    need("rerun", "rerun")
    from launch.replay.rerun_watch import WatchWriter

    agent = read_mind(run, life.any_plan)
    mind, source = None if agent is None else Mind(agent), Source(path)
    source.files = list(life.files)

    def make(part: Path, source: Source, outline: Outline, export: Export) -> WatchWriter:
        return WatchWriter(part, source, outline, mind)

    return write_export(source, Export(path, "rerun", out), make)


def choose(path: Path, life: int) -> Life:
    """One life of a log, counted from 0, or from -1 back.

    Raises:
        ConfigError: when there is none of that number.
    """
    lives = read_lives(path)
    if not -len(lives) <= life < len(lives):
        raise ConfigError(f"--life {life}: allowed is {-len(lives)} to {len(lives) - 1}")
    return lives[life]


def run_of(path: Path) -> Path:
    """Folder of the run that a LOG argument belongs to, if it is laid out as one."""
    folder = path if path.is_dir() else path.parent
    return folder.parent if folder.name == "log" else folder


def _verify(lives: Sequence[Life], console: Console) -> list[Verdict]:
    verdicts = []
    with Progress(console=console, transient=True) as progress:
        for life in lives:
            total = sum(1 for _ in life.records(TRANSITIONS))
            bar = progress.add_task(life.files[0].name, total=total)
            verdicts.append(
                verify(life, lambda done, bar=bar: progress.update(bar, completed=done))
            )
    return verdicts


def tell(verdict: Verdict) -> str:
    """What came of a life, in a line."""
    if verdict.fault:
        return f"differs at step {verdict.at} of {verdict.steps}: {verdict.fault}"
    if verdict.damage:
        return f"{verdict.same} steps are the same, bit for bit; damaged: {verdict.damage}"
    if verdict.holds:
        return f"all {verdict.steps} steps are the same, bit for bit"
    said = [f"{verdict.same} of {verdict.steps} steps are the same, bit for bit"]
    if verdict.unproven:
        said.append(f"the weights of {verdict.unproven} are no longer kept (log.weights_mb)")
    if verdict.unheard:
        said.append(f"{verdict.unheard} at the end cannot be fed: {verdict.ended}")
    return "; ".join(said)
