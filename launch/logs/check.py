"""`reverie logs check`: whether a log is whole, closed and sound, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from launch.logs.declared import declared_hz, read_plan
from launch.logs.official import second_opinion
from launch.logs.places import Surveyed, find_logs, survey_log
from launch.logs.steps import ENOUGH, TOLERANCE, Finding, check_steps
from launch.logs.survey import Survey
from launch.logs.tally import Tally
from robot.wire.log.names import ENCODING, TRANSITIONS, WEIGHTS
from robot.wire.weights import WeightsError
from robot.wire.weights_store import WeightsStore

SOUND, UNSOUND = 0, 1


def run_check(path: Path, as_json: bool) -> int:
    """Check all logs that an argument names, and print what was found.

    Args:
        path: LOG: a file, a folder of log files, or a run's folder.
        as_json: one JSON object instead of tables.

    Returns:
        0 when all are sound, 1 when one is not.

    Raises:
        ConfigError: when LOG is no log.
        OSError: when a file cannot be read.
    """
    logs = [survey_log(log, "checking") for log in find_logs(path)]
    findings = [check_log(log) for log in logs]
    sound = not any(finding.grave for found in findings for finding in found)
    if as_json:
        told = [_as_dict(log, found) for log, found in zip(logs, findings, strict=True)]
        print(json.dumps({"sound": sound, "logs": told}))
    else:
        for log, found in zip(logs, findings, strict=True):
            _print(log, found)
    return SOUND if sound else UNSOUND


def check_log(log: Surveyed) -> list[Finding]:
    """Everything that is not as it should be, files first."""
    found = [finding for file in log.files for finding in _file(file)]
    found += check_steps(log)
    found += _topics(log)
    return found + list(_store(log))


def merged_topics(log: Surveyed) -> dict[str, Tally]:
    """What each topic holds, in all files together."""
    merged: dict[str, Tally] = {}
    for file in log.files:
        for topic, tally in file.topics.items():
            merged[topic] = merged.get(topic, Tally()).join(tally)
    return merged


def _file(file: Survey) -> Iterator[Finding]:
    name = file.path.name
    if not file.is_log:
        yield Finding(name, "is no log")
        return
    for gap in file.lost:
        what = f"{gap.end - gap.begin} bytes cannot be read, from byte {gap.begin} on"
        yield Finding(name, f"{what}; reverie logs repair keeps the rest")
    if not file.closed:
        yield Finding(
            name,
            "not closed properly: its writer was killed, still writes, or its summary is damaged",
        )
    if not file.lost and (told := second_opinion(file)):
        yield Finding(name, told)


def _topics(log: Surveyed) -> Iterator[Finding]:
    plan = read_plan(log.about)
    for topic, tally in merged_topics(log).items():
        if topic == TRANSITIONS:
            continue  # its steps are checked one by one
        if tally.backwards:
            what = f"stamps go back {tally.backwards} times"
            # Other stamps are of the wall clock, which is set now and then.
            yield Finding(topic, what, grave=tally.encoding == ENCODING)
        hz = declared_hz(plan, topic)
        if hz and tally.steps >= ENOUGH and abs(tally.rate_hz / hz - 1) > TOLERANCE:
            yield Finding(topic, f"{tally.rate_hz:.4g} per second; declared are {hz:g}")


def _store(log: Surveyed) -> Iterator[Finding]:
    """Weights in the store, and those that transitions were made with."""
    store = WeightsStore(log.log.store)
    for path in sorted(store.kept()):
        try:
            store.get(path.stem)
        except WeightsError as error:
            what = str(error).removeprefix(f"{path}: ")
            yield Finding(f"weights/{path.name}", f"damaged: {what}")
    missing = [v for v, digest in used_weights(log).items() if not store.path(digest).exists()]
    if missing:
        what = f"{len(missing)} of {len(used_weights(log))} versions are not in {store.folder}"
        yield Finding(WEIGHTS, what, grave=False)


def used_weights(log: Surveyed) -> dict[int, str]:
    """Hash of the weights of each version that a transition was made with, where it is told."""
    used = {int(v) for file in log.files for v in set(file.steps["weights_version"].tolist())}
    notes = [note for file in log.files for note in file.notes.get(WEIGHTS, [])]
    told = {note.get("version"): note.get("sha256") for note in notes}
    return {
        v: d for v, d in told.items() if isinstance(v, int) and isinstance(d, str) and v in used
    }


def _as_dict(log: Surveyed, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "log": str(log.log.path),
        "name": log.log.name,
        "findings": [asdict(finding) for finding in findings if finding.grave],
        "remarks": [asdict(finding) for finding in findings if not finding.grave],
        "files": [
            {
                **{"file": f.path.name, "bytes": f.size, "messages": f.count},
                **{"transitions": len(f.steps), "closed": f.closed},
                "lost_bytes": sum(gap.end - gap.begin for gap in f.lost),
            }
            for f in log.files
        ],
    }


def _print(log: Surveyed, findings: Sequence[Finding]) -> None:
    console = Console()
    table = Table("file", "MB", "messages", "transitions", "closed", "bytes lost")
    table.title = f"{log.log.path}, {log.log.name}"
    for f in log.files:
        lost = sum(gap.end - gap.begin for gap in f.lost)
        numbers = (f"{f.size / 1e6:.1f}", str(f.count), str(len(f.steps)))
        table.add_row(f.path.name, *numbers, "yes" if f.closed else "no", str(lost))
    console.print(table)
    for finding in sorted(findings, key=lambda finding: not finding.grave):
        mark = "[red]unsound[/]" if finding.grave else "note   "
        console.print(f"{mark} {finding.where}: {finding.what}", highlight=False, soft_wrap=True)
    grave = sum(finding.grave for finding in findings)
    console.print(f"[red]{grave} findings[/]" if grave else "[green]sound[/]")
