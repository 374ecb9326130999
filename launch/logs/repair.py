"""`reverie logs repair`: whole, closed files from cut or damaged ones, losing only what is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from launch.logs.copying import Slice, write_copy
from launch.logs.places import Log, Surveyed, bar, find_logs, survey_log
from launch.logs.survey import Survey
from launch.logs.targets import free, held
from robot.config import ConfigError

REPAIRED = "repaired"
DAMAGED = ".damaged"


@dataclass(frozen=True)
class Repair:
    """One file that is made whole.

    Args:
        source: what is known of it.
        target: the whole file.
        backup: where the original goes, None where it stays.
    """

    source: Survey
    target: Path
    backup: Path | None


def run_repair(path: Path, out: Path | None, in_place: bool, force: bool) -> int:
    """Write a whole file for each that is cut, damaged or was never closed.

    Args:
        path: LOG: a file, a folder of log files, or a run's folder.
        out: folder for whole files; beside the originals, as NAME-0000.repaired.mcap, unless given.
        in_place: put them in the originals' place, and keep those as NAME-0000.mcap.damaged.
        force: whether files may be replaced.

    Returns:
        Exit code 0.

    Raises:
        ConfigError: when LOG is no log, or something would be overwritten; nothing is written then.
        OSError: when a file cannot be read or written.
    """
    if in_place and out is not None:
        raise ConfigError("--out: not together with --in-place")
    logs = [survey_log(log) for log in find_logs(path)]
    repairs = [repair for log in logs for repair in _plan(log, out, in_place, force)]
    if not repairs:
        Console().print(f"{path}: every file is whole; nothing to repair", highlight=False)
        return 0
    for log in logs:
        mine = [repair for repair in repairs if repair.source in log.files]
        _carry_out(log.log, mine, in_place)
    return 0


def needs_repair(found: Survey) -> bool:
    """Whether a file is not whole and closed; what is no log at all is left alone."""
    return found.is_log and (not found.closed or bool(found.lost))


def repair_file(repair: Repair) -> str:
    """Write one whole file; a line that says what was kept and lost.

    Raises:
        OSError: when a file cannot be read or written; the original is then as it was.
    """
    found = repair.source
    lost = sum(gap.end - gap.begin for gap in found.lost)
    history = {"lost_bytes": str(lost), "of_bytes": str(found.size), "from": found.path.name}
    history["lost"] = json.dumps([[gap.begin, gap.end] for gap in found.lost])
    about = {**found.about, REPAIRED: history}
    parts = [Slice(found, begin, end) for begin, end in found.sound]
    with bar(f"repairing {found.path.name}", found.size) as show:
        if repair.backup is not None:
            repair.backup.unlink(missing_ok=True)
            repair.backup.hardlink_to(found.path)
        count = write_copy(repair.target, parts, about, show)
    kept = f"{count} records kept, {len(found.steps)} of them transitions"
    return f"{found.path} -> {repair.target}: {kept}; {lost} of {found.size} bytes lost"


def _plan(log: Surveyed, out: Path | None, in_place: bool, force: bool) -> list[Repair]:
    repairs = []
    for found in filter(needs_repair, log.files):
        path = found.path
        backup = free(path.with_name(path.name + DAMAGED), force) if in_place else None
        beside = path.with_name(f"{path.stem}.{REPAIRED}.mcap")
        target = path if in_place else (out / path.name if out else beside)
        if not in_place:
            if target.resolve() == path.resolve():
                raise ConfigError(f"--out {out}: is where the log lies; use --in-place")
            free(target, force)
        repairs.append(Repair(found, target, backup))
    return repairs


def _carry_out(log: Log, repairs: Sequence[Repair], in_place: bool) -> None:
    folder = log.path if log.path.is_dir() else log.path.parent
    with held(folder, [r.source.path for r in repairs] if in_place else []):
        for repair in repairs:
            repair.target.parent.mkdir(parents=True, exist_ok=True)
            Console().print(repair_file(repair), highlight=False, soft_wrap=True)
