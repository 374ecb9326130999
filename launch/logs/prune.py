"""`reverie logs prune`: drops topics, old episodes and unused weights, after asking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from rich.console import Console

from launch.logs.check import merged_topics, used_weights
from launch.logs.choosing import around
from launch.logs.copying import write_copy
from launch.logs.places import Surveyed, bar, find_log, survey_log
from launch.logs.survey import Survey
from launch.logs.targets import held
from robot.config import ConfigError
from robot.wire.log.names import TRANSITIONS, WEIGHTS

PRUNED = "pruned"


@dataclass
class Pruning:
    """What would go.

    Args:
        topics: names of topics.
        kept: which transitions stay, for each file.
        weights: files of the store.
        files: of the log, that are written anew.
        lines: all of it in words.
    """

    topics: set[str] = field(default_factory=set)
    kept: list[np.ndarray] = field(default_factory=list)
    weights: list[Path] = field(default_factory=list)
    files: list[Survey] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def run_prune(
    path: Path, topics: Sequence[str], keep_episodes: int, unused_weights: bool, yes: bool
) -> int:
    """Show what would go, ask, and drop it.

    Each file is replaced whole, or stays as it was.

    Args:
        path: LOG: a file, a folder of log files, or a run's folder.
        topics: patterns of topics to drop.
        keep_episodes: how many of the newest episodes of each run stay; 0 keeps all.
        unused_weights: whether weights go that no transition was made with, but for the newest.
        yes: whether not to ask.

    Returns:
        Exit code 0, also when the answer was no.

    Raises:
        ConfigError: when LOG is no log, nothing was asked for, or something writes to the log.
        OSError: when a file cannot be read or written.
    """
    if not topics and not keep_episodes and not unused_weights:
        raise ConfigError("prune: name --topics, --keep-episodes or --unused-weights")
    if keep_episodes < 0:
        raise ConfigError(f"--keep-episodes {keep_episodes}: allowed is 0 or more")
    log = survey_log(find_log(path))
    _refuse_damaged(log)
    pruning = plan_pruning(log, topics, keep_episodes, unused_weights)
    console = Console(highlight=False, soft_wrap=True)
    if not pruning.lines:
        console.print(f"{log.log.path}: nothing to drop")
        return 0
    for line in pruning.lines:
        console.print(line)
    if not yes and not _agreed(console):
        console.print("nothing was dropped")
        return 0
    before = _size(log)
    carry_out(log, pruning)
    console.print(f"{log.log.path}: {(before - _size(log)) / 1e6:.1f} MB dropped")
    return 0


def plan_pruning(
    log: Surveyed, patterns: Sequence[str], keep_episodes: int, unused_weights: bool
) -> Pruning:
    """What would go.

    Raises:
        ConfigError: for a pattern that fits no topic, or transitions.
    """
    found = Pruning(kept=[np.ones(len(file.steps), bool) for file in log.files])
    held_topics = merged_topics(log)
    for pattern in patterns:
        fitting = {topic for topic in held_topics if fnmatch(topic, pattern)}
        if not fitting:
            raise ConfigError(
                f"--topics {pattern}: no such topic; there are {', '.join(held_topics)}"
            )
        if TRANSITIONS in fitting:
            raise ConfigError(f"--topics {pattern}: transitions go by --keep-episodes only")
        found.topics |= fitting
    for topic in sorted(found.topics):
        tally = held_topics[topic]
        found.lines.append(f"{topic}: {tally.count} records, {tally.bytes / 1e6:.1f} MB")
    if keep_episodes:
        _old_episodes(log, keep_episodes, found)
    if unused_weights:
        _unused(log, found)
    found.files = [
        file
        for file, kept in zip(log.files, found.kept, strict=True)
        if found.topics & file.topics.keys() or not kept.all()
    ]
    return found


def carry_out(log: Surveyed, pruning: Pruning) -> None:
    """Write the files anew that lose something, and remove weights.

    Raises:
        ConfigError: when something writes to the log.
        OSError: when a file cannot be read or written.
    """
    folder = log.log.path if log.log.path.is_dir() else log.log.path.parent
    newest = log.files[-1]
    with held(folder, [file.path for file in pruning.files]):
        for file, kept in zip(log.files, pruning.kept, strict=True):
            if file not in pruning.files:
                continue
            if len(kept) and not kept.any() and file is not newest:
                file.path.unlink()
                continue
            history = {"topics": " ".join(sorted(pruning.topics))}
            parts = around(file, kept, lambda topic: topic not in pruning.topics)
            with bar(f"pruning {file.path.name}", file.size) as show:
                write_copy(file.path, parts, {**file.about, PRUNED: history}, show)
        for path in pruning.weights:
            path.unlink(missing_ok=True)


def _refuse_damaged(log: Surveyed) -> None:
    for file in log.files:
        if file.lost or not file.closed:
            raise ConfigError(f"{file.path}: is not whole; reverie logs repair it first")


def _old_episodes(log: Surveyed, keep: int, found: Pruning) -> None:
    """Mark transitions of all but the newest episodes of each stream."""
    dropped = 0
    for number, stream in enumerate(log.bulk.streams):
        of_stream = [file.steps["stream"] == number for file in log.files]
        pairs = zip(log.files, of_stream, strict=True)
        episodes = np.unique(np.concatenate([f.steps["episode"][mine] for f, mine in pairs]))
        if len(episodes) <= keep:
            continue
        first = int(episodes[-keep])
        for file, mine, kept in zip(log.files, of_stream, found.kept, strict=True):
            old = mine & (file.steps["episode"] < first)
            kept[old] = False
            dropped += int(old.sum())
        told = f"{len(episodes) - keep} episodes before {first}"
        found.lines.append(f"{' '.join(stream)}: {told}, {dropped} transitions")
        dropped = 0


def _unused(log: Surveyed, found: Pruning) -> None:
    """Mark weights in the store that no kept transition was made with; the newest stay."""
    pairs = zip(log.files, found.kept, strict=True)
    versions = {int(v) for file, kept in pairs for v in file.steps["weights_version"][kept]}
    notes = [note for file in log.files for note in file.notes.get(WEIGHTS, [])]
    used = {digest for version, digest in used_weights(log).items() if version in versions}
    used |= {str(note.get("sha256")) for note in notes[-1:]}
    there = sorted(log.log.store.glob("*.safetensors"))
    found.weights = [path for path in there if path.stem not in used]
    size = sum(path.stat().st_size for path in found.weights)
    if found.weights:
        told = f"{len(found.weights)} of {len(there)} weights, {size / 1e6:.1f} MB"
        found.lines.append(f"{log.log.store}: {told}")


def _agreed(console: Console) -> bool:
    try:
        return console.input("Drop this? It cannot be undone. Type yes: ").strip() == "yes"
    except EOFError:
        return False


def _size(log: Surveyed) -> int:
    files = [*log.log.files, *log.log.store.glob("*.safetensors")]
    return sum(path.stat().st_size for path in files if path.exists())
